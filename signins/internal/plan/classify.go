package plan

import (
	"strconv"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

// The columns that a source has to give of each event. They are texts, "" where
// there is nothing, unless something else is said.
const (
	colID             = "Id"            // of the event; not one of columnNames
	colTime           = "Time"          // a time, or none
	colCategory       = "LogCategory"   // such as "signinlogs", in lower case; "" if not known
	colInteractive    = "IsInteractive" // "yes", "no" or "unknown"
	colMissing        = "Missing"       // what is not known, by the names of signins.Fields, with commas in between and one at the end
	colUserID         = "UserId"        //
	colUPN            = "UserName"      // user principal name
	colSPID           = "ServicePrincipalId"
	colAppID          = "AppId"
	colApp            = "AppName"
	colClientApp      = "ClientApp"
	colAgent          = "Agent"
	colAuthProtocol   = "AuthProtocol"
	colIncomingToken  = "IncomingToken"
	colTransfer       = "TransferMethod"
	colMethods        = "MethodNames" // those of authenticationDetails in lower case, with line feeds before, between and behind; "" if there are none
	colAddress        = "Address"     // as logged, perhaps with a port
	colNetwork        = "Network"     // number of the autonomous system, 0 if not known
	colCountry        = "Country"
	colCode           = "Code" // a whole number, or none
	colReason         = "FailureReason"
	colHomeTenant     = "HomeTenantId"
	colResourceTenant = "ResourceTenantId"
	colCopies         = "Copies" // a whole number: how many copies of the event there are besides this one
)

// columnNames are the columns that a source gives, in order, but Copies.
var columnNames = []string{colTime, colCategory, colInteractive, colMissing, colUserID, colUPN, colSPID, colAppID, colApp, colClientApp, colAgent,
	colAuthProtocol, colIncomingToken, colTransfer, colMethods, colAddress, colNetwork, colCountry, colCode, colReason, colHomeTenant, colResourceTenant}

// What is worked out of them.
const (
	colClient       = "ClientName"
	colShort        = "ClientShort"
	colIsApp        = "IsApplication"
	colNameClass    = "NameClass"
	colNameProtocol = "NameProtocol"
	colFrontEnd     = "FrontEnd"
	colClientClass  = "ClientClass"
	colProtocol     = "Protocol"
	colClass        = "Class"
	colByAgent      = "ByUserAgent"
	colUnlisted     = "Unlisted"
	colROPC         = "PasswordGrant"
	colDeviceCode   = "DeviceCode"
	colNativeMail   = "NativeMail"
	colCredential   = "Credential"
	colBasic        = "BasicAuth"
	colOutcome      = "Outcome"
	colSuccess      = "Succeeded"
	colRightByCode  = "RightByCode"
	colRight        = "PasswordRight"
	colGuess        = "Guess"
	colKind         = "Evidence"
	colIP           = "IPAddress" // without a port
	colHour         = "Hour"
)

// A step works out one column of each event from others.
type step struct {
	name string
	why  string // what it is, for the reader of a query
	is   expr
}

// Texts of what is judged, as signins writes them.
func className(c signins.Class) expr       { return text(c.String()) }
func protocolName(p signins.Protocol) expr { return text(p.String()) }

// kinds are the names that queries give to kinds of evidence.
var kinds = map[string]signins.EvidenceKind{
	"wrong-password": signins.WrongPassword, "unknown-name": signins.UnknownName, "locked-out": signins.LockedOut,
	"address-blocked": signins.AddressBlocked, "weak-guess": signins.WeakGuess, "accepted": signins.Accepted,
	"password-stopped": signins.PasswordStopped, "session": signins.SessionAccepted,
}

// failures are those of kinds that failed.
var failures = []string{"wrong-password", "unknown-name", "locked-out", "address-blocked", "weak-guess"}

// classification returns the steps of signins.Classify and signins.KindOf by
// the definition d and the tables t, each after those that it needs.
func classification(d signins.Definition, t *signins.Tables) []step {
	rows := t.Rows()
	unknown, yesText, noText := text(crossprem.AnswerUnknown.String()), crossprem.Yes.String(), text(crossprem.No.String())
	legacy, modern, notApplicable := signins.Legacy.String(), signins.Modern.String(), className(signins.NotApplicable)
	clients := func(value func(signins.ClientRow) string) []choice {
		return choices(rows.Clients, func(r signins.ClientRow) (string, string) { return r.Name, value(r) })
	}
	codes := func(value func(signins.CodeRow) string) []choice {
		all := choices(rows.Codes, func(r signins.CodeRow) (string, string) { return strconv.Itoa(int(r.Code)), value(r) })
		var told []choice
		for _, c := range all {
			if c.value != "" {
				told = append(told, c)
			}
		}
		return told
	}
	listed := make([]string, 0, len(rows.Clients)+1)
	for _, r := range rows.Clients {
		listed = append(listed, r.Name)
	}
	var names []string // of apps; the rest of NativeMail are ids
	for _, n := range rows.NativeMail {
		if len(n) < 32 {
			names = append(names, n)
		}
	}
	isClass := func(name string, class string) expr { return equal(column(name), class) }
	activeSync, success := signins.ExchangeActiveSync.String(), signins.Success.String()

	steps := []step{
		{colIP, "without a port", cases(match(column(colAddress), `^\[[^\]]*\]`), extract(column(colAddress), `^\[([^\]]*)\]`),
			match(column(colAddress), `^[^:]*:[^:]*$`), extract(column(colAddress), `^([^:]*):`), column(colAddress))},
		{colShort, "spellings of one client app are made equal", without(fold(single(column(colClientApp))), `^other clients; ?`)},
		{colClient, "and \"Other clients; IMAP\" is IMAP", cases(and(isEmpty(column(colShort)), hasPrefix(fold(single(column(colClientApp))), "other clients;")),
			text("other clients"), column(colShort))},
		{colIsApp, "an application or managed identity, not a user", or(
			in(column(colCategory), "serviceprincipalsigninlogs", "managedidentitysigninlogs", "microsoftserviceprincipalsigninlogs"),
			and(isEmpty(column(colCategory)), isNotEmpty(column(colSPID)), isEmpty(column(colUserID)), isEmpty(column(colUPN))))},
		{colNameClass, "what the client app stands for", pick(column(colClient), text(signins.UnknownClass.String()),
			clients(func(r signins.ClientRow) string { return r.Class.String() })...)},
		{colNameProtocol, "and what it speaks", pick(column(colClient), protocolName(signins.UnknownProtocol),
			clients(func(r signins.ClientRow) string { return r.Protocol.String() })...)},
		{colFrontEnd, "Exchange Online's front end signs in for a client with basic authentication", inFold(column(colAgent), rows.Agents...)},
		{colClientClass, "legacy by name or by user agent", cases(column(colIsApp), notApplicable,
			or(isClass(colNameClass, legacy), column(colFrontEnd)), text(legacy), column(colNameClass))},
		{colProtocol, "", cases(column(colIsApp), protocolName(signins.NoProtocol), isClass(colNameClass, legacy), column(colNameProtocol),
			column(colFrontEnd), protocolName(signins.OtherLegacy), column(colNameProtocol))},
	}
	unlisted := not(or(column(colIsApp), column(colFrontEnd), isEmpty(column(colClient)), in(column(colClient), listed...)))
	strange := and(equal(column(colProtocol), signins.UnknownProtocol.String()), isClass(colClass, legacy), isNotEmpty(column(colClientApp)))
	if d == signins.WorkbookCompatible {
		steps = append(steps,
			step{colClass, "as Microsoft's workbook counts", cases(column(colIsApp), notApplicable,
				and(isNotEmpty(column(colHomeTenant)), isNotEmpty(column(colResourceTenant)), not(same(column(colHomeTenant), column(colResourceTenant)))), notApplicable,
				and(isEmpty(column(colClientApp)), has(column(colMissing), "clientAppUsed,")), className(signins.UnknownClass),
				or(has(fold(column(colClientApp)), "browser"), has(fold(column(colClientApp)), "mobile apps and desktop clients")), text(modern), text(legacy))},
			step{colByAgent, "", no},
			step{colUnlisted, "a client app that no table knows", strange})
	} else {
		steps = append(steps,
			step{colClass, "", column(colClientClass)},
			step{colByAgent, "legacy by its user agent alone", and(not(column(colIsApp)), column(colFrontEnd), not(isClass(colNameClass, legacy)))},
			step{colUnlisted, "a client app that no table knows", or(unlisted, strange)})
	}
	right := isClass(colRightByCode, yesText)
	return append(steps,
		step{colROPC, "OAuth 2.0's password grant", match(column(colAuthProtocol), flag("ropc"))},
		step{colDeviceCode, "", or(match(column(colAuthProtocol), flag("devicecode")), inFold(column(colTransfer), "deviceCodeFlow"))},
		step{colNativeMail, "a phone's own mail app, ActiveSync over OAuth", and(isClass(colClass, modern),
			or(in(column(colAppID), rows.NativeMail...), and(isEmpty(column(colAppID)), in(fold(column(colApp)), names...))))},
		step{colCredential, "what proved the user", cases(
			or(has(column(colMethods), "x.509"), has(column(colMethods), "certificate")), text(signins.Certificate.String()),
			or(has(column(colMethods), "\npassword\n"), column(colROPC)), text(signins.Password.String()),
			not(or(isEmpty(column(colIncomingToken)), inFold(column(colIncomingToken), "none"))), text(signins.Token.String()),
			and(isClass(colClientClass, legacy), not(equal(column(colProtocol), activeSync))), text(signins.Password.String()),
			text(signins.UnknownCredential.String()))},
		step{colBasic, "whether a legacy client sent a password", cases(not(isClass(colClass, legacy)), unknown,
			equal(column(colCredential), signins.Certificate.String()), noText,
			or(not(equal(column(colProtocol), activeSync)), equal(column(colCredential), signins.Password.String())), text(yesText), unknown)},
		step{colOutcome, "how it ended, by the error code", cases(isNull(column(colCode)), text(signins.UnknownOutcome.String()),
			pickInt(column(colCode), text(signins.OtherFailure.String()), codes(func(r signins.CodeRow) string { return r.Outcome.String() })...))},
		step{colSuccess, "", equal(column(colOutcome), success)},
		step{colRightByCode, "whether the code shows that the first factor was right", cases(isNull(column(colCode)), unknown,
			pickInt(column(colCode), unknown, codes(func(r signins.CodeRow) string {
				if r.Password == crossprem.AnswerUnknown {
					return ""
				}
				return r.Password.String()
			})...))},
		step{colGuess, "what guessing at passwords or names looks like", cases(isNull(column(colCode)), no,
			pickInt(column(colCode), text("no"), codes(func(r signins.CodeRow) string {
				if r.Guess && r.Password != crossprem.Yes {
					return yesText
				}
				return ""
			})...).isText(yesText))},
		step{colRight, "a success proves a password only where one was sent", cases(
			and(right, or(in(column(colCredential), signins.Token.String(), signins.Certificate.String()),
				and(isZero(column(colCode)), not(equal(column(colCredential), signins.Password.String()))))), unknown,
			column(colRightByCode))},
		step{colKind, "what it is as evidence of attacks", cases(
			or(equal(column(colClass), signins.NotApplicable.String()), isEmpty(column(colIP)), isNull(column(colTime))), text(""),
			and(column(colGuess), in(column(colOutcome), signins.NoSuchUser.String(), signins.NoSuchTenant.String())), text("unknown-name"),
			and(column(colGuess), equal(column(colOutcome), signins.LockedOrBlockedIP.String()), has(column(colReason), "malicious")), text("address-blocked"),
			and(column(colGuess), equal(column(colOutcome), signins.LockedOrBlockedIP.String())), text("locked-out"),
			and(column(colGuess), in(column(colOutcome), signins.AccountDisabled.String(), signins.AppOrClientError.String(), signins.PasswordExpired.String())), text("weak-guess"),
			column(colGuess), text("wrong-password"),
			and(column(colSuccess), or(in(column(colCredential), signins.Token.String(), signins.Certificate.String()),
				and(equal(column(colCredential), signins.UnknownCredential.String()), has(column(colMethods), "\npreviously satisfied")))), text("session"),
			column(colSuccess), text("accepted"),
			equal(column(colRight), yesText), text("password-stopped"),
			text(""))},
		step{colHour, "failures are counted by the hour", cases(in(column(colKind), failures...), hour(column(colTime)), noTime)},
	)
}

// isText is whether e is the text t.
func (e expr) isText(t string) expr { return equal(e, t) }

// flag is a regular expression that finds one of a list of words with commas
// in between, in any letter case.
func flag(word string) string { return `(?i)(^|,)[` + blanks + `]*` + word + `[` + blanks + `]*(,|$)` }
