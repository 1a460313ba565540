package hybridoauth

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
	"github.com/crossprem/crossprem/internal/exchange"
)

// A TestResult is how a connectivity test came out. In text and JSON it is one
// of "unknown", "success" and "failure".
type TestResult uint8

const (
	TestUnknown TestResult = iota // not shown, or in words that are not known
	TestSuccess
	TestFailure
)

var testResults = enum.Of[TestResult]("hybridoauth: result of a test", "unknown", "success", "failure")

// String returns the text of r.
func (r TestResult) String() string { return testResults.String(r) }

// MarshalText returns the text of r, and an error for no constant.
func (r TestResult) MarshalText() ([]byte, error) { return testResults.Marshal(r) }

// UnmarshalText reads what MarshalText writes.
func (r *TestResult) UnmarshalText(text []byte) error { return testResults.Unmarshal(r, text) }

// A Fault is the side on which a connectivity test failed. In text and JSON it
// is one of "unknown", "on-premises", "network", "entra-id" and "exchange-online".
type Fault uint8

const (
	FaultUnknown        Fault = iota
	FaultOnPremises           // the Exchange servers and their configuration
	FaultNetwork              // a proxy, firewall or device on the way
	FaultEntraID              // an application, principal or key in Entra ID
	FaultExchangeOnline       // what Exchange Online lets in
)

var faults = enum.Of[Fault]("hybridoauth: fault", "unknown", "on-premises", "network", "entra-id", "exchange-online")

// String returns the text of f.
func (f Fault) String() string { return faults.String(f) }

// MarshalText returns the text of f, and an error for no constant.
func (f Fault) MarshalText() ([]byte, error) { return faults.Marshal(f) }

// UnmarshalText reads what MarshalText writes.
func (f *Fault) UnmarshalText(text []byte) error { return faults.Unmarshal(f, text) }

// A ConnectivityTest is what one run of Test-OAuthConnectivity says. Its
// IsValid is always True and so says nothing: Result is that of ResultType.
type ConnectivityTest struct {
	Task   string     `json:"task,omitempty"` // in the language of the server
	Result TestResult `json:"result"`

	// DetailKnown reports whether Detail was captured whole. A table cuts it.
	DetailKnown bool `json:"detailKnown"`

	// ApplicationID is the application as which Exchange asked; "" if Detail
	// does not name it. Shared reports whether that was the shared Exchange
	// Online application.
	ApplicationID string           `json:"applicationId,omitempty"`
	Shared        crossprem.Answer `json:"shared"`

	Target          string `json:"target,omitempty"` // the address that was asked
	AuthServer      string `json:"authServer,omitempty"`
	Resource        string `json:"resource,omitempty"`
	ClientRequestID string `json:"clientRequestId,omitempty"`

	// NeverLoaded reports whether the configuration was never loaded before in
	// this process: the date is 1/1/0001.
	NeverLoaded bool `json:"neverLoaded"`

	// Steps are the lines of the log, in order.
	Steps []TestStep `json:"steps,omitempty"`

	// Fault is where the most exact error lies, and Errors are all of them.
	Fault  Fault         `json:"fault"`
	Errors []Explanation `json:"errors,omitempty"`
}

// A TestStep is one line of the log of a test.
type TestStep struct {
	Stage  string `json:"stage"` // such as "OAuthTokenBuilder:GetAppToken"; "" if it names none
	Text   string `json:"text"`
	Failed bool   `json:"failed"`
}

// FromCloud reports whether the test asked an address that is not one of
// Microsoft's, so that it ran in Exchange Online.
func (t ConnectivityTest) FromCloud() bool {
	host := exchange.HostOf(t.Target)
	return t.Target != "" && host != "" && !exchange.IsMicrosoft(host)
}

// ErrNoTest reports a text that holds no output of Test-OAuthConnectivity.
var ErrNoTest = errors.New("hybridoauth: no output of Test-OAuthConnectivity in here")

