package signinstest

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

// Carries reports whether logs in the format f hold sign-ins like s at all:
// v1.0 of Microsoft Graph knows interactive users only, for one.
func Carries(f signins.Format, s *signins.SignIn) bool {
	user := s.Category == signins.InteractiveUser || s.Category == signins.NonInteractiveUser
	switch f {
	case signins.GraphBeta, signins.AzureMonitor, signins.EventHub:
		return true
	case signins.GraphV1, signins.PortalJSON, signins.LogAnalyticsCSV:
		return s.Category == signins.InteractiveUser
	case signins.PortalCSV, signins.LogAnalytics, signins.UnifiedAudit, signins.UnifiedAuditCSV, signins.Defender:
		return user
	}
	return false
}

// Write writes the log to w in the format f, without what f does not carry,
// as it comes: it takes no more memory than one record does, or one message of
// an event hub. It returns an error if f is no format, or w's.
func (t *Tenant) Write(w io.Writer, f signins.Format) error {
	return t.write(w, f, func(yield func(signins.SignIn) bool) {
		for s := range t.SignIns() {
			if Carries(f, &s) && !yield(s) {
				return
			}
		}
	})
}

func (t *Tenant) write(w io.Writer, f signins.Format, seq iter.Seq[signins.SignIn]) error {
	out := bufio.NewWriterSize(w, 1<<18)
	var err error
	switch f {
	case signins.GraphV1:
		err = t.array(out, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#auditLogs/signIns","value":[`, "]}", seq, t.graph)
	case signins.GraphBeta:
		err = t.array(out, `{"@odata.context":"https://graph.microsoft.com/beta/$metadata#auditLogs/signIns","value":[`, "]}", seq, t.graph)
	case signins.PortalJSON:
		err = t.array(out, "[", "]", seq, t.graph)
	case signins.UnifiedAudit:
		err = t.array(out, "[", "]", seq, func(o *object, s *signins.SignIn, _ signins.Format) { audit(o, s) })
	case signins.Defender:
		err = t.array(out, `{"Schema":[{"Name":"Timestamp","Type":"DateTime"},{"Name":"ErrorCode","Type":"Int32"}],"Results":[`, "]}", seq, defender)
	case signins.AzureMonitor:
		err = t.lines(out, seq, 1)
	case signins.EventHub:
		err = t.lines(out, seq, 20)
	case signins.LogAnalytics:
		err = t.table(out, seq)
	case signins.LogAnalyticsCSV, signins.PortalCSV, signins.UnifiedAuditCSV:
		err = t.csv(out, f, seq)
	default:
		err = fmt.Errorf("signinstest: there is no way to write %v", f)
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

// An object is a JSON object in the making.
type object struct{ bytes.Buffer }

func (o *object) key(k string) {
	if b := o.Bytes(); len(b) > 0 && b[len(b)-1] != '{' && b[len(b)-1] != '[' {
		o.WriteByte(',')
	}
	o.WriteByte('"')
	o.WriteString(k)
	o.WriteString(`":`)
}

func (o *object) str(k, v string) {
	o.key(k)
	o.text(v)
}

func (o *object) text(v string) {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(v) // a string always can be
			o.Write(quoted)
			return
		}
	}
	o.WriteByte('"')
	o.WriteString(v)
	o.WriteByte('"')
}

func (o *object) raw(k, v string) {
	o.key(k)
	o.WriteString(v)
}

func (o *object) num(k string, v int64) {
	o.key(k)
	o.Write(strconv.AppendInt(o.AvailableBuffer(), v, 10))
}

func (t *Tenant) array(w *bufio.Writer, head, tail string, seq iter.Seq[signins.SignIn], put func(*object, *signins.SignIn, signins.Format)) error {
	format := signins.GraphBeta
	if strings.Contains(head, "v1.0") {
		format = signins.GraphV1
	}
	w.WriteString(head)
	var o object
	first := true
	for s := range seq {
		if !first {
			w.WriteByte(',')
		}
		first = false
		o.Reset()
		o.WriteByte('{')
		put(&o, &s, format)
		o.WriteByte('}')
		if _, err := w.Write(o.Bytes()); err != nil {
			return err
		}
	}
	_, err := w.WriteString(tail)
	return err
}

// policies returns Conditional Access policies that make a record of size
// bytes as long as it is meant to be.
func (t *Tenant) policies(size int) string {
	const one = `{"id":"7a1e1d3c-5c0e-4a43-8f2c-6f0d1f3a2b10","displayName":"CA021: Require multifactor authentication for all users","enforcedGrantControls":["Mfa"],"enforcedSessionControls":[],"result":"notApplied","conditionsSatisfied":0,"conditionsNotSatisfied":0}`
	var list []string
	for size < t.RecordBytes {
		list = append(list, one)
		size += len(one) + 1
	}
	return "[" + strings.Join(list, ",") + "]"
}

const graphTime = "2006-01-02T15:04:05.9999999Z"

func (t *Tenant) graph(o *object, s *signins.SignIn, f signins.Format) {
	o.str("id", s.ID)
	o.str("createdDateTime", s.Time.Format(graphTime))
	o.str("userDisplayName", s.UserDisplayName)
	o.str("userPrincipalName", s.UserPrincipalName)
	o.str("userId", s.UserID)
	t.body(o, s, f)
	o.str("conditionalAccessStatus", conditionalAccess[s.ConditionalAccess])
	if f != signins.GraphV1 {
		kind := map[signins.Category]string{signins.InteractiveUser: "interactiveUser", signins.NonInteractiveUser: "nonInteractiveUser",
			signins.ServicePrincipal: "servicePrincipal", signins.ManagedIdentity: "managedIdentity"}[s.Category]
		o.raw("signInEventTypes", `["`+kind+`"]`)
		o.str("userType", s.UserType)
		o.str("servicePrincipalId", s.ServicePrincipalID)
		o.str("servicePrincipalName", s.ServicePrincipalName)
	}
	o.raw("appliedConditionalAccessPolicies", t.policies(o.Len()))
}

var conditionalAccess = [...]string{"unknownFutureValue", "success", "failure", "notApplied"}

// body writes what Graph and diagnostic settings have in common.
func (t *Tenant) body(o *object, s *signins.SignIn, f signins.Format) {
	o.str("appId", s.AppID)
	o.str("appDisplayName", s.AppDisplayName)
	o.str("ipAddress", s.IPAddress)
	if s.Category == signins.InteractiveUser || s.Category == signins.NonInteractiveUser {
		o.str("clientAppUsed", s.ClientAppUsed)
	}
	o.raw("isInteractive", strconv.FormatBool(s.Interactive == crossprem.Yes))
	o.str("riskDetail", "none")
	o.str("resourceDisplayName", s.ResourceDisplayName)
	o.str("resourceId", s.ResourceID)
	o.raw("status", status(s))
	o.raw("deviceDetail", device(s))
	o.raw("location", location(s))
	if f == signins.GraphV1 {
		return
	}
	o.str("userAgent", s.UserAgent)
	o.str("originalRequestId", s.ID)
	o.str("authenticationProtocol", s.AuthenticationProtocol)
	o.str("incomingTokenType", s.IncomingTokenType)
	o.str("originalTransferMethod", s.OriginalTransferMethod)
	o.str("clientCredentialType", s.ClientCredentialType)
	o.str("homeTenantId", s.HomeTenantID)
	o.str("resourceTenantId", s.ResourceTenantID)
	o.num("autonomousSystemNumber", int64(s.AutonomousSystemNumber))
	o.str("authenticationRequirement", s.AuthenticationRequirement)
	o.raw("authenticationProcessingDetails", `[{"key":"Legacy TLS (TLS 1.0, 1.1, 3DES)","value":"False"},{"key":"Is CAE Token","value":"False"}]`)
	o.raw("authenticationDetails", steps(s))
}

func status(s *signins.SignIn) string {
	var o object
	o.WriteByte('{')
	o.num("errorCode", int64(s.ErrorCode))
	if s.FailureReason != "" {
		o.str("failureReason", s.FailureReason)
	}
	o.WriteByte('}')
	return o.String()
}

func device(s *signins.SignIn) string {
	var o object
	o.WriteString(`{"deviceId":""`)
	o.str("operatingSystem", s.OperatingSystem)
	o.str("browser", s.Browser)
	o.WriteByte('}')
	return o.String()
}

func location(s *signins.SignIn) string {
	if s.CountryOrRegion == "" {
		return "{}"
	}
	var o object
	o.WriteByte('{')
	o.str("city", s.City)
	o.str("state", s.State)
	o.str("countryOrRegion", s.CountryOrRegion)
	o.raw("geoCoordinates", `{"latitude":52.09,"longitude":5.12}`)
	o.WriteByte('}')
	return o.String()
}

func steps(s *signins.SignIn) string {
	if s.AuthenticationMethod == "" {
		return "[]"
	}
	var o object
	o.WriteString("[{")
	o.str("authenticationStepDateTime", s.Time.Format(graphTime))
	o.str("authenticationMethod", s.AuthenticationMethod)
	o.str("authenticationMethodDetail", s.AuthenticationMethodDetail)
	o.raw("succeeded", strconv.FormatBool(s.ErrorCode == 0))
	o.WriteString("}]")
	return o.String()
}

var categories = map[signins.Category]string{
	signins.InteractiveUser: "SignInLogs", signins.NonInteractiveUser: "NonInteractiveUserSignInLogs",
	signins.ServicePrincipal: "ServicePrincipalSignInLogs", signins.ManagedIdentity: "ManagedIdentitySignInLogs",
}

// lines writes diagnostic records, one a line, or so many in a message.
func (t *Tenant) lines(w *bufio.Writer, seq iter.Seq[signins.SignIn], perMessage int) error {
	var o, p object
	n := 0
	for s := range seq {
		if n == 0 {
			o.Reset()
			if perMessage > 1 {
				o.WriteString(`{"records":[`)
			}
		} else {
			o.WriteByte(',')
		}
		n++
		o.WriteString(`{"time":"` + s.Time.Add(2*time.Minute).Format(graphTime) + `","resourceId":"/tenants/` + tenantID +
			`/providers/Microsoft.aadiam","operationName":"Sign-in activity","operationVersion":"1.0"`)
		o.str("category", categories[s.Category])
		o.str("tenantId", tenantID)
		o.str("resultType", strconv.Itoa(int(s.ErrorCode)))
		signature := "SUCCESS"
		if s.ErrorCode != 0 {
			signature = "FAILURE"
			o.str("resultDescription", s.FailureReason)
		}
		o.str("resultSignature", signature)
		o.num("durationMs", 0)
		if s.IPAddress != "" {
			o.str("callerIpAddress", s.IPAddress)
		}
		o.str("location", s.CountryOrRegion)
		p.Reset()
		p.WriteByte('{')
		p.str("id", s.ID)
		p.str("createdDateTime", s.Time.Format("2006-01-02T15:04:05.0000000-07:00"))
		if s.UserID != "" || s.UserPrincipalName != "" {
			p.str("userDisplayName", s.UserDisplayName)
			p.str("userPrincipalName", s.UserPrincipalName)
			p.str("userId", s.UserID)
			p.str("userType", "Member")
			p.str("conditionalAccessStatus", conditionalAccess[s.ConditionalAccess])
		} else {
			p.raw("userId", "null")
			p.str("servicePrincipalId", s.ServicePrincipalID)
			p.str("servicePrincipalName", s.ServicePrincipalName)
		}
		t.body(&p, &s, signins.AzureMonitor)
		p.raw("appliedConditionalAccessPolicies", t.policies(o.Len()+p.Len()))
		p.WriteByte('}')
		o.raw("properties", p.String())
		o.WriteByte('}')
		if n == perMessage {
			if perMessage > 1 {
				o.WriteString("]}")
			}
			o.WriteString("\r\n")
			if _, err := w.Write(o.Bytes()); err != nil {
				return err
			}
			n = 0
		}
	}
	if n > 0 {
		o.WriteString("]}\r\n")
		_, err := w.Write(o.Bytes())
		return err
	}
	return nil
}

func requestType(s *signins.SignIn) string {
	switch s.ClientAppUsed {
	case "Browser", "Mobile Apps and Desktop clients":
		return "OAuth2:Token"
	case "":
		return "Login:login"
	}
	return "OrgIdWsTrust2:process"
}

// audit writes a record of the unified audit log.
func audit(o *object, s *signins.SignIn) {
	operation, result := "UserLoggedIn", "Succeeded"
	if s.ErrorCode != 0 {
		operation, result = "UserLoginFailed", "Failed"
	}
	o.str("CreationTime", s.Time.Format("2006-01-02T15:04:05"))
	o.str("Id", s.ID)
	o.str("Operation", operation)
	o.str("OrganizationId", tenantID)
	o.num("RecordType", 15)
	o.str("ResultStatus", result)
	o.str("UserKey", orNone(s.UserID))
	o.num("UserType", 0)
	o.str("Workload", "AzureActiveDirectory")
	o.str("ClientIP", s.IPAddress)
	o.str("UserId", s.UserPrincipalName)
	o.num("AzureActiveDirectoryEventType", 1)
	o.key("ExtendedProperties")
	o.WriteString(`[{"Name":"UserAgent","Value":`)
	o.text(s.UserAgent)
	o.WriteString(`},{"Name":"RequestType","Value":"` + requestType(s) + `"}]`)
	o.str("ActorIpAddress", s.IPAddress)
	o.str("ApplicationId", s.AppID)
	o.str("ErrorNumber", strconv.Itoa(int(s.ErrorCode)))
}

func orNone(id string) string {
	if id == "" {
		return "Not Available"
	}
	return id
}

// defender writes a row of EntraIdSignInEvents.
func defender(o *object, s *signins.SignIn, _ signins.Format) {
	logon := "interactiveUser"
	if s.Category == signins.NonInteractiveUser {
		logon = "nonInteractiveUser"
	}
	o.str("Timestamp", s.Time.Format("2006-01-02T15:04:05.000Z"))
	o.str("Application", s.AppDisplayName)
	o.str("ApplicationId", s.AppID)
	o.str("LogonType", `["`+logon+`"]`)
	o.str("EndpointCall", requestType(s))
	o.num("ErrorCode", int64(s.ErrorCode))
	o.str("AccountDisplayName", s.UserDisplayName)
	o.str("AccountObjectId", s.UserID)
	o.str("AccountUpn", s.UserPrincipalName)
	o.str("ResourceDisplayName", s.ResourceDisplayName)
	o.str("ResourceId", s.ResourceID)
	o.str("ResourceTenantId", s.ResourceTenantID)
	o.str("AuthenticationRequirement", s.AuthenticationRequirement)
	o.str("UserAgent", s.UserAgent)
	o.str("ClientAppUsed", s.ClientAppUsed)
	o.num("ConditionalAccessStatus", map[signins.ConditionalAccess]int64{
		signins.ConditionalAccessSuccess: 0, signins.ConditionalAccessFailure: 1, signins.ConditionalAccessNotApplied: 2}[s.ConditionalAccess])
	o.str("IPAddress", s.IPAddress)
	o.str("Country", s.CountryOrRegion)
	o.str("State", s.State)
	o.str("City", s.City)
	o.str("RequestId", s.ID)
}

// A column is one of a Log Analytics table, and how a sign-in fills it.
type column struct {
	name, kind string
	value      func(*signins.SignIn) string
}

var columns = []column{
	{"TenantId", "string", func(*signins.SignIn) string { return tenantID }},
	{"TimeGenerated", "datetime", func(s *signins.SignIn) string { return s.Time.Format(graphTime) }},
	{"Category", "string", func(s *signins.SignIn) string { return categories[s.Category] }},
	{"ResultType", "string", func(s *signins.SignIn) string { return strconv.Itoa(int(s.ErrorCode)) }},
	{"ResultDescription", "string", func(s *signins.SignIn) string { return s.FailureReason }},
	{"Identity", "string", func(s *signins.SignIn) string { return s.UserDisplayName }},
	{"AppDisplayName", "string", func(s *signins.SignIn) string { return s.AppDisplayName }},
	{"AppId", "string", func(s *signins.SignIn) string { return s.AppID }},
	{"AuthenticationDetails", "string", steps},
	{"AuthenticationProtocol", "string", func(s *signins.SignIn) string { return s.AuthenticationProtocol }},
	{"AuthenticationRequirement", "string", func(s *signins.SignIn) string { return s.AuthenticationRequirement }},
	{"AutonomousSystemNumber", "string", func(s *signins.SignIn) string { return strconv.Itoa(int(s.AutonomousSystemNumber)) }},
	{"ClientAppUsed", "string", func(s *signins.SignIn) string { return s.ClientAppUsed }},
	{"ConditionalAccessStatus", "string", func(s *signins.SignIn) string { return conditionalAccess[s.ConditionalAccess] }},
	{"CreatedDateTime", "datetime", func(s *signins.SignIn) string { return s.Time.Format(graphTime) }},
	{"DeviceDetail", "dynamic", device},
	{"HomeTenantId", "string", func(s *signins.SignIn) string { return s.HomeTenantID }},
	{"Id", "string", func(s *signins.SignIn) string { return s.ID }},
	{"IncomingTokenType", "string", func(s *signins.SignIn) string { return s.IncomingTokenType }},
	{"IPAddress", "string", func(s *signins.SignIn) string { return s.IPAddress }},
	{"IsInteractive", "bool", func(s *signins.SignIn) string { return strconv.FormatBool(s.Interactive == crossprem.Yes) }},
	{"LocationDetails", "dynamic", location},
	{"OriginalTransferMethod", "string", func(s *signins.SignIn) string { return s.OriginalTransferMethod }},
	{"ResourceDisplayName", "string", func(s *signins.SignIn) string { return s.ResourceDisplayName }},
	{"ResourceIdentity", "string", func(s *signins.SignIn) string { return s.ResourceID }},
	{"ResourceTenantId", "string", func(s *signins.SignIn) string { return s.ResourceTenantID }},
	{"Status", "dynamic", status},
	{"UserAgent", "string", func(s *signins.SignIn) string { return s.UserAgent }},
	{"UserDisplayName", "string", func(s *signins.SignIn) string { return s.UserDisplayName }},
	{"UserId", "string", func(s *signins.SignIn) string { return s.UserID }},
	{"UserPrincipalName", "string", func(s *signins.SignIn) string { return s.UserPrincipalName }},
	{"UserType", "string", func(s *signins.SignIn) string { return "Member" }},
	{"Type", "string", func(s *signins.SignIn) string { return "SigninLogs" }},
}

// table writes the answer of a Log Analytics query.
func (t *Tenant) table(w *bufio.Writer, seq iter.Seq[signins.SignIn]) error {
	w.WriteString(`{"tables":[{"name":"PrimaryResult","columns":[`)
	for i, c := range columns {
		if i > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(w, `{"name":%q,"type":%q}`, c.name, c.kind)
	}
	w.WriteString(`],"rows":[`)
	var o object
	first := true
	for s := range seq {
		o.Reset()
		if !first {
			o.WriteByte(',')
		}
		first = false
		for i, c := range columns {
			o.WriteByte("[,"[min(i, 1)])
			if v := c.value(&s); c.kind == "bool" {
				o.WriteString(v)
			} else {
				o.text(v)
			}
		}
		o.WriteByte(']')
		if _, err := w.Write(o.Bytes()); err != nil {
			return err
		}
	}
	_, err := w.WriteString("]}]}")
	return err
}

// The columns of the admin centre's download, in its own spelling.
var portalHeader = []string{"Date (UTC)", "Request ID", "User agent", "Correlation ID", "User ID", "User", "Username", "User type",
	"Cross tenant access type", "Incoming token type", "Authentication Protocol", "Original transfer method", "Client credential type",
	"Application", "Application ID ", "Resource", "Resource ID ", "Resource tenant ID", "Home tenant ID", "IP address", "Location", "Status",
	"Sign-in error code", "Failure reason", "Client app", "Browser", "Operating System", "Authentication requirement",
	"Autonomous system  number", "Incoming token type", "Conditional Access"}

func portalRow(s *signins.SignIn) []string {
	status, code := "Success", ""
	if s.ErrorCode != 0 {
		status, code = "Failure", strconv.Itoa(int(s.ErrorCode))
	}
	policies := [...]string{"", "Success", "Failure", "Not Applied"}[s.ConditionalAccess]
	return []string{s.Time.Format("2006-01-02T15:04:05Z"), s.ID, s.UserAgent, "", s.UserID, s.UserDisplayName, s.UserPrincipalName, "Member",
		"none", s.IncomingTokenType, s.AuthenticationProtocol, s.OriginalTransferMethod, s.ClientCredentialType,
		s.AppDisplayName, s.AppID, s.ResourceDisplayName, s.ResourceID, s.ResourceTenantID, s.HomeTenantID, s.IPAddress,
		strings.Join([]string{s.City, s.State, s.CountryOrRegion}, ", "), status,
		code, s.FailureReason, s.ClientAppUsed, s.Browser, s.OperatingSystem, s.AuthenticationRequirement,
		strconv.Itoa(int(s.AutonomousSystemNumber)), s.IncomingTokenType, policies}
}

func (t *Tenant) csv(w *bufio.Writer, f signins.Format, seq iter.Seq[signins.SignIn]) error {
	out := csv.NewWriter(w)
	header, row := portalHeader, portalRow
	switch f {
	case signins.PortalCSV:
		w.WriteString("\ufeff")
	case signins.LogAnalyticsCSV:
		header = nil
		for _, c := range columns {
			if c.kind == "datetime" {
				c.name += " [UTC]"
			}
			header = append(header, c.name)
		}
		row = func(s *signins.SignIn) (fields []string) {
			for _, c := range columns {
				v := c.value(s)
				if c.kind == "datetime" {
					v = s.Time.Format("1/2/2006, 3:04:05.000 PM")
				}
				fields = append(fields, v)
			}
			return fields
		}
	case signins.UnifiedAuditCSV:
		header = []string{"RecordType", "CreationDate", "UserIds", "Operations", "AuditData", "Identity"}
		row = func(s *signins.SignIn) []string {
			var o object
			o.WriteByte('{')
			audit(&o, s)
			o.WriteByte('}')
			return []string{"AzureActiveDirectoryStsLogon", s.Time.Format("1/2/2006 3:04:05 PM"), s.UserPrincipalName, "UserLoggedIn", o.String(), s.ID}
		}
	}
	if err := out.Write(header); err != nil {
		return err
	}
	for s := range seq {
		if err := out.Write(row(&s)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
