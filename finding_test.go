package crossprem_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
)

func TestZeroFindingClaimsNothing(t *testing.T) {
	var f crossprem.Finding
	assert.Equal(t, crossprem.Unknown, f.Status)
	assert.Equal(t, "unknown", f.Status.String())
	text, err := json.Marshal(f)
	require.NoError(t, err)
	assert.JSONEq(t, `{"rule":"","status":"unknown","severity":"info","subject":"","title":""}`, string(text))
}

func TestFindingSurvivesJSON(t *testing.T) {
	want := crossprem.Finding{
		Rule: "tls-1.2-refused", Status: crossprem.Failed, Severity: crossprem.Critical,
		Subject: "mail.contoso.test:443", Title: "t", Detail: "d", Remedy: "r",
		Due: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), Sources: []string{"RFC 9325 section 3.1.1"},
	}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	var got crossprem.Finding
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, want, got)
}

func TestNamesOfStatusAndSeverity(t *testing.T) {
	for _, s := range []crossprem.Status{crossprem.Unknown, crossprem.Passed, crossprem.Failed} {
		text, err := s.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, s.String(), string(text))
		back := crossprem.Status(99)
		require.NoError(t, back.UnmarshalText(text))
		assert.Equal(t, s, back)
	}
	for _, s := range []crossprem.Severity{crossprem.Info, crossprem.Warning, crossprem.Critical} {
		text, err := s.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, s.String(), string(text))
		back := crossprem.Severity(99)
		require.NoError(t, back.UnmarshalText(text))
		assert.Equal(t, s, back)
	}
	assert.Less(t, crossprem.Info, crossprem.Warning)
	assert.Less(t, crossprem.Warning, crossprem.Critical)
}

func TestNonsenseIsAnError(t *testing.T) {
	assert.Equal(t, "Status(9)", crossprem.Status(9).String())
	assert.Equal(t, "Severity(9)", crossprem.Severity(9).String())
	_, err := crossprem.Status(9).MarshalText()
	assert.Error(t, err)
	_, err = crossprem.Severity(9).MarshalText()
	assert.Error(t, err)

	status, severity := crossprem.Failed, crossprem.Critical
	for _, word := range []string{"", "Passed", "fine", "ok"} {
		assert.Error(t, status.UnmarshalText([]byte(word)))
		assert.Error(t, severity.UnmarshalText([]byte(word)))
	}
	assert.Equal(t, crossprem.Failed, status, "a failed read leaves the value as it was")
	assert.Equal(t, crossprem.Critical, severity)
}

func ExampleFinding() {
	f := crossprem.Finding{
		Rule:     "auth-certificate-expired",
		Status:   crossprem.Failed,
		Severity: crossprem.Critical,
		Subject:  "CN=Microsoft Exchange Server Auth Certificate",
		Title:    "The auth certificate has expired",
		Due:      time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC),
	}
	fmt.Println(f.Status, f.Severity, f.Due.Format(time.DateOnly))
	// Output: failed critical 2026-11-20
}
