package oauthcert

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem"
)

// A title is true of the finding that it stands over.
func TestEveryRuleHasATitleForEachStatus(t *testing.T) {
	assert.Len(t, passedTitles, len(rules))
	for _, r := range rules {
		failed := judge(r.ID, crossprem.Failed, "s", "d").Title
		passed := judge(r.ID, crossprem.Passed, "s", "d").Title
		assert.Equal(t, r.Title, failed)
		assert.NotEmpty(t, passed, r.ID)
		assert.NotEqual(t, failed, passed, r.ID)
		assert.Equal(t, "Not known: "+r.Title, judge(r.ID, crossprem.Unknown, "s", "d").Title)
	}
}
