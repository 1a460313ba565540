package signins

import (
	"maps"
	"strings"
)

// A slot says what to do with the value of a member or column.
type slot uint8

const (
	slotSkip slot = iota

	// Texts, in the order of SignIn.text.
	slotID
	slotCorrelationID
	slotUserID
	slotUserPrincipalName
	slotUserDisplayName
	slotUserType
	slotServicePrincipalID
	slotServicePrincipalName
	slotAppID
	slotAppDisplayName
	slotResourceID
	slotResourceDisplayName
	slotClientAppUsed
	slotUserAgent
	slotAuthenticationProtocol
	slotIncomingTokenType
	slotOriginalTransferMethod
	slotClientCredentialType
	slotRequestType
	slotAuthenticationRequirement
	_ // AuthenticationMethod and its detail are of the first step, not the last
	_
	slotIPAddress
	slotIPAddressFromResourceProvider
	slotCity
	slotState
	slotCountryOrRegion
	slotFailureReason
	slotHomeTenantID
	slotResourceTenantID
	slotOperatingSystem
	slotBrowser

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
	slotMethod
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
	firstLate = slotLateTime
	lateSlots = int(slotLateCountry-firstLate) + 1
	textSlots = int(slotResultStatus) + 1
)

func (s slot) isText() bool { return s >= slotID && s <= slotResultStatus }
func (s slot) isLate() bool { return s >= firstLate && s <= slotLateCountry }
func (s slot) isEnum() bool { return s >= slotCategory && s <= slotRecordType }
func (s slot) isRaw() bool  { return s >= slotExtendedProperties || s == slotEventTypes }