// ExplainConnectivityTest reads the output of Test-OAuthConnectivity, pasted
// in any shape and language, one result for each test. It returns [ErrNoTest]
// if there is none, and the error of a broken JSON or CLIXML.
func ExplainConnectivityTest(text string) ([]ConnectivityTest, error) {
	var c Configuration
	if err := c.Add("", []byte(text)); err != nil {
		return nil, err
	}
	var tests []ConnectivityTest
	for _, o := range c.Objects {
		if o.Kind == exchange.ConnectivityTest {
			tests = append(tests, explainTest(o))
		}
	}
	if len(tests) == 0 {
		return nil, ErrNoTest
	}
	return tests, nil
}

var (
	targetURL   = regexp.MustCompile(`(?i)(?:challenge from|send request to|request to)\s+'(https?://[^'\s]+)'`)
	applogID    = regexp.MustCompile(`\bL:\s?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})-AS:`)
	authServer  = regexp.MustCompile(`(?i)auth server '([^']+)'`)
	forResource = regexp.MustCompile(`(?i)for (?:the )?resource '([^']+)'`)
	requestID   = regexp.MustCompile(`(?i)(?:client request id|solicitud de cliente|request[- ]id)[^0-9a-f]{1,20}([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})`)
	neverLoaded = regexp.MustCompile(`\b(?:0?1[/.-]\s?0?1[/.-]\s?0001|0001[/.-]0?1[/.-]0?1)\b`)
	logLine     = regexp.MustCompile(`^(Information|Error|Warning)\s*:\s*(?:\[([A-Za-z:.]+)\]\s*)?(.*)$`)
)

const maxSteps = 500

func explainTest(o Object) ConnectivityTest {
	detail := o.Get("Detail")
	text := detail.text
	t := ConnectivityTest{Task: clean(o.Get("Task").scalar()), DetailKnown: detail.IsKnown()}
	switch result := o.Get("ResultType"); {
	case !result.IsKnown():
	case strings.EqualFold(result.scalar(), "Success"):
		t.Result = TestSuccess
	case strings.EqualFold(result.scalar(), "Error"), strings.EqualFold(result.scalar(), "Failure"), strings.EqualFold(result.scalar(), "Warning"):
		t.Result = TestFailure
	}
	first := func(re *regexp.Regexp) string {
		if m := re.FindStringSubmatch(text); m != nil {
			return clean(m[1])
		}
		return ""
	}
	t.Target, t.AuthServer, t.Resource, t.ClientRequestID = first(targetURL), first(authServer), first(forResource), strings.ToLower(first(requestID))
	if dense := strings.Join(strings.Fields(text), ""); t.DetailKnown {
		if m := applogID.FindStringSubmatch(dense); m != nil {
			t.ApplicationID = strings.ToLower(m[1])
			t.Shared = crossprem.AnswerOf(t.ApplicationID == sharedApp)
		}
	}
	t.NeverLoaded = neverLoaded.MatchString(text)
	for line := range strings.Lines(text) {
		m := logLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || len(t.Steps) == maxSteps {
			continue
		}
		t.Steps = append(t.Steps, TestStep{Stage: m[2], Text: clean(m[3]), Failed: m[1] == "Error"})
	}
	t.Errors = ExplainError(text)
	if t.Result != TestSuccess && len(t.Errors) > 0 {
		t.Fault = t.faultOf(t.Errors[0])
	}
	return t
}

// faultOf says on which side an error lies.
func (t ConnectivityTest) faultOf(e Explanation) Fault {
	receiver := FaultExchangeOnline
	if t.FromCloud() {
		receiver = FaultOnPremises
	}
	switch {
	case slices.Contains([]string{"H-403PROXY", "H-DNS", "H-CONN", "H-RESET", "H-TIMEOUT", "H-TRUST", "H-TLS"}, e.ID):
		return FaultNetwork
	case e.Kind == "aadsts", e.Kind == "graph":
		return FaultEntraID
	case e.Kind == "outbound", e.Kind == "eventlog", e.Kind == "authserver", e.Kind == "hcw":
		return FaultOnPremises
	case e.ID == "H-403BLOCK": // the servers still ask as the shared principal
		return FaultOnPremises
	case strings.HasPrefix(e.Kind, "x-ms-diagnostics"), e.Kind == "soap":
		return receiver
	}
	return FaultUnknown
}
