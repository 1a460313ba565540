package signins

import (
	"maps"
	"strings"
)

// A field is one row of the table of what records tell: how each format names
// it, and where it goes. A name that ends in "!" is one by which the format of
// a record is known.
type field struct {
	known Fields                // what is known of a sign-in where a name of the row stood there
	to    func(*SignIn) *string // where the text goes
	slot  slot                  // what to do with the value instead, if it is no text or one with a meaning of its own
	once  bool                  // hardly any value comes twice

	graph     string // of Graph's signIn and of the properties in diagnostic settings; a dot parts an object from its member
	beta      bool   // Graph's v1.0 has no such member
	monitor   string // of the record around those properties
	analytics string // Log Analytics: SigninLogs, AADNonInteractiveUserSignInLogs and the like; several have blanks between them
	audit     string // unified audit, whose records are all known alike
	defender  string // EntraIdSignInEvents, EntraIdSpnSignInEvents and their predecessors
	object    string // objects of PowerShell's modules, whose other members are Graph's in another letter case or Log Analytics'
	portal    string // column of the admin centre's CSV, in lower case with single blanks
}

// fieldTable has one row for each field of a sign-in, and one more for each
// text that only stands in for another.
var fieldTable = []field{
	{known: FieldID, to: func(s *SignIn) *string { return &s.ID }, once: true, graph: "id", analytics: "Id", defender: "RequestId", portal: "request id"},
	{known: FieldCorrelationID, to: func(s *SignIn) *string { return &s.CorrelationID }, once: true, graph: "correlationId", analytics: "CorrelationId", audit: "InterSystemsId", portal: "correlation id"},
	{known: FieldTime, slot: slotTime, graph: "createdDateTime!", audit: "CreationTime!", defender: "Timestamp!", object: "CreatedDateTime!", portal: "date (utc)"},
	{known: FieldTime, slot: slotLateTime, monitor: "time", analytics: "TimeGenerated!"},
	{known: FieldCategory, slot: slotEventTypes, graph: "signInEventTypes", beta: true, defender: "LogonType!"},
	{known: FieldCategory, slot: slotCategory, monitor: "category!", analytics: "Category!"},
	{known: FieldCategory, slot: slotIsManagedIdentity, defender: "IsManagedIdentity"},
	{known: FieldInteractive, slot: slotInteractive, graph: "isInteractive", analytics: "IsInteractive"},

	{known: FieldUserID, to: func(s *SignIn) *string { return &s.UserID }, graph: "userId", audit: "UserKey", defender: "AccountObjectId!", portal: "user id"},
	{known: FieldUserID, slot: slotUserIDOrName, analytics: "UserId"},
	{known: FieldUserPrincipalName, to: func(s *SignIn) *string { return &s.UserPrincipalName }, graph: "userPrincipalName", analytics: "UserPrincipalName", defender: "AccountUpn!", portal: "username"},
	{known: FieldUserDisplayName, to: func(s *SignIn) *string { return &s.UserDisplayName }, graph: "userDisplayName", analytics: "UserDisplayName", defender: "AccountDisplayName", portal: "user"},
	{known: FieldUserType, to: func(s *SignIn) *string { return &s.UserType }, graph: "userType", beta: true, analytics: "UserType", portal: "user type"},
	{known: FieldUserType, slot: slotGuest, defender: "IsGuestUser"},
	{known: FieldServicePrincipal, to: func(s *SignIn) *string { return &s.ServicePrincipalID }, graph: "servicePrincipalId", beta: true, analytics: "ServicePrincipalId", portal: "service principal id"},
	{known: FieldServicePrincipal, to: func(s *SignIn) *string { return &s.ServicePrincipalName }, graph: "servicePrincipalName", beta: true, analytics: "ServicePrincipalName", portal: "service principal name"},

	{known: FieldAppID, to: func(s *SignIn) *string { return &s.AppID }, graph: "appId", analytics: "AppId ApplicationId", portal: "application id"},
	{known: FieldAppDisplayName, to: func(s *SignIn) *string { return &s.AppDisplayName }, graph: "appDisplayName", analytics: "AppDisplayName", defender: "Application", portal: "application"},
	{known: FieldResource, to: func(s *SignIn) *string { return &s.ResourceID }, graph: "resourceId", analytics: "ResourceIdentity", portal: "resource id"},
	{slot: slotARMOrAppID, analytics: "ResourceId"},
	{slot: slotObjectID, audit: "ObjectId"},
	{known: FieldResource, to: func(s *SignIn) *string { return &s.ResourceDisplayName }, graph: "resourceDisplayName", analytics: "ResourceDisplayName", portal: "resource"},

	{known: FieldClientAppUsed, to: func(s *SignIn) *string { return &s.ClientAppUsed }, graph: "clientAppUsed", object: "ClientAppUsed!", portal: "client app"},
	{known: FieldUserAgent, to: func(s *SignIn) *string { return &s.UserAgent }, graph: "userAgent", beta: true, analytics: "UserAgent", portal: "user agent"},
	{known: FieldAuthenticationProtocol, to: func(s *SignIn) *string { return &s.AuthenticationProtocol }, graph: "authenticationProtocol", beta: true, analytics: "AuthenticationProtocol", portal: "authentication protocol"},
	{known: FieldIncomingTokenType, to: func(s *SignIn) *string { return &s.IncomingTokenType }, graph: "incomingTokenType", beta: true, analytics: "IncomingTokenType", portal: "incoming token type"},
	{known: FieldOriginalTransferMethod, to: func(s *SignIn) *string { return &s.OriginalTransferMethod }, graph: "originalTransferMethod", beta: true, analytics: "OriginalTransferMethod", portal: "original transfer method"},
	{known: FieldClientCredentialType, to: func(s *SignIn) *string { return &s.ClientCredentialType }, graph: "clientCredentialType", beta: true, analytics: "ClientCredentialType", portal: "client credential type"},
	{known: FieldRequestType, to: func(s *SignIn) *string { return &s.RequestType }, defender: "EndpointCall"},
	{known: FieldAuthenticationRequirement, to: func(s *SignIn) *string { return &s.AuthenticationRequirement }, graph: "authenticationRequirement", beta: true, analytics: "AuthenticationRequirement", portal: "authentication requirement"},
	{known: FieldMethods, slot: slotMethod, graph: "authenticationDetails.authenticationMethod"},
	{known: FieldMethods, slot: slotMethodDetail, graph: "authenticationDetails.authenticationMethodDetail"},

	{known: FieldIPAddress, to: func(s *SignIn) *string { return &s.IPAddress }, graph: "ipAddress", analytics: "IPAddress", audit: "ActorIpAddress", portal: "ip address"},
	{known: FieldIPAddress, slot: slotLateIPAddress, monitor: "callerIpAddress", audit: "ClientIP"},
	{known: FieldIPAddressFromResourceProvider, to: func(s *SignIn) *string { return &s.IPAddressFromResourceProvider }, graph: "ipAddressFromResourceProvider", beta: true, analytics: "IPAddressFromResourceProvider", portal: "ip address (seen by resource)"},
	{known: FieldAutonomousSystemNumber, slot: slotAutonomousSystemNumber, graph: "autonomousSystemNumber", beta: true, analytics: "AutonomousSystemNumber", portal: "autonomous system number"},
	{known: FieldLocation, to: func(s *SignIn) *string { return &s.City }, graph: "location.city", defender: "City"},
	{known: FieldLocation, to: func(s *SignIn) *string { return &s.State }, graph: "location.state", defender: "State"},
	{known: FieldLocation, to: func(s *SignIn) *string { return &s.CountryOrRegion }, graph: "location.countryOrRegion", defender: "Country", object: "CountryOrRegion"},
	{known: FieldLocation, slot: slotLocation, portal: "location"},

	{known: FieldResult, slot: slotStatus, portal: "status"},
	{slot: slotResultStatus, audit: "ResultStatus"},
	{known: FieldErrorCode | FieldResult, slot: slotErrorCode, graph: "status.errorCode", audit: "ErrorNumber", defender: "ErrorCode!"},
	{known: FieldErrorCode, slot: slotErrorCode, portal: "sign-in error code"}, // beside the column of the status
	{known: FieldErrorCode | FieldResult, slot: slotLateCode, monitor: "resultType", analytics: "ResultType!"},
	{known: FieldFailureReason, to: func(s *SignIn) *string { return &s.FailureReason }, graph: "status.failureReason", audit: "LogonError", object: "FailureReason", portal: "failure reason"},
	{known: FieldFailureReason, slot: slotLateReason, monitor: "resultDescription", analytics: "ResultDescription"},
	{known: FieldConditionalAccess, slot: slotConditionalAccess, graph: "conditionalAccessStatus", analytics: "ConditionalAccessStatus", portal: "conditional access"},

	{known: FieldHomeTenantID, to: func(s *SignIn) *string { return &s.HomeTenantID }, graph: "homeTenantId", beta: true, analytics: "HomeTenantId", audit: "ActorContextId", portal: "home tenant id"},
	{known: FieldResourceTenantID, to: func(s *SignIn) *string { return &s.ResourceTenantID }, graph: "resourceTenantId", beta: true, analytics: "ResourceTenantId", audit: "TargetContextId", portal: "resource tenant id"},
	{known: FieldDevice, to: func(s *SignIn) *string { return &s.OperatingSystem }, graph: "deviceDetail.operatingSystem", defender: "OSPlatform", object: "OperatingSystem", portal: "operating system"},
	{known: FieldDevice, to: func(s *SignIn) *string { return &s.Browser }, graph: "deviceDetail.browser", defender: "Browser", portal: "browser"},

	// What tells a record of unified audit apart, and lists of names and values in it.
	{slot: slotRecordType, audit: "RecordType!"},
	{slot: slotOperation, audit: "Operation!"},
	{slot: slotExtendedProperties, audit: "ExtendedProperties"},
	{slot: slotDeviceProperties, audit: "DeviceProperties"},
	{slot: slotActor, audit: "Actor"},

	// Pages, batches and tables.
	{slot: slotContainer, monitor: "value records tables Results results Tables"},
}