// A want says what is wanted of a member or column.
type want struct {
	slot    slot
	once    bool     // hardly any value comes twice
	array   bool     // members are those of an array's objects
	fields  Fields   // known when it is there, and marks
	members *members // of an object or array, which may also be JSON text
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

// graphMembers are the members of Graph's signIn and of the properties of a
// diagnostic record.
var graphMembers = &members{exact: graphProperties}

var graphProperties = map[string]want{
	"id":                            {slot: slotID, once: true, fields: FieldID},
	"correlationId":                 {slot: slotCorrelationID, once: true, fields: FieldCorrelationID},
	"createdDateTime":               {slot: slotTime, fields: FieldTime | markGraph},
	"userId":                        {slot: slotUserID, fields: FieldUserID},
	"userPrincipalName":             {slot: slotUserPrincipalName, fields: FieldUserPrincipalName},
	"userDisplayName":               {slot: slotUserDisplayName, fields: FieldUserDisplayName},
	"userType":                      {slot: slotUserType, fields: FieldUserType | markBeta},
	"servicePrincipalId":            {slot: slotServicePrincipalID, fields: FieldServicePrincipal | markBeta},
	"servicePrincipalName":          {slot: slotServicePrincipalName, fields: FieldServicePrincipal | markBeta},
	"appId":                         {slot: slotAppID, fields: FieldAppID},
	"appDisplayName":                {slot: slotAppDisplayName, fields: FieldAppDisplayName},
	"resourceId":                    {slot: slotResourceID, fields: FieldResource},
	"resourceDisplayName":           {slot: slotResourceDisplayName, fields: FieldResource},
	"clientAppUsed":                 {slot: slotClientAppUsed, fields: FieldClientAppUsed},
	"userAgent":                     {slot: slotUserAgent, fields: FieldUserAgent | markBeta},
	"authenticationProtocol":        {slot: slotAuthenticationProtocol, fields: FieldAuthenticationProtocol | markBeta},
	"incomingTokenType":             {slot: slotIncomingTokenType, fields: FieldIncomingTokenType | markBeta},
	"originalTransferMethod":        {slot: slotOriginalTransferMethod, fields: FieldOriginalTransferMethod | markBeta},
	"clientCredentialType":          {slot: slotClientCredentialType, fields: FieldClientCredentialType | markBeta},
	"authenticationRequirement":     {slot: slotAuthenticationRequirement, fields: FieldAuthenticationRequirement | markBeta},
	"authenticationDetails":         {array: true, fields: FieldMethods | markBeta, members: stepMembers},
	"ipAddress":                     {slot: slotIPAddress, fields: FieldIPAddress},
	"ipAddressFromResourceProvider": {slot: slotIPAddressFromResourceProvider, fields: FieldIPAddressFromResourceProvider | markBeta},
	"autonomousSystemNumber":        {slot: slotAutonomousSystemNumber, fields: FieldAutonomousSystemNumber | markBeta},
	"location":                      {slot: slotLateCountry, fields: FieldLocation, members: locationMembers},
	"status":                        {fields: FieldResult | FieldErrorCode | FieldFailureReason, members: statusMembers},
	"conditionalAccessStatus":       {slot: slotConditionalAccess, fields: FieldConditionalAccess},
	"isInteractive":                 {slot: slotInteractive, fields: FieldInteractive},
	"signInEventTypes":              {slot: slotEventTypes, fields: FieldCategory | markBeta},
	"homeTenantId":                  {slot: slotHomeTenantID, fields: FieldHomeTenantID | markBeta},
	"resourceTenantId":              {slot: slotResourceTenantID, fields: FieldResourceTenantID | markBeta},
	"deviceDetail":                  {fields: FieldDevice, members: deviceMembers},
}

var (
	stepMembers = fold(map[string]want{
		"authenticationMethod":       {slot: slotMethod, fields: FieldMethods},
		"authenticationMethodDetail": {slot: slotMethodDetail, fields: FieldMethods},
	})
	locationMembers = fold(map[string]want{
		"city":            {slot: slotCity, fields: FieldLocation},
		"state":           {slot: slotState, fields: FieldLocation},
		"countryOrRegion": {slot: slotCountryOrRegion, fields: FieldLocation},
	})
	statusMembers = fold(map[string]want{
		"errorCode":     {slot: slotErrorCode, fields: FieldErrorCode | FieldResult},
		"failureReason": {slot: slotFailureReason, fields: FieldFailureReason},
	})
	deviceMembers = fold(map[string]want{
		"operatingSystem": {slot: slotOperatingSystem, fields: FieldDevice},
		"browser":         {slot: slotBrowser, fields: FieldDevice},
	})
)

// recordMembers are the members that a record of any JSON format may have.
// Graph's names begin in lower case, all others in upper case.
var recordMembers = &members{exact: with(graphProperties, otherProperties), folded: inObjects(graphProperties)}

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

var otherProperties = map[string]want{
	// Diagnostic settings.
	"properties":        {fields: markMonitor | markProperties, members: graphMembers},
	"category":          {slot: slotCategory, fields: FieldCategory | markMonitor},
	"time":              {slot: slotLateTime, fields: FieldTime},
	"resultType":        {slot: slotLateCode, fields: FieldErrorCode | FieldResult},
	"resultDescription": {slot: slotLateReason, fields: FieldFailureReason},
	"callerIpAddress":   {slot: slotLateIPAddress, fields: FieldIPAddress},

	// Log Analytics: SigninLogs, AADNonInteractiveUserSignInLogs and the like.
	"Category":                      {slot: slotCategory, fields: FieldCategory | markAnalytics},
	"TimeGenerated":                 {slot: slotLateTime, fields: FieldTime | markAnalytics},
	"CreatedDateTime":               {slot: slotTime, fields: FieldTime | markObject},
	"ResultType":                    {slot: slotLateCode, fields: FieldErrorCode | FieldResult | markAnalytics},
	"ResultDescription":             {slot: slotLateReason, fields: FieldFailureReason},
	"Location":                      {slot: slotLateCountry, fields: FieldLocation, members: locationMembers},
	"AppId":                         {slot: slotAppID, fields: FieldAppID},
	"AppDisplayName":                {slot: slotAppDisplayName, fields: FieldAppDisplayName},
	"AuthenticationDetails":         {array: true, fields: FieldMethods, members: stepMembers},
	"AuthenticationProtocol":        {slot: slotAuthenticationProtocol, fields: FieldAuthenticationProtocol},
	"AutonomousSystemNumber":        {slot: slotAutonomousSystemNumber, fields: FieldAutonomousSystemNumber},
	"DeviceDetail":                  {fields: FieldDevice, members: deviceMembers},
	"LocationDetails":               {fields: FieldLocation, members: locationMembers},
	"Status":                        {fields: FieldResult | FieldErrorCode | FieldFailureReason, members: statusMembers},
	"HomeTenantId":                  {slot: slotHomeTenantID, fields: FieldHomeTenantID},
	"IncomingTokenType":             {slot: slotIncomingTokenType, fields: FieldIncomingTokenType},
	"OriginalTransferMethod":        {slot: slotOriginalTransferMethod, fields: FieldOriginalTransferMethod},
	"ClientCredentialType":          {slot: slotClientCredentialType, fields: FieldClientCredentialType},
	"IsInteractive":                 {slot: slotInteractive, fields: FieldInteractive},
	"IPAddressFromResourceProvider": {slot: slotIPAddressFromResourceProvider, fields: FieldIPAddressFromResourceProvider},
	"ResourceIdentity":              {slot: slotResourceID, fields: FieldResource},
	"UserDisplayName":               {slot: slotUserDisplayName, fields: FieldUserDisplayName},
	"UserPrincipalName":             {slot: slotUserPrincipalName, fields: FieldUserPrincipalName},
	"UserType":                      {slot: slotUserType, fields: FieldUserType},

	// Log Analytics and others.
	"Id":                        {slot: slotID, once: true, fields: FieldID},
	"CorrelationId":             {slot: slotCorrelationID, once: true, fields: FieldCorrelationID},
	"UserId":                    {slot: slotUserIDOrName, fields: FieldUserID},
	"ServicePrincipalId":        {slot: slotServicePrincipalID, fields: FieldServicePrincipal},
	"ServicePrincipalName":      {slot: slotServicePrincipalName, fields: FieldServicePrincipal},
	"UserAgent":                 {slot: slotUserAgent, fields: FieldUserAgent},
	"AuthenticationRequirement": {slot: slotAuthenticationRequirement, fields: FieldAuthenticationRequirement},
	"ConditionalAccessStatus":   {slot: slotConditionalAccess, fields: FieldConditionalAccess},
	"IPAddress":                 {slot: slotIPAddress, fields: FieldIPAddress},
	"ResourceDisplayName":       {slot: slotResourceDisplayName, fields: FieldResource},
	"ResourceTenantId":          {slot: slotResourceTenantID, fields: FieldResourceTenantID},
	"ResourceId":                {slot: slotARMOrAppID},

	// Unified audit.
	"CreationTime":       {slot: slotTime, fields: markUnified},
	"RecordType":         {slot: slotRecordType, fields: markUnified},
	"Operation":          {slot: slotOperation, fields: markUnified},
	"ResultStatus":       {slot: slotResultStatus},
	"UserKey":            {slot: slotUserID},
	"ClientIP":           {slot: slotLateIPAddress},
	"ActorIpAddress":     {slot: slotIPAddress},
	"ApplicationId":      {slot: slotAppID, fields: FieldAppID},
	"ObjectId":           {slot: slotObjectID},
	"InterSystemsId":     {slot: slotCorrelationID, once: true},
	"ActorContextId":     {slot: slotHomeTenantID},
	"TargetContextId":    {slot: slotResourceTenantID},
	"ErrorNumber":        {slot: slotErrorCode},
	"LogonError":         {slot: slotFailureReason},
	"ExtendedProperties": {slot: slotExtendedProperties},
	"DeviceProperties":   {slot: slotDeviceProperties},
	"Actor":              {slot: slotActor},

	// Defender: EntraIdSignInEvents, EntraIdSpnSignInEvents and their predecessors.
	"Timestamp":          {slot: slotTime, fields: FieldTime | markDefender},
	"RequestId":          {slot: slotID, once: true, fields: FieldID},
	"Application":        {slot: slotAppDisplayName, fields: FieldAppDisplayName},
	"LogonType":          {slot: slotEventTypes, fields: FieldCategory | markDefender},
	"EndpointCall":       {slot: slotRequestType, fields: FieldRequestType},
	"ErrorCode":          {slot: slotErrorCode, fields: FieldErrorCode | FieldResult | markDefender},
	"AccountObjectId":    {slot: slotUserID, fields: FieldUserID | markDefender},
	"AccountUpn":         {slot: slotUserPrincipalName, fields: FieldUserPrincipalName | markDefender},
	"AccountDisplayName": {slot: slotUserDisplayName, fields: FieldUserDisplayName},
	"IsGuestUser":        {slot: slotGuest, fields: FieldUserType},
	"IsManagedIdentity":  {slot: slotIsManagedIdentity, fields: FieldCategory},
	"OSPlatform":         {slot: slotOperatingSystem, fields: FieldDevice},
	"Browser":            {slot: slotBrowser, fields: FieldDevice},
	"Country":            {slot: slotCountryOrRegion, fields: FieldLocation},
	"State":              {slot: slotState, fields: FieldLocation},
	"City":               {slot: slotCity, fields: FieldLocation},

	// PowerShell: objects of the Graph and AzureAD modules, whose other members
	// are Graph's in another letter case or Log Analytics'.
	"ClientAppUsed":        {slot: slotClientAppUsed, fields: FieldClientAppUsed | markObject},
	"FailureReason":        {slot: slotFailureReason, fields: FieldFailureReason},
	"CountryOrRegion":      {slot: slotCountryOrRegion, fields: FieldLocation},
	"OperatingSystem":      {slot: slotOperatingSystem, fields: FieldDevice},
	"AdditionalProperties": {members: graphMembers}, // what the module does not know yet

	// Pages, batches and tables.
	"value":   {slot: slotContainer},
	"records": {slot: slotContainer},
	"tables":  {slot: slotContainer},
	"Results": {slot: slotContainer},
	"results": {slot: slotContainer},
	"Tables":  {slot: slotContainer},
}

func with(all ...map[string]want) map[string]want {
	sum := make(map[string]want)
	for _, m := range all {
		maps.Copy(sum, m)
	}
	return sum
}

// categories are the log categories of diagnostic settings, in lower case.
var categories = map[string]Category{
	"signinlogs":                          InteractiveUser,
	"noninteractiveusersigninlogs":        NonInteractiveUser,
	"serviceprincipalsigninlogs":          ServicePrincipal,
	"managedidentitysigninlogs":           ManagedIdentity,
	"microsoftserviceprincipalsigninlogs": MicrosoftServicePrincipal,
	"adfssigninlogs":                      ADFS,
}
