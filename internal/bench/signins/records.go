// Package signins compares package signins with its peers, on the same
// generated sign-in logs and in one run.
package signins

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// A generator writes records of diagnostic settings as they lie in storage:
// one JSON object a line. Records of small logs have one Conditional Access
// policy or none, those of large ones some twenty, which makes 2.8 KB and
// 11.5 KB, the average that Microsoft tells to reckon with.
type generator struct {
	rand     *rand.Rand
	at       time.Time
	users    *rand.Zipf
	places   *rand.Zipf
	policies []policy
	large    bool
}

type policy struct{ id, name, controls string }

func newGenerator(seed uint64, large bool) *generator {
	r := rand.New(rand.NewPCG(seed, 1))
	g := &generator{
		rand:   r,
		at:     time.Date(2026, 11, 18, 8, 0, 0, 0, time.UTC),
		users:  rand.NewZipf(r, 1.2, 20, 20000),
		places: rand.NewZipf(r, 1.3, 5, 3000),
		large:  large,
	}
	for k := range 22 {
		g.policies = append(g.policies, policy{
			id:       g.guid(),
			name:     fmt.Sprintf("CA%03d - %s", k, pick(r, "Require MFA for all users", "Block legacy authentication", "Require compliant device", "Block unknown platforms", "Sign-in frequency for administrators")),
			controls: pick(r, `["Mfa"]`, `["Block"]`, `["RequireCompliantDevice"]`, `["Mfa","RequireCompliantDevice"]`, `[]`),
		})
	}
	return g
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

func (g *generator) guid() string {
	a, b := g.rand.Uint64(), g.rand.Uint64()
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48), uint16(b), b>>16)
}

// fixed returns what looks like a GUID and is always the same for n.
func fixed(kind, n uint64) string {
	h := (n*2 + 1) * 0x9e3779b97f4a7c15
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", uint32(h), uint16(h>>32), kind&0xfff, uint16(h>>48)&0xfff, h>>8&0xffffffffffff)
}

const tenant = "11111111-2222-4333-8444-555555555555"

type outcome struct {
	code   int
	reason string
}

var (
	failures = []outcome{
		{50126, "Error validating credentials due to invalid username or password."},
		{50053, "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."},
		{53003, "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."},
		{50076, "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource."},
		{50140, "This error occurred due to 'Keep me signed in' interrupt when the user was signing-in."},
	}
	apps = []string{"Azure Portal", "Microsoft Teams", "Office 365 Exchange Online", "Microsoft Office", "OneDrive SyncEngine",
		"Outlook Mobile", "Microsoft Edge", "SharePoint Online Web Client Extensibility", "Windows Sign In", "Microsoft Authentication Broker"}
	resources = []string{"Office 365 Exchange Online", "Microsoft Graph", "Windows Azure Service Management API", "Office 365 SharePoint Online", "Microsoft Teams Services"}
	clients   = []string{"Browser", "Mobile Apps and Desktop clients"}
	legacy    = []string{"Exchange ActiveSync", "IMAP4", "Authenticated SMTP"} // 3 of 100 records: more than most tenants have left
	systems   = []string{"Windows10", "Windows 11", "Ios 18.1", "Android", "MacOs"}
	browsers  = []string{"Edge 142.0.0", "Chrome 142.0.0", "Mobile Safari 18.1", "Firefox 144.0", "Rich Client 5.2.4"}
)