// want returns what is wanted of a member or column of the row.
func (f field) want(known Fields) want {
	w := want{slot: f.slot, place: f.to, once: f.once, fields: known}
	if f.to != nil {
		w.slot = slotText
	}
	return w
}

// addTo puts the names, several of them with blanks in between, into m.
func (f field) addTo(m map[string]want, names string, known, mark Fields) {
	for name := range strings.FieldsSeq(names) {
		name, marks := strings.CutSuffix(name, "!")
		fields := known
		if marks {
			fields |= mark
		}
		m[name] = f.want(fields)
	}
}

// properties returns the members of Graph's signIn, objects included.
func properties() map[string]want {
	m, inner := map[string]want{}, map[string]map[string]want{}
	for _, f := range fieldTable {
		object, member, isInner := strings.Cut(f.graph, ".")
		switch {
		case isInner:
			if inner[object] == nil {
				inner[object] = map[string]want{}
			}
			inner[object][member] = f.want(f.known)
		case f.beta:
			f.addTo(m, f.graph, f.known|markBeta, 0)
		default:
			f.addTo(m, f.graph, f.known, markGraph)
		}
	}
	steps, location, status, device := fold(inner["authenticationDetails"]), fold(inner["location"]), fold(inner["status"]), fold(inner["deviceDetail"])
	m["authenticationDetails"] = want{array: true, fields: FieldMethods | markBeta, members: steps}
	m["location"] = want{slot: slotLateCountry, fields: FieldLocation, members: location}
	m["status"] = want{fields: FieldResult | FieldErrorCode | FieldFailureReason, members: status}
	m["deviceDetail"] = want{fields: FieldDevice, members: device}
	return m
}

