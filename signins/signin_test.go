package signins

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What marshals is read back, and judged the same.
func TestSignInAndVerdictReadBack(t *testing.T) {
	for _, record := range sampleRecords(t) {
		s, err := Parse(record)
		if err != nil {
			continue
		}
		for _, v := range []any{s, &s} {
			text, err := json.Marshal(v)
			require.NoError(t, err)
			var back SignIn
			require.NoError(t, json.Unmarshal(text, &back), string(text))
			require.Equal(t, s, back)
			verdict := Classify(&back)
			require.Equal(t, Classify(&s), verdict)
			text, err = json.Marshal(verdict)
			require.NoError(t, err)
			var verdictBack Verdict
			require.NoError(t, json.Unmarshal(text, &verdictBack))
			require.Equal(t, verdict, verdictBack)
		}
	}
	assert.Len(t, fieldNames, strings.Count(everyField(t), ",")+1)
	var s SignIn
	assert.EqualError(t, json.Unmarshal([]byte(`{"known":"id,nonsense"}`), &s), `signins: no such field: "nonsense"`)
	assert.EqualError(t, json.Unmarshal([]byte(`{"methods":"id"}`), &s), `signins: no such method: "id"`)
	_, err := Fields(1 << 60).MarshalText()
	assert.EqualError(t, err, "signins: no such field: 0x1000000000000000")
}

func everyField(t *testing.T) string {
	text, err := Fields(allFields).MarshalText()
	require.NoError(t, err)
	return string(text)
}

// Which application still uses EWS or the password grant has an answer.
func TestApplicationsByProtocol(t *testing.T) {
	log := `{"id":"1","createdDateTime":"2026-11-18T09:00:00Z","clientAppUsed":"Exchange Web Services","appId":"00000002-0000-0ff1-ce00-000000000000","appDisplayName":"Office 365 Exchange Online","userAgent":"ExchangeServicesClient/15.00","status":{"errorCode":0}}
{"id":"2","createdDateTime":"2026-11-18T09:00:00Z","clientAppUsed":"Exchange Web Services","appId":"a","appDisplayName":"Room booking","userAgent":"x","status":{"errorCode":50126}}
{"id":"3","createdDateTime":"2026-11-18T09:00:00Z","clientAppUsed":"Mobile Apps and Desktop clients","appId":"b","authenticationProtocol":"ropc","status":{"errorCode":0}}
{"id":"4","createdDateTime":"2026-11-18T09:00:00Z","clientAppUsed":"Browser","appId":"c","status":{"errorCode":0}}
`
	s, err := Summarize(Read(strings.NewReader(log)))
	require.NoError(t, err)
	want := map[string][]Tally{
		"exchange-web-services": {{"ExchangeServicesClient", 1, 1}, {"Room booking", 1, 0}},
		"ropc":                  {{"b", 1, 1}},
	}
	assert.Equal(t, want, s.ApplicationsByProtocol)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	var back Summary
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, want, back.ApplicationsByProtocol)
	require.NoError(t, s.Merge(&back))
	assert.Equal(t, Tally{"b", 2, 2}, s.ApplicationsByProtocol["ropc"][0])
}