// appendRecord appends the next record and its line break to b.
func (g *generator) appendRecord(b []byte) []byte {
	r := g.rand
	g.at = g.at.Add(time.Duration(r.IntN(200)) * time.Millisecond)
	created := g.at.Add(-time.Duration(60+r.IntN(120)) * time.Second).Format("2006-01-02T15:04:05.0000000+00:00")
	user, place := g.users.Uint64(), g.places.Uint64()
	id, correlation, resourceID := g.guid(), g.guid(), fixed(1, uint64(r.IntN(len(resources))))
	address := fmt.Sprintf("203.%d.%d.%d", place%200, place*7%250, (user*13+place)%250)
	app := r.IntN(len(apps))
	end := outcome{}
	if r.IntN(100) < 9 {
		end = failures[r.IntN(len(failures))]
	}
	country := [...]string{"US", "DE", "NL", "GB", "FR"}[place%5]
	city := "City " + strconv.FormatUint(place%300, 10)
	system, browser := systems[user%5], browsers[(user+uint64(r.IntN(2)))%5]
	interactive := r.IntN(4) == 0
	client := pick(r, clients...)
	if r.IntN(100) < 3 {
		client = pick(r, legacy...)
	}
	category := "NonInteractiveUserSignInLogs"
	if interactive {
		category = "SignInLogs"
	}

	b = fmt.Appendf(b, `{"time":"%s","resourceId":"/tenants/%s/providers/Microsoft.aadiam","operationName":"Sign-in activity","operationVersion":"1.0","category":"%s","tenantId":"%s","resultType":"%d",`,
		g.at.Format("2006-01-02T15:04:05.0000000Z"), tenant, category, tenant, end.code)
	if end.code == 0 {
		b = append(b, `"resultSignature":"SUCCESS",`...)
	} else {
		b = fmt.Appendf(b, `"resultSignature":"FAILURE","resultDescription":%q,`, end.reason)
	}
	b = fmt.Appendf(b, `"durationMs":0,"callerIpAddress":"%s","correlationId":"%s","identity":"User %d","Level":4,"location":"%s",`, address, correlation, user, country)
	b = fmt.Appendf(b, `"properties":{"id":"%s","createdDateTime":"%s","userDisplayName":"User %d","userPrincipalName":"user%d@contoso.com","userId":"%s","appId":"%s","appDisplayName":"%s","ipAddress":"%s","status":{"errorCode":%d`,
		id, created, user, user, fixed(2, user), fixed(3, uint64(app)), apps[app], address, end.code)
	if end.code != 0 {
		b = fmt.Appendf(b, `,"failureReason":%q`, end.reason)
	} else if r.IntN(3) == 0 {
		b = append(b, `,"additionalDetails":"MFA requirement satisfied by claim in the token"`...)
	}
	b = fmt.Appendf(b, `},"clientAppUsed":"%s","userAgent":"Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/14%d.0.0.0 Safari/537.36","deviceDetail":{"deviceId":"`,
		client, system, user%4)
	if user%3 == 0 {
		b = fmt.Appendf(b, `%s","displayName":"DESKTOP-%d","operatingSystem":"%s","browser":"%s","isCompliant":true,"isManaged":true,"trustType":"Hybrid Azure AD joined"}`, fixed(4, user), user, system, browser)
	} else {
		b = fmt.Appendf(b, `","operatingSystem":"%s","browser":"%s"}`, system, browser)
	}
	b = fmt.Appendf(b, `,"location":{"city":"%s","state":"State %d","countryOrRegion":"%s","geoCoordinates":{"latitude":%d.%02d,"longitude":%d.%02d}}`,
		city, place%40, country, place%60, place%97, place%90, place%89)
	b = fmt.Appendf(b, `,"correlationId":"%s","conditionalAccessStatus":"%s","appliedConditionalAccessPolicies":[`, correlation, pick(r, "success", "success", "notApplied"))
	count := r.IntN(2)
	if g.large {
		count = 20 + r.IntN(3)
	}
	for k := range count {
		p := g.policies[k]
		if k > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"id":"%s","displayName":"%s","enforcedGrantControls":%s,"enforcedSessionControls":[],"sessionControlsNotSatisfied":[],"result":"%s","conditionsSatisfied":%d,"conditionsNotSatisfied":%d,"includeRulesSatisfied":[{"conditionalAccessCondition":"users","ruleSatisfied":"allUsers"}],"excludeRulesSatisfied":[]}`,
			p.id, p.name, p.controls, pick(r, "notApplied", "notApplied", "notEnabled", "success", "reportOnlyNotApplied"), r.IntN(4), r.IntN(4))
	}
	b = fmt.Appendf(b, `],"originalRequestId":"%s","isInteractive":%t,"tokenIssuerName":"","tokenIssuerType":"AzureAD"`, id, interactive)
	b = fmt.Appendf(b, `,"authenticationProcessingDetails":[{"key":"Legacy TLS (TLS 1.0, 1.1, 3DES)","value":"False"},{"key":"Is CAE Token","value":"%s"}],"clientCredentialType":"none","processingTimeInMilliseconds":%d`,
		pick(r, "False", "True"), 50+r.IntN(400))
	b = fmt.Appendf(b, `,"riskLevelAggregated":"none","riskLevelDuringSignIn":"none","riskState":"none","resourceDisplayName":"%s","resourceId":"%s","resourceTenantId":"%s","homeTenantId":"%s","authenticationDetails":[`,
		resources[r.IntN(len(resources))], resourceID, tenant, tenant)
	if interactive {
		b = fmt.Appendf(b, `{"authenticationStepDateTime":"%s","authenticationMethod":"%s","authenticationMethodDetail":"Password in the cloud","succeeded":%t,"authenticationStepResultDetail":"Correct password","authenticationStepRequirement":"Primary authentication","StatusSequence":0,"RequestSequence":1}`,
			created, pick(r, "Password", "Password", "Previously satisfied"), end.code == 0)
	}
	b = fmt.Appendf(b, `],"authenticationRequirement":"%s","servicePrincipalId":"","userType":"Member","flaggedForReview":false,"isTenantRestricted":false,"autonomousSystemNumber":%d,"crossTenantAccessType":"none","privateLinkDetails":{},"ssoExtensionVersion":"","uniqueTokenIdentifier":"%s","incomingTokenType":"%s","authenticationProtocol":"none"`,
		pick(r, "singleFactorAuthentication", "multiFactorAuthentication"), 64500+place%50, g.guid()[:22], pick(r, "none", "primaryRefreshToken", "refreshToken"))
	b = fmt.Appendf(b, `,"appServicePrincipalId":null,"resourceServicePrincipalId":"%s","rngcStatus":0,"originalTransferMethod":"none","isThroughGlobalSecureAccess":false,"conditionalAccessAudiences":["%s"],"sessionId":"%s"}}`,
		fixed(5, uint64(app)), resourceID, g.guid())
	return append(b, "\r\n"...)
}

// generate returns at least size bytes of records, and their number.
func generate(seed uint64, large bool, size int) (text []byte, records int) {
	g := newGenerator(seed, large)
	text = make([]byte, 0, size+16<<10)
	for len(text) < size {
		text = g.appendRecord(text)
		records++
	}
	return text, records
}
