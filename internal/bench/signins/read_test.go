package signins

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	gojson "github.com/goccy/go-json"
	kiota "github.com/microsoft/kiota-serialization-json-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"golang.org/x/sys/unix"

	"github.com/crossprem/crossprem/signins"
)

// A record has the members that signins.Summarize needs, for the peers that
// decode into structs.
type record struct {
	Category   string `json:"category"`
	ResultType string `json:"resultType"`
	Properties struct {
		ID                            string `json:"id"`
		CorrelationID                 string `json:"correlationId"`
		CreatedDateTime               string `json:"createdDateTime"`
		UserID                        string `json:"userId"`
		UserPrincipalName             string `json:"userPrincipalName"`
		UserDisplayName               string `json:"userDisplayName"`
		UserType                      string `json:"userType"`
		ServicePrincipalID            string `json:"servicePrincipalId"`
		ServicePrincipalName          string `json:"servicePrincipalName"`
		AppID                         string `json:"appId"`
		AppDisplayName                string `json:"appDisplayName"`
		ResourceID                    string `json:"resourceId"`
		ResourceDisplayName           string `json:"resourceDisplayName"`
		ClientAppUsed                 string `json:"clientAppUsed"`
		UserAgent                     string `json:"userAgent"`
		AuthenticationProtocol        string `json:"authenticationProtocol"`
		IncomingTokenType             string `json:"incomingTokenType"`
		OriginalTransferMethod        string `json:"originalTransferMethod"`
		ClientCredentialType          string `json:"clientCredentialType"`
		AuthenticationRequirement     string `json:"authenticationRequirement"`
		IPAddress                     string `json:"ipAddress"`
		IPAddressFromResourceProvider string `json:"ipAddressFromResourceProvider"`
		AutonomousSystemNumber        uint32 `json:"autonomousSystemNumber"`
		IsInteractive                 *bool  `json:"isInteractive"`
		ConditionalAccessStatus       string `json:"conditionalAccessStatus"`
		HomeTenantID                  string `json:"homeTenantId"`
		ResourceTenantID              string `json:"resourceTenantId"`
		Location                      struct {
			City            string `json:"city"`
			State           string `json:"state"`
			CountryOrRegion string `json:"countryOrRegion"`
		} `json:"location"`
		Status struct {
			ErrorCode     *int32 `json:"errorCode"`
			FailureReason string `json:"failureReason"`
		} `json:"status"`
		DeviceDetail struct {
			OperatingSystem string `json:"operatingSystem"`
			Browser         string `json:"browser"`
		} `json:"deviceDetail"`
		AuthenticationDetails []struct {
			AuthenticationMethod       string `json:"authenticationMethod"`
			AuthenticationMethodDetail string `json:"authenticationMethodDetail"`
		} `json:"authenticationDetails"`
	} `json:"properties"`
}

// paths are ten of those members, for the peer that looks them up one by one.
var paths = []string{
	"category", "properties.id", "properties.createdDateTime", "properties.userPrincipalName", "properties.appDisplayName",
	"properties.clientAppUsed", "properties.userAgent", "properties.ipAddress", "properties.status.errorCode", "properties.location.countryOrRegion",
}

// unmarshal reads the lines of text into records with an Unmarshal function.
func unmarshal(unmarshal func([]byte, any) error) func([]byte) (int, error) {
	return func(text []byte) (n int, err error) {
		for line := range bytes.Lines(text) {
			var r record
			if err := unmarshal(line, &r); err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
}

// A peer reads all lines of text and returns how many records it found.
type peer struct {
	name string
	read func(text []byte) (int, error)
}

var peers = []peer{
	{"ours", func(text []byte) (n int, err error) {
		for _, err := range signins.Read(bytes.NewReader(text)) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}},
	{"ours-summarize", func(text []byte) (n int, err error) {
		s, err := signins.Summarize(signins.Read(bytes.NewReader(text)))
		if err != nil {
			return 0, err
		}
		return int(s.Records), nil
	}},
	{"encoding-json", unmarshal(json.Unmarshal)},
	{"goccy", unmarshal(gojson.Unmarshal)},
	{"gjson", func(text []byte) (n int, err error) {
		for line := range bytes.Lines(text) {
			for _, v := range gjson.GetManyBytes(line, paths...) {
				_ = v.String()
			}
			n++
		}
		return n, nil
	}},
	{"sdk-models", func(text []byte) (n int, err error) {
		for line := range bytes.Lines(text) {
			// The SDK knows Graph's resource, which lies in the properties.
			properties := line[bytes.Index(line, []byte(`"properties":`))+len(`"properties":`):]
			node, err := kiota.NewJsonParseNode(bytes.TrimSuffix(bytes.TrimSpace(properties), []byte("}")))
			if err != nil {
				return n, err
			}
			if _, err := node.GetObjectValue(models.CreateSignInFromDiscriminatorValue); err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}},
}

// sizes are those of the logs to be read, and of their records.
var sizes = []struct {
	name  string
	large bool
	bytes int
}{
	{"2.8KB", false, 256 << 20},
	{"11.5KB", true, 256 << 20},
}

// BenchmarkRead reads the same 256 MB with each of the peers. The slow ones
// read the first 16 MB of them.
func BenchmarkRead(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			text, _ := generate(1, size.large, size.bytes)
			for _, p := range peers {
				text := text
				if p.name == "encoding-json" || p.name == "sdk-models" {
					text = text[:bytes.LastIndexByte(text[:16<<20], '\n')+1]
				}
				b.Run(p.name, func(b *testing.B) {
					b.SetBytes(int64(len(text)))
					b.ReportAllocs()
					records := 0
					begin := processorTime(b)
					for b.Loop() {
						n, err := p.read(text)
						require.NoError(b, err)
						records += n
					}
					// On a machine that others use too, the time of the processor
					// tells more than that of the clock.
					used := (processorTime(b) - begin).Seconds()
					b.ReportMetric(float64(len(text))*float64(b.N)/used/1e6, "MB/cpu-s")
					b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
				})
			}
		})
	}
}

// processorTime returns the time that this process has spent on processors.
func processorTime(tb testing.TB) time.Duration {
	var u unix.Rusage
	require.NoError(tb, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestPeers checks that all peers find all records.
func TestPeers(t *testing.T) {
	for _, size := range sizes {
		text, records := generate(1, size.large, 2<<20)
		t.Logf("%s: %d bytes each", size.name, len(text)/records)
		for _, p := range peers {
			n, err := p.read(text)
			require.NoError(t, err, p.name)
			require.Equal(t, records, n, p.name)
		}
	}
}
