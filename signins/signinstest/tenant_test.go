package signinstest_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

var formats = []signins.Format{signins.GraphV1, signins.GraphBeta, signins.PortalJSON, signins.PortalCSV, signins.AzureMonitor, signins.EventHub,
	signins.LogAnalytics, signins.LogAnalyticsCSV, signins.UnifiedAudit, signins.UnifiedAuditCSV, signins.Defender}

// What is written in a format is read back from it, field by field.
func TestEveryFormatIsReadBack(t *testing.T) {
	tenant := signinstest.Tenant{Seed: 7, Users: 200, Sprays: 1, BruteForces: 1, DistributedSprays: 1, RecordBytes: 2800}
	for _, f := range formats {
		t.Run(f.String(), func(t *testing.T) {
			var log bytes.Buffer
			require.NoError(t, tenant.Write(&log, f))
			want := make(map[string]signins.SignIn)
			truth := make(map[string]signinstest.Truth)
			for s, is := range tenant.SignIns() {
				if signinstest.Carries(f, &s) {
					want[s.ID], truth[s.ID] = s, is
				}
			}
			n := 0
			for got, err := range signins.Read(&log) {
				require.NoError(t, err)
				n++
				s, ok := want[got.ID]
				require.True(t, ok, "an event that was never written: %+v", got)
				delete(want, got.ID)
				check(t, &s, &got)
				v, is := signins.Classify(&got), truth[got.ID]
				if f == signins.UnifiedAudit || f == signins.UnifiedAuditCSV { // which does not tell protocols
					if is.Class != signins.UnknownClass {
						assert.Equal(t, is.Class, v.Class)
					}
				} else if s.UserAgent != "BAV2ROPC" || s.ClientAppUsed != "Mobile Apps and Desktop clients" || got.Knows(signins.FieldUserAgent) {
					assert.Equal(t, is.Class, v.Class, "%+v", got)
					assert.Equal(t, is.Protocol, v.Protocol)
				}
				assert.Equal(t, is.Outcome, v.Outcome)
			}
			assert.Empty(t, want, "events that were not read")
			assert.NotZero(t, n)
		})
	}
}

// check compares what the format knows.
func check(t *testing.T, want, got *signins.SignIn) {
	t.Helper()
	for _, f := range []struct {
		field     signins.Fields
		want, got any
	}{
		{signins.FieldUserID, want.UserID, strings.Replace(got.UserID, "Not Available", "", 1)}, // so unified audit has it
		{signins.FieldUserPrincipalName, want.UserPrincipalName, got.UserPrincipalName},
		{signins.FieldAppID, want.AppID, got.AppID},
		{signins.FieldAppDisplayName, want.AppDisplayName, got.AppDisplayName},
		{signins.FieldClientAppUsed, want.ClientAppUsed, got.ClientAppUsed},
		{signins.FieldUserAgent, want.UserAgent, got.UserAgent},
		{signins.FieldAuthenticationProtocol, want.AuthenticationProtocol, got.AuthenticationProtocol},
		{signins.FieldIncomingTokenType, want.IncomingTokenType, got.IncomingTokenType},
		{signins.FieldMethods, want.Methods, got.Methods},
		{signins.FieldIPAddress, want.IPAddress, got.IPAddress},
		{signins.FieldAutonomousSystemNumber, want.AutonomousSystemNumber, got.AutonomousSystemNumber},
		{signins.FieldErrorCode, want.ErrorCode, got.ErrorCode},
		{signins.FieldCategory, want.Category, got.Category},
		{signins.FieldInteractive, want.Interactive, got.Interactive},
	} {
		if got.Knows(f.field) {
			assert.Equal(t, f.want, f.got, "field %b of %+v", f.field, got)
		}
	}
	assert.WithinDuration(t, want.Time, got.Time, time.Second)
}

func TestTheSameNumbersGiveTheSameLog(t *testing.T) {
	write := func(seed uint64) string {
		var log bytes.Buffer
		require.NoError(t, (&signinstest.Tenant{Seed: seed, Users: 50, Sprays: 1}).Write(&log, signins.AzureMonitor))
		return log.String()
	}
	assert.Equal(t, write(1), write(1))
	assert.NotEqual(t, write(1), write(2))
}

