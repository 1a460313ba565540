package signins_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

var noon = time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)

// try is a sign-in of a program over IMAP: a guess, unless code is 0.
func try(user string, ip string, after time.Duration, code int32) signins.SignIn {
	return signins.SignIn{Known: everything, Time: noon.Add(after), UserPrincipalName: user, IPAddress: ip, ClientAppUsed: "IMAP4",
		UserAgent: "CBAInPROD", ErrorCode: code, CountryOrRegion: "RU", Interactive: crossprem.Yes}
}

func user(n int) string { return fmt.Sprintf("user%d@contoso.com", n) }

func attacks(t *testing.T, log []signins.SignIn) []signins.Attack {
	t.Helper()
	found := summary(t, log...).Attacks
	slices.Reverse(log) // the order of the records does not matter
	assert.Equal(t, found, summary(t, log...).Attacks)
	return found
}

// Somebody whom some records name and others give an object id is one user.
func TestUsersAreKnownByIDToo(t *testing.T) {
	named, byID := try("Ann@contoso.com", "::1", 0, 0), try("7FF8c0e2-ae96-5ca9-bb77-4d938f81dbef", "::1", time.Hour, 50126)
	named.UserID, byID.UserID = "7ff8c0e2-ae96-5ca9-bb77-4d938f81dbef", "7ff8c0e2-ae96-5ca9-bb77-4d938f81dbef"
	byID.Interactive = crossprem.No
	s := summary(t, named, byID)
	assert.Equal(t, 2, s.Users.Len())
	list := s.LegacyUserList()
	require.Len(t, list, 1)
	assert.Equal(t, "ann@contoso.com", list[0].Name)
	assert.EqualValues(t, 2, list[0].Records)
	assert.EqualValues(t, 1, list[0].Successes)
	assert.EqualValues(t, 1, s.Countries[0].Records, "non-interactive addresses are not used for geography")
}
