package authinspect

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem"
)

// A title is true of the finding that it stands over.
func TestMailTitlesSayHowARuleCameOut(t *testing.T) {
	assert.Len(t, mailPassed, len(mailRules))
	for _, r := range mailRules {
		passed := mailTitle(r, crossprem.Passed)
		assert.NotEmpty(t, passed, r.ID)
		assert.NotEqual(t, r.Title, passed, r.ID)
		assert.Equal(t, r.Title, mailTitle(r, crossprem.Failed))
		assert.Equal(t, "Not known: "+r.Title, mailTitle(r, crossprem.Unknown))
	}
}
