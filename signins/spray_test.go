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

func TestSprayWindow(t *testing.T) {
	spray := func(accounts int, gap time.Duration) (log []signins.SignIn) {
		for i := range accounts {
			log = append(log, try(user(i), "203.0.113.1", time.Duration(i)*gap, 50126))
		}
		return log
	}
	found := attacks(t, spray(10, 3*time.Minute)) // 27 minutes
	require.Len(t, found, 1)
	assert.Equal(t, signins.PasswordSpray, found[0].Kind)
	assert.Equal(t, "203.0.113.1", found[0].IP)
	assert.Equal(t, "RU", found[0].Country)
	assert.Equal(t, signins.IMAP, found[0].Protocol)
	assert.Equal(t, noon, found[0].Start)
	assert.Equal(t, noon.Add(27*time.Minute), found[0].End)
	assert.Equal(t, 10, found[0].DistinctAccounts)

	assert.Empty(t, attacks(t, spray(9, time.Minute)))
	assert.Empty(t, attacks(t, spray(19, 4*time.Minute)), "eight in every half hour")
	assert.Len(t, attacks(t, spray(300, 3*time.Minute)), 1, "one that lasts is one")
}

// However the guesses lie to the minutes that evidence is kept by.
func TestSprayWindowToItsEnd(t *testing.T) {
	found := func(n int, all, from time.Duration, name func(int) string) int {
		var log []signins.SignIn
		for i := range n {
			log = append(log, try(name(i), "203.0.113.1", from+time.Duration(i)*all/time.Duration(n-1), 50126))
		}
		return len(attacks(t, log))
	}
	mallory := func(int) string { return "mallory@contoso.com" }
	for _, from := range []time.Duration{0, time.Second, 30 * time.Second, 59 * time.Second} {
		assert.Equal(t, 1, found(10, 30*time.Minute, from, user), from)
		assert.Equal(t, 0, found(9, 30*time.Minute, from, user), from)
		assert.Equal(t, 0, found(10, 31*time.Minute, from, user), from)
		assert.Equal(t, 1, found(8, 10*time.Minute, from, mallory), from)
		assert.Equal(t, 0, found(7, 10*time.Minute, from, mallory), from)
		assert.Equal(t, 0, found(8, 11*time.Minute, from, mallory), from)
	}
}

func TestSpraySettingsOfAnyValue(t *testing.T) {
	var log []signins.SignIn
	for i := range 40 {
		code := int32(50126)
		if i%3 == 0 {
			code = 0
		}
		log = append(log, try(user(i), fmt.Sprintf("203.0.113.%d", i%2), time.Duration(i)*20*time.Second, 50126),
			try("mallory@contoso.com", "203.0.113.9", time.Duration(i)*5*time.Second, 50126),
			try(user(i), "198.51.100.1", time.Duration(i)*20*time.Second, code))
	}
	standard := summary(t, log...)
	with := func(p signins.Spray) *signins.Summary {
		s, err := (&signins.Summarizer{Spray: p}).Summarize(sequence(log))
		require.NoError(t, err)
		return s
	}
	below := with(signins.Spray{Window: -1, Accounts: -1, BruteForceWindow: -1, Attempts: -1, DistributedWindow: -1,
		DistributedAccounts: -1, DistributedAddresses: -1, After: -1, MaxEvidence: -1})
	assert.Equal(t, standard.Attacks, below.Attacks)
	for d := time.Nanosecond; d > 0; d *= 10 {
		with(signins.Spray{Window: d, BruteForceWindow: d, DistributedWindow: d, After: d, DistributedAccounts: 2, DistributedAddresses: 2})
	}
	for n := range 60 {
		s := with(signins.Spray{MaxEvidence: n + 1})
		assert.Positive(t, s.Evicted)
	}
}

func TestSprayOfNamesThatTheLogKeepsToItself(t *testing.T) {
	log := []signins.SignIn{try("Not Available", "203.0.113.1", 0, 50034), try("", "203.0.113.1", time.Minute, 50034)}
	for i := range 9 {
		log = append(log, try(user(i), "203.0.113.1", time.Duration(i)*time.Minute, 50126))
	}
	found := attacks(t, log)
	require.Len(t, found, 1)
	assert.Equal(t, 10, found[0].DistinctAccounts)
	assert.Equal(t, 9, found[0].FailedAccounts)
}

// The people of a large office mistype behind one address, and get in.
func TestTypingErrorsAreNoSpray(t *testing.T) {
	var log []signins.SignIn
	for i := range 40 {
		at := time.Duration(i) * 20 * time.Second
		log = append(log, try(user(i), "198.18.0.1", at, 50126), try(user(i), "198.18.0.1", at+30*time.Second, 0))
	}
	assert.Empty(t, attacks(t, log))
	// An attacker at the same address is found among them, and what it got into.
	for i := 100; i < 112; i++ {
		log = append(log, try(user(i), "198.18.0.1", time.Duration(i-100)*time.Minute, 50126))
	}
	log = append(log, try(user(200), "198.18.0.1", 20*time.Minute, 0), try(user(201), "198.18.0.1", 25*time.Minute, 50076))
	colleague := try(user(202), "198.18.0.1", 20*time.Minute, 0)
	colleague.ClientAppUsed, colleague.UserAgent = "Browser", "Mozilla/5.0"
	log = append(log, colleague)
	log = append(log, try(user(300), "198.18.0.1", -time.Hour, 0), try(user(300), "198.18.0.1", 20*time.Minute, 0)) // at home there
	found := attacks(t, log)
	require.Len(t, found, 1)
	assert.Equal(t, 12, found[0].FailedAccounts)
	assert.Contains(t, found[0].Compromised, user(200))
	assert.NotContains(t, found[0].Compromised, user(300))
	assert.NotContains(t, found[0].Compromised, user(202), "who signs in as people there do")
	assert.Equal(t, []string{user(201)}, found[0].PasswordKnownButStopped)
}