// otherProperties returns the members of every JSON format but Graph's.
func otherProperties(graph *members) map[string]want {
	m := map[string]want{}
	for _, f := range fieldTable {
		f.addTo(m, f.monitor, f.known, markMonitor)
		f.addTo(m, f.analytics, f.known, markAnalytics)
		f.addTo(m, f.audit, 0, markUnified)
		f.addTo(m, f.defender, f.known, markDefender)
		f.addTo(m, f.object, f.known, markObject)
	}
	// Log Analytics' columns hold the same objects, some under other names.
	for name, of := range map[string]string{"AuthenticationDetails": "authenticationDetails", "Location": "location", "LocationDetails": "location", "Status": "status", "DeviceDetail": "deviceDetail"} {
		w := graph.exact[of]
		w.fields &^= marks
		if name == "LocationDetails" {
			w.slot = slotSkip // "Location" stands beside it
		}
		m[name] = w
	}
	m["properties"] = want{fields: markMonitor | markProperties, members: graph}
	m["AdditionalProperties"] = want{members: graph} // what PowerShell's module does not know yet
	return m
}

var (
	// graphMembers are the members of Graph's signIn and of the properties of a
	// diagnostic record.
	graphMembers = &members{exact: properties()}

	// recordMembers are the members that a record of any JSON format may have.
	// Graph's names begin in lower case, all others in upper case.
	recordMembers = &members{exact: with(graphMembers.exact, otherProperties(graphMembers)), folded: inObjects(graphMembers.exact)}

	// portalColumns are the columns of the admin centre's CSV, by name in lower
	// case with single blanks: "Application ID " has a blank at its end,
	// "Autonomous system  number" two of them in the middle.
	portalColumns = func() map[string]want {
		m := map[string]want{}
		for _, f := range fieldTable {
			if f.portal != "" {
				m[f.portal] = f.want(f.known)
			}
		}
		return m
	}()
)

