package crossprem_test

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/peer"
)

var (
	judgedFor = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)

	pipelineRules = func() *crossprem.Rules {
		var rules crossprem.Rules
		rules.Declare(crossprem.Rule{ID: "key-old", Severity: crossprem.Critical, Title: "The key is old", PassedTitle: "The key is not old", Remedy: "Make a new key.", Sources: []string{"RFC 5280"}})
		rules.Declare(crossprem.Rule{ID: "agent-odd", Severity: crossprem.Warning, Title: "A user agent is odd", PassedTitle: "No user agent is odd", Sources: []string{"RFC 9110 §10.1.5"}})
		return &rules
	}()

	hostile = `=HYPERLINK("http://x","y")</td><script>alert(1)</script>|` + "`code`\n# heading\x1b[31m\u202e[a](http://www.example.test) bob@contoso.test"
)

func pipelineFindings() []crossprem.Finding {
	old, _ := pipelineRules.Rule("key-old")
	odd, _ := pipelineRules.Rule("agent-odd")
	return []crossprem.Finding{
		old.Failed("EX1").WithPart("AB/12").Explain("It ends on {day} for {users} users.", crossprem.Val("day", judgedFor.AddDate(0, 0, 9)), crossprem.Val("users", 3)).DueOn(judgedFor.AddDate(0, 0, 9), judgedFor),
		odd.Failed(hostile).Explain(hostile),
		old.Unknown("EX2", "The key was not read."),
		odd.Passed("tenant").Explain("3 agents were looked at."),
	}
}

func TestSARIF(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, crossprem.WriteSARIF(&out, pipelineFindings(), pipelineRules.All(), judgedFor))
	var log struct {
		Runs []struct {
			Tool struct {
				Driver struct {
					Rules []struct{ ID string }
				}
			}
			Results []struct {
				RuleID, Kind, Level string
				RuleIndex           int
				PartialFingerprints map[string]string
				Properties          struct{ Finding crossprem.Finding }
			}
		}
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &log))
	require.Len(t, log.Runs, 1)
	for i, f := range pipelineFindings() {
		r := log.Runs[0].Results[i]
		assert.Equal(t, f, r.Properties.Finding, "nothing of a finding is lost")
		assert.Equal(t, f.Key(), r.PartialFingerprints["findingKey/v1"])
		assert.Equal(t, f.Rule, log.Runs[0].Tool.Driver.Rules[r.RuleIndex].ID)
		assert.Equal(t, map[crossprem.Status]string{crossprem.Failed: "fail", crossprem.Passed: "pass", crossprem.Unknown: "open"}[f.Status], r.Kind)
		assert.Equal(t, r.Kind != "fail", r.Level == "none")
	}
	out.Reset()
	require.NoError(t, crossprem.WriteSARIF(&out, nil, nil, judgedFor))
	assert.Contains(t, out.String(), `"results": []`, "no findings are an empty list, not null")
}

// TestSARIFValidator lets Microsoft's own validator read what WriteSARIF writes.
func TestSARIFValidator(t *testing.T) {
	multitool := peer.NPM(t, "@microsoft/sarif-multitool-linux", "Sarif.Multitool")
	dir := t.TempDir()
	var out bytes.Buffer
	require.NoError(t, crossprem.WriteSARIF(&out, pipelineFindings(), pipelineRules.All(), judgedFor))
	require.NoError(t, os.Chmod(multitool, 0o755)) // the package leaves that to a script
	complaints := func(name string, content []byte) []string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, content, 0o644))
		cmd := exec.CommandContext(t.Context(), multitool, "validate", file, "--kind", "Fail", "--level", "Error;Warning")
		// The proxy keeps the tool from asking for the schema on the network.
		cmd.Env = append(os.Environ(), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1", "HTTPS_PROXY=http://127.0.0.1:9", "HTTP_PROXY=http://127.0.0.1:9")
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, string(text))
		require.Contains(t, string(text), "Analysis completed successfully")
		return regexp.MustCompile(`: (?:error|warning) .*`).FindAllString(string(text), -1)
	}
	assert.Empty(t, complaints("good.sarif", out.Bytes()))
	for _, breakIt := range [][2]string{{`"ruleIndex": 1`, `"ruleIndex": 7`}, {`"results": [`, `"resultz": [`}, {`"executionSuccessful": true,`, ``}} {
		broken := strings.Replace(out.String(), breakIt[0], breakIt[1], 1)
		require.NotEqual(t, out.String(), broken)
		assert.NotEmpty(t, complaints("bad.sarif", []byte(broken)), "without %s", breakIt[0])
	}
}