func TestSizeAndOrder(t *testing.T) {
	tenant := signinstest.Tenant{Users: 300, Days: 2, Events: 5000, BruteForces: 2}
	n := 0
	last := time.Time{}
	for s := range tenant.SignIns() {
		n++
		assert.False(t, s.Time.Before(last))
		last = s.Time
	}
	assert.InDelta(t, 5000, n, 700)
	var log bytes.Buffer
	tenant.RecordBytes = 11500
	require.NoError(t, tenant.Write(&log, signins.AzureMonitor))
	assert.InDelta(t, 11500, log.Len()/n, 400)
	assert.ErrorContains(t, tenant.Write(&log, signins.UnknownFormat), "no way")
}

// A summary of a made-up tenant says what is true of it.
func TestSummaryTellsTheTruth(t *testing.T) {
	tenant := signinstest.Tenant{Seed: 3, Users: 2000, Sprays: 2, BruteForces: 2, DistributedSprays: 1}
	classes := make(map[signins.Class]int64)
	protocols := make(map[signins.Protocol]int64)
	outcomes := make(map[signins.Outcome]int64)
	users := make(map[string]bool)
	for s, is := range tenant.SignIns() {
		classes[is.Class]++
		protocols[is.Protocol]++
		outcomes[is.Outcome]++
		if is.Class == signins.Legacy {
			users[s.UserPrincipalName] = true
		}
	}
	s, err := signins.Summarize(tenant.All())
	require.NoError(t, err)
	assert.Equal(t, classes, s.ByClass)
	assert.Equal(t, protocols, s.ByProtocol)
	assert.Equal(t, outcomes, s.ByOutcome)
	assert.Equal(t, slices.Sorted(maps.Keys(users)), s.LegacyUsers())
}

// Each attack is found, as what it is, and nothing else is.
func TestAttacksAreFoundAndNothingElse(t *testing.T) {
	for seed := range uint64(3) {
		tenant := signinstest.Tenant{Seed: seed, Users: 1500, Days: 2, Sprays: 3, BruteForces: 3, DistributedSprays: 2}
		s, err := signins.Summarize(tenant.All())
		require.NoError(t, err)
		var want, got []string
		for _, a := range tenant.Attacks() {
			ip := a.IPs[0]
			if len(a.IPs) > 1 {
				ip = ""
			}
			want = append(want, fmt.Sprint(a.Kind, ip, a.Start.Unix(), a.End.Unix(), len(a.Accounts), len(a.IPs), a.Compromised, a.Stopped))
		}
		for _, a := range s.Attacks {
			got = append(got, fmt.Sprint(a.Kind, a.IP, a.Start.Unix(), a.End.Unix(), a.FailedAccounts, a.Addresses, a.Compromised, a.PasswordKnownButStopped))
		}
		assert.ElementsMatch(t, want, got, "seed %d", seed)
	}
}

// An attack that is asked for takes place, or is refused.
func TestAttacksOnFew(t *testing.T) {
	for _, tenant := range []signinstest.Tenant{{Users: 12, Sprays: 3}, {Users: 1, BruteForces: 3}, {Users: 20, DistributedSprays: 3}} {
		s, err := signins.Summarize(tenant.All())
		require.NoError(t, err)
		assert.Len(t, s.Attacks, 3)
		tenant.Users--
		if tenant.Users > 0 {
			assert.Panics(t, func() { tenant.Attacks() })
		}
	}
}

// In a peaceful tenant, mistyped passwords, forgotten ones and old phones are
// not attacks.
func TestPeacefulDaysHaveNoAttacks(t *testing.T) {
	for seed := range uint64(2) {
		tenant := signinstest.Tenant{Seed: 100 + seed, Users: 5000}
		s, err := signins.Summarize(tenant.All())
		require.NoError(t, err)
		assert.Empty(t, s.Attacks, "seed %d", seed)
		assert.Zero(t, s.Evicted)
	}
}