// inObjects returns the members of Graph's signIn by name in lower case, as
// objects of PowerShell's modules have them: "IpAddress" or "SignInEventTypes".
func inObjects(properties map[string]want) map[string]want {
	folded := make(map[string]want, len(properties))
	for name, w := range properties {
		w.fields = w.fields&^marks | markObject
		folded[strings.ToLower(name)] = w
	}
	return folded
}

func with(all ...map[string]want) map[string]want {
	sum := make(map[string]want)
	for _, m := range all {
		maps.Copy(sum, m)
	}
	return sum
}

// A slot says what to do with the value of a member or column.
type slot uint8

const (
	slotSkip slot = iota
	slotText      // a text of the sign-in

	// Texts whose meaning depends on other members.
	slotUserIDOrName // "UserId" is an object id or a name
	slotARMOrAppID   // "ResourceId" is a path or an application
	slotObjectID
	slotOperation
	slotResultStatus

	// Fallbacks, looked at only if something better is missing.
	slotLateTime
	slotLateCode
	slotLateReason
	slotLateIPAddress
	slotLateCountry

	// Members with few values.
	slotCategory
	slotEventTypes
	slotInteractive
	slotConditionalAccess
	slotMethod // the first step's method is kept, and its detail
	slotMethodDetail
	slotGuest
	slotIsManagedIdentity
	slotStatus // Success, Failure or Interrupted
	slotRecordType

	slotTime
	slotErrorCode
	slotAutonomousSystemNumber
	slotContainer // holds the records themselves
	slotLocation  // "City, State, CC"

	// Lists of unified audit.
	slotExtendedProperties
	slotDeviceProperties
	slotActor
)

