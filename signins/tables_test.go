package signins

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tables are dated, sorted, free of doubles, and every row has a source.
func TestTables(t *testing.T) {
	var apps struct {
		AsOf   string
		Values []struct {
			Names    []string
			Protocol Protocol
			Legacy   string
			Sources  []string
		}
		UserAgents []struct {
			Name    string
			Sources []string
		}
		Sources map[string]string
	}
	require.NoError(t, json.Unmarshal(embeddedFile(t, clientAppsFile), &apps))
	assert.Equal(t, AsOf, apps.AsOf)
	names := make(map[string]bool)
	protocols := map[Protocol]bool{NoProtocol: true} // of applications, which have no client app
	for _, v := range apps.Values {
		assert.Contains(t, []string{"yes", "no", "conditional"}, v.Legacy)
		assert.NotEmpty(t, v.Sources, v.Names)
		for _, s := range v.Sources {
			assert.Contains(t, apps.Sources, s)
		}
		protocols[v.Protocol] = true
		for _, name := range v.Names {
			assert.False(t, names[name], name)
			names[name] = true
		}
	}
	assert.Len(t, protocols, len(protocolTexts.All()))
	for _, a := range apps.UserAgents {
		assert.NotEmpty(t, a.Sources)
	}

	var codes struct {
		AsOf     string
		Outcomes map[string]string
		Codes    []struct {
			Code    int32
			Outcome Outcome
			Sources []string
		}
	}
	require.NoError(t, json.Unmarshal(embeddedFile(t, errorCodesFile), &codes))
	assert.Equal(t, AsOf, codes.AsOf)
	assert.Len(t, codes.Outcomes, 28)
	for _, name := range outcomeTexts.All()[1:] {
		assert.Contains(t, codes.Outcomes, name)
	}
	assert.Len(t, codes.Codes, 89)
	for i, c := range codes.Codes {
		assert.NotEmpty(t, c.Sources, c.Code)
		assert.True(t, i == 0 || codes.Codes[i-1].Code < c.Code, c.Code)
	}

	retirements := (*Tables)(nil).Announced()
	assert.True(t, slices.IsSortedFunc(retirements, func(a, b Retirement) int { return a.Date.Compare(b.Date) }))
	for _, r := range retirements {
		assert.NotEmpty(t, r.Sources, r.ID)
		assert.NotEmpty(t, r.Remedy, r.ID)
		assert.True(t, r.Date.After(time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)), r.ID)
	}
}

func embeddedFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := embeddedTables.ReadFile("data/" + name)
	require.NoError(t, err)
	return data
}

// A name is found however it is spelled, and with or without the old prefix.
func TestNormalise(t *testing.T) {
	for _, name := range []string{"IMAP4", "imap4", " IMAP4 ", "Other clients; IMAP4", "Other  clients;IMAP4"} {
		assert.Equal(t, "imap4", normalise(name))
	}
	assert.Equal(t, "other clients", normalise("Other clients"))
}

func TestClientFamily(t *testing.T) {
	for agent, want := range map[string]string{
		"BAV2ROPC":                 "BAV2ROPC",
		"cbainprod":                "CBAInPROD",
		"Teams/1.0":                "Teams",
		"":                         "",
		"/":                        "/",
		"  Go-http-client/2.0":     "Go-http-client",
		"Apple-iPhone14C2/2302.61": "Apple-iPhone",
		"Microsoft Office/14.0 (Windows NT 6.1; Microsoft Outlook 14.0.7268; Pro)": "Microsoft Office/14",
		"Microsoft Office/16": "Microsoft Office/16",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0": "Edge",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                        "Firefox",
	} {
		assert.Equal(t, want, clientFamily(embedded(), agent), agent)
	}
}