// The attributes that the class Compliance Finding and its objects require, and
// the values that their enumerations have, in OCSF 1.3.0.
func TestOCSF(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, crossprem.WriteOCSF(&out, pipelineFindings(), judgedFor))
	lines := bufio.NewScanner(&out)
	var events []map[string]any
	for lines.Scan() {
		var event map[string]any
		require.NoError(t, json.Unmarshal(lines.Bytes(), &event))
		events = append(events, event)
	}
	require.Len(t, events, len(pipelineFindings()))
	for i, event := range events {
		assert.Empty(t, ocsfProblems(event))
		f := pipelineFindings()[i]
		info := event["finding_info"].(map[string]any)
		assert.Equal(t, f.Key(), info["uid"])
		rule, subject, part, err := crossprem.ParseKey(info["uid"].(string))
		require.NoError(t, err)
		assert.Equal(t, []string{f.Rule, f.Subject, f.Part}, []string{rule, subject, part})
	}
	for path := range ocsfRequired {
		broken := clone(t, events[0])
		remove(broken, path)
		assert.NotEmpty(t, ocsfProblems(broken), "without %s", path)
	}
	broken := clone(t, events[0])
	broken["severity_id"] = 17.0
	assert.NotEmpty(t, ocsfProblems(broken))
	assert.Error(t, crossprem.WriteOCSF(&out, []crossprem.Finding{{Status: 9}}, judgedFor))
}

// ocsfRequired are the required attributes, and the values that they may have
// where those are enumerated.
var ocsfRequired = map[string][]float64{
	"activity_id": {0, 1, 2, 3, 99}, "category_uid": {2}, "class_uid": {2003}, "type_uid": {200300, 200301, 200302, 200303, 200399},
	"severity_id": {0, 1, 2, 3, 4, 5, 6, 99}, "time": nil,
	"metadata": nil, "metadata.version": nil, "metadata.product": nil, "metadata.product.vendor_name": nil,
	"finding_info": nil, "finding_info.uid": nil, "finding_info.title": nil,
	"compliance": nil, "compliance.standards": nil, "compliance.status_id": {0, 1, 2, 3, 99},
}

func ocsfProblems(event map[string]any) (problems []string) {
	for path, values := range ocsfRequired {
		v, ok := lookUp(event, path)
		if !ok || v == "" {
			problems = append(problems, path+" is missing")
			continue
		}
		if values == nil {
			continue
		}
		n, isNumber := v.(float64)
		ok = false
		for _, want := range values {
			ok = ok || isNumber && n == want
		}
		if !ok {
			problems = append(problems, path+" has a value outside its enumeration")
		}
	}
	if class, activity := event["class_uid"], event["activity_id"]; class != nil && activity != nil && event["type_uid"] != class.(float64)*100+activity.(float64) {
		problems = append(problems, "type_uid is not class_uid * 100 + activity_id")
	}
	if r, ok := event["remediation"].(map[string]any); ok && r["desc"] == nil {
		problems = append(problems, "remediation.desc is missing")
	}
	return problems
}

func lookUp(event map[string]any, path string) (any, bool) {
	var v any = event
	for _, name := range strings.Split(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = object[name]; !ok {
			return nil, false
		}
	}
	return v, true
}

func remove(event map[string]any, path string) {
	parent, name, nested := strings.Cut(path, ".")
	if nested {
		remove(event[parent].(map[string]any), name)
		return
	}
	delete(event, path)
}

func clone(t *testing.T, event map[string]any) (copied map[string]any) {
	b, err := json.Marshal(event)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &copied))
	return copied
}

func TestCSVHoldsNoFormula(t *testing.T) {
	var out bytes.Buffer
	findings := pipelineFindings()
	for _, start := range []string{"=1", "+1", "-1", "@x", "\tx", "\rx", "\nx"} {
		findings = append(findings, crossprem.Finding{Rule: "r", Subject: start})
	}
	require.NoError(t, crossprem.WriteCSV(&out, findings))
	rows, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(findings)+1)
	for i, row := range rows[1:] {
		for _, cell := range row {
			if cell != "" {
				assert.NotContains(t, "=+-@\t\r\n", cell[:1])
			}
		}
		rule, _, _, err := crossprem.ParseKey(row[0])
		require.NoError(t, err)
		assert.Equal(t, findings[i].Rule, rule)
		assert.Equal(t, findings[i].Key(), row[0], "the key survives")
	}
}

func TestMarkdownEscapes(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, crossprem.WriteMarkdown(&out, pipelineFindings(), judgedFor))
	text := out.String()
	assert.Contains(t, text, "# Findings for 2026-11-26\n\n2 failed, 1 not known, 1 passed.\n")
	assert.Contains(t, text, "| critical | 2026-12-05 | The key is old | EX1 \\(AB/12\\) |")
	assert.Contains(t, text, "```\nMake a new key.\n```")
	for _, bad := range []string{"<script", "\x1b", "\u202e", "[a](", "http://www", "bob@", "\n# heading", "|`code`"} {
		assert.NotContains(t, text, bad)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWritersReturnTheErrorOfTheWriter(t *testing.T) {
	f := pipelineFindings()
	for name, err := range map[string]error{
		"sarif": crossprem.WriteSARIF(fullDisk{}, f, nil, judgedFor), "ocsf": crossprem.WriteOCSF(fullDisk{}, f, judgedFor),
		"csv": crossprem.WriteCSV(fullDisk{}, f), "markdown": crossprem.WriteMarkdown(fullDisk{}, f, judgedFor),
	} {
		assert.ErrorContains(t, err, "no space left", name)
	}
}