const (
	firstOther = slotUserIDOrName
	otherTexts = int(slotResultStatus-firstOther) + 1
	firstLate  = slotLateTime
	lateSlots  = int(slotLateCountry-firstLate) + 1
)

func (s slot) isText() bool { return s >= slotText && s <= slotResultStatus }
func (s slot) isLate() bool { return s >= firstLate && s <= slotLateCountry }
func (s slot) isEnum() bool { return s >= slotCategory && s <= slotRecordType }
func (s slot) isRaw() bool  { return s >= slotExtendedProperties || s == slotEventTypes }

// A want says what is wanted of a member or column.
type want struct {
	slot    slot
	place   func(*SignIn) *string // where that of slotText goes
	once    bool                  // hardly any value comes twice
	array   bool                  // members are those of an array's objects
	fields  Fields                // known when it is there, and marks
	members *members              // of an object or array, which may also be JSON text
}

// members are the members that an object may have.
type members struct {
	exact  map[string]want
	folded map[string]want // by name in lower case, for those who spell it in another letter case
}

// find returns what is wanted of a member.
func (m *members) find(name string) (want, bool) {
	if m == nil {
		return want{}, false
	}
	w, ok := m.exact[name]
	if !ok && m.folded != nil && len(name) < 64 {
		w, ok = m.folded[strings.ToLower(name)]
	}
	return w, ok
}

// fold returns m, of which any member may be spelled in any letter case.
func fold(m map[string]want) *members {
	folded := make(map[string]want, len(m))
	for name, w := range m {
		folded[strings.ToLower(name)] = w
	}
	return &members{m, folded}
}

// Marks are kept among the seen fields, and tell the kinds of records apart.
const (
	markBeta Fields = 1 << (63 - iota)
	markGraph
	markMonitor
	markAnalytics
	markUnified
	markDefender
	markObject     // PowerShell's
	markProperties // of diagnostic settings; with their category it is a record for sure
	markCut        // a step of authenticationDetails is no object
	marks          = markBeta | markGraph | markMonitor | markAnalytics | markUnified | markDefender | markObject | markProperties | markCut
)

const (
	allFields = FieldDevice<<1 - 1

	// graphV1Fields are those of the 24 properties of the v1.0 resource.
	graphV1Fields = FieldID | FieldCorrelationID | FieldTime | FieldCategory | FieldInteractive | FieldUserID |
		FieldUserPrincipalName | FieldUserDisplayName | FieldAppID | FieldAppDisplayName | FieldResource |
		FieldClientAppUsed | FieldIPAddress | FieldLocation | FieldResult | FieldErrorCode | FieldFailureReason |
		FieldConditionalAccess | FieldDevice
	graphBetaFields = allFields &^ FieldRequestType

	unifiedFields = FieldID | FieldCorrelationID | FieldTime | FieldUserID | FieldUserPrincipalName | FieldAppID |
		FieldResource | FieldUserAgent | FieldRequestType | FieldIPAddress | FieldResult | FieldErrorCode |
		FieldFailureReason | FieldHomeTenantID | FieldResourceTenantID | FieldDevice

	// A record that shows none of these is no sign-in, whatever else it has.
	signInFields = FieldClientAppUsed | FieldUserAgent | FieldIPAddress | FieldAppID | FieldErrorCode | FieldResult |
		FieldInteractive | FieldConditionalAccess | FieldCategory
)

// categories are the log categories of diagnostic settings, in lower case.
var categories = map[string]Category{
	"signinlogs":                          InteractiveUser,
	"noninteractiveusersigninlogs":        NonInteractiveUser,
	"serviceprincipalsigninlogs":          ServicePrincipal,
	"managedidentitysigninlogs":           ManagedIdentity,
	"microsoftserviceprincipalsigninlogs": MicrosoftServicePrincipal,
	"adfssigninlogs":                      ADFS,
}