func TestBruteForce(t *testing.T) {
	tries := func(n int, client string) (log []signins.SignIn) {
		for i := range n {
			s := try(user(1), fmt.Sprintf("203.0.113.%d", i%3+1), time.Duration(i)*10*time.Second, 50126)
			s.ClientAppUsed, s.UserAgent = client, "x"
			log = append(log, s)
		}
		return log
	}
	assert.Empty(t, attacks(t, tries(7, "Authenticated SMTP")))
	found := attacks(t, append(tries(8, "Authenticated SMTP"), try(user(1), "203.0.113.2", time.Hour, 0), try(user(2), "203.0.113.2", time.Hour, 0)))
	require.Len(t, found, 1)
	assert.Equal(t, signins.BruteForce, found[0].Kind)
	assert.Equal(t, []string{user(1)}, found[0].Accounts)
	assert.Equal(t, []string{"203.0.113.1", "203.0.113.2", "203.0.113.3"}, found[0].IPs)
	assert.Empty(t, found[0].IP)
	assert.EqualValues(t, 8, found[0].Attempts)
	assert.Equal(t, []string{user(1)}, found[0].Compromised, "and not another user of the address")

	assert.Empty(t, attacks(t, tries(23, "Browser")), "somebody has forgotten a password")
	assert.Len(t, attacks(t, tries(24, "Browser")), 1)

	home := append(tries(50, "Exchange ActiveSync"), try(user(1), "203.0.113.1", -time.Hour, 0), try(user(1), "203.0.113.2", -time.Hour, 0),
		try(user(1), "203.0.113.3", -time.Hour, 0))
	assert.Empty(t, attacks(t, home), "an old phone at its owner's place")
}

func TestDistributedSpray(t *testing.T) {
	spray := func(network uint32, agent func(int) string) (log []signins.SignIn) {
		for i := range 24 {
			s := try(user(i), fmt.Sprintf("2001:db8::%x", i), time.Duration(i)*50*time.Minute, 50126)
			s.AutonomousSystemNumber, s.UserAgent = network, agent(i)
			log = append(log, s)
		}
		return log
	}
	same := func(int) string { return "okhttp/4.9" }
	other := func(i int) string { return fmt.Sprint("agent", i) }

	found := attacks(t, spray(0, same))
	require.Len(t, found, 1)
	assert.Equal(t, signins.DistributedSpray, found[0].Kind)
	assert.Equal(t, "okhttp/4.9", found[0].Agent)
	assert.Equal(t, 24, found[0].Addresses)
	found = attacks(t, spray(64666, other))
	require.Len(t, found, 1)
	assert.EqualValues(t, 64666, found[0].Network)
	assert.Empty(t, attacks(t, spray(0, other)), "they have nothing in common")

	// Old phones of one make ask from offices in which others are let in.
	var phones []signins.SignIn
	for i, s := range spray(0, same) {
		s.IPAddress = fmt.Sprintf("198.18.0.%d", i%8)
		phones = append(phones, s)
		for k := range 3 {
			phones = append(phones, try(user(1000+10*i+k), s.IPAddress, 0, 0))
		}
	}
	assert.Empty(t, attacks(t, phones))

	// What many people get in with is no attacker's.
	log := spray(64500, same)
	for i := range 12 {
		s := try(user(100+i), "198.18.0.9", time.Duration(i)*2*time.Hour, 0)
		s.UserAgent, s.AutonomousSystemNumber = "okhttp/4.9", 64500
		log = append(log, s)
	}
	assert.Empty(t, attacks(t, log))
}

func TestSprayParameters(t *testing.T) {
	z := signins.Summarizer{Spray: signins.Spray{Accounts: 3, Window: time.Hour}}
	log := []signins.SignIn{try(user(1), "203.0.113.1", 0, 50126), try(user(2), "203.0.113.1", 25*time.Minute, 50053),
		try(user(3), "203.0.113.1", 50*time.Minute, 50034)}
	s, err := z.Summarize(sequence(log))
	require.NoError(t, err)
	assert.Len(t, s.Attacks, 1)
	assert.Empty(t, summary(t, log...).Attacks)
}

// Somebody whom some records name and others give an object id is one user.
func TestUsersAreKnownByIDToo(t *testing.T) {
	named, byID := try("Ann@contoso.com", "::1", 0, 0), try("7FF8c0e2-ae96-5ca9-bb77-4d938f81dbef", "::1", time.Hour, 50126)
	named.UserID, byID.UserID = "7ff8c0e2-ae96-5ca9-bb77-4d938f81dbef", "7ff8c0e2-ae96-5ca9-bb77-4d938f81dbef"
	byID.Interactive = crossprem.No
	s := summary(t, named, byID)
	assert.Len(t, s.Users, 2)
	list := s.LegacyUserList()
	require.Len(t, list, 1)
	assert.Equal(t, "ann@contoso.com", list[0].Name)
	assert.EqualValues(t, 2, list[0].Records)
	assert.EqualValues(t, 1, list[0].Successes)
	assert.EqualValues(t, 1, s.Countries[0].Records, "non-interactive addresses are not used for geography")
}
