package authpolicy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// A Question is facts together with the protocol and the day that are asked
// about, as [ParseQuestion] reads them.
type Question struct {
	Facts    Facts
	Protocol Protocol  // ProtocolUnknown if the text does not say
	At       time.Time // zero if the text does not say
}

// maxQuestion bounds the text that ParseQuestion reads, in bytes.
const maxQuestion = 1 << 20

// ParseQuestion reads facts that were written by hand, as a JSON object with
// the members
//
//	hosting           "exo", "onprem" or "unknown"
//	date, protocol    the day and the protocol that are asked about
//	user, appId, userAgent
//	userPolicy        an authentication policy: its switches by name
//	orgDefaultPolicy  likewise
//	org, mailbox      switches by name, such as "EwsEnabled": true
//	securityDefaults, caBlocksLegacy
//	easVersion        such as "16.1"
//	server            "2010", "2013", "2016", "2019", "2019cu2+", "2019cu13+" or "se"
//	authServer        "entra" or "adfs"
//	vdir              {"Basic", "Windows", "OAuth"}: what is offered on premises
//
// Here an absent member means the usual case, unlike in exports, where it is
// unknown: no policy, no default, security defaults and Conditional Access off,
// no authorization server, ActiveSync of today, OAuth2ClientProfileEnabled on,
// EwsEnabled empty, mailbox switches at their defaults. Only an absent
// SmtpClientAuthenticationDisabled of the organization is unknown, and on
// premises an absent server and what an absent vdir would offer. Settings are
// named in any letter case. Members and settings that it does not know are an
// error, which is one line and names them.
func ParseQuestion(text []byte) (Question, error) {
	var raw struct {
		Hosting          Hosting                    `json:"hosting"`
		Date             string                     `json:"date"`
		Protocol         Protocol                   `json:"protocol"`
		User             string                     `json:"user"`
		AppID            string                     `json:"appId"`
		UserAgent        string                     `json:"userAgent"`
		UserPolicy       map[string]json.RawMessage `json:"userPolicy"`
		OrgDefaultPolicy map[string]json.RawMessage `json:"orgDefaultPolicy"`
		Org              map[string]json.RawMessage `json:"org"`
		Mailbox          map[string]json.RawMessage `json:"mailbox"`
		SecurityDefaults bool                       `json:"securityDefaults"`
		CABlocksLegacy   bool                       `json:"caBlocksLegacy"`
		EASVersion       json.RawMessage            `json:"easVersion"`
		Server           Server                     `json:"server"`
		AuthServer       AuthServer                 `json:"authServer"`
		Vdir             map[string]bool            `json:"vdir"`
	}
	if len(text) > maxQuestion {
		return Question{}, fmt.Errorf("authpolicy: the facts have more than %d bytes", maxQuestion)
	}
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&raw); err != nil {
		return Question{}, fmt.Errorf("authpolicy: the facts: %.200s", oneLine(err.Error()))
	}
	if dec.More() {
		return Question{}, errors.New("authpolicy: the facts: more than one JSON value")
	}
	q := Question{Protocol: raw.Protocol}
	if raw.Date != "" {
		var err error
		if q.At, err = time.Parse(time.DateOnly, raw.Date); err != nil {
			return Question{}, fmt.Errorf("authpolicy: the facts: date %.40q is no day such as 2026-11-26", raw.Date)
		}
	}
	f := &q.Facts
	*f = Facts{
		User: raw.User, Hosting: raw.Hosting, AppID: raw.AppID, UserAgent: raw.UserAgent, Server: raw.Server, AuthServer: raw.AuthServer,
		SecurityDefaults: crossprem.AnswerOf(raw.SecurityDefaults), ConditionalAccessBlocks: crossprem.AnswerOf(raw.CABlocksLegacy),
		SMTPBasicReenabled: crossprem.No, EWSAppIDsKnown: crossprem.Yes, EWSAgentsKnown: crossprem.Yes, ActiveSync16: crossprem.Yes,
		OrgSwitches: map[string]Switch{}, MailboxSwitches: map[string]Switch{},
	}
	if f.AuthServer == AuthServerUnknown {
		f.AuthServer = NoAuthServer
	}
	for _, names := range mailboxSwitches {
		for _, name := range names {
			f.MailboxSwitches[name] = NotSet
		}
	}
	for _, name := range []string{"SmtpClientAuthenticationDisabled", "MapiHttpEnabled", "MAPIBlockOutlookRpcHttp"} {
		f.MailboxSwitches[name] = NotSet
	}
	for _, own := range ewsAgentSwitches {
		f.OrgSwitches[own.name] = NotSet
	}
	f.OrgSwitches["EwsEnabled"], f.OrgSwitches["MapiHttpEnabled"], f.OrgSwitches["OAuth2ClientProfileEnabled"] = NotSet, NotSet, True

	var err error
	if f.UserPolicy, err = assigned("userPolicy", raw.UserPolicy); err != nil {
		return Question{}, err
	}
	if f.DefaultPolicy, err = assigned("orgDefaultPolicy", raw.OrgDefaultPolicy); err != nil {
		return Question{}, err
	}
	if err := f.takeOrg(raw.Org); err != nil {
		return Question{}, err
	}
	for name, value := range raw.Mailbox {
		if name, err = switchName("mailbox", name, modelSwitches); err != nil {
			return Question{}, err
		}
		if f.MailboxSwitches[name], err = switchValue("mailbox", name, value); err != nil {
			return Question{}, err
		}
	}
	if version := strings.Trim(string(raw.EASVersion), `" `); version != "" && version != "null" {
		f.ActiveSync16, err = activeSync16(version)
		if err != nil {
			return Question{}, fmt.Errorf("authpolicy: the facts: easVersion %.40q is no version such as 16.1", version)
		}
	}
	for name, offers := range raw.Vdir {
		switch canonical(name, []string{"Basic", "Windows", "OAuth"}) {
		case "Basic":
			f.OffersBasic = crossprem.AnswerOf(offers)
		case "Windows":
			f.OffersWindows = crossprem.AnswerOf(offers)
		case "OAuth":
			f.OffersOAuth = crossprem.AnswerOf(offers)
		default:
			return Question{}, fmt.Errorf("authpolicy: the facts: vdir: %.40q is none of Basic, Windows and OAuth", name)
		}
	}
	if raw.Vdir != nil { // a directory that was described without a method does not have it
		for _, offers := range []*crossprem.Answer{&f.OffersBasic, &f.OffersWindows, &f.OffersOAuth} {
			if *offers == crossprem.AnswerUnknown {
				*offers = crossprem.No
			}
		}
	}
	return q, nil
}

// takeOrg takes the settings of the organization.
func (f *Facts) takeOrg(org map[string]json.RawMessage) (err error) {
	for name, value := range org {
		if name, err = switchName("org", name, modelSwitches); err != nil {
			return err
		}
		switch name {
		case "smtpBasicReenabled":
			s, err := switchValue("org", name, value)
			if err != nil {
				return err
			}
			f.SMTPBasicReenabled = crossprem.AnswerOf(s == True)
		case "EwsAllowedAppIDs":
			if f.EWSAppIDs, err = listValue("org", name, value); err != nil {
				return err
			}
		case "EwsApplicationAccessPolicy":
			if err := json.Unmarshal(value, &f.EWSAccess); err != nil {
				return fmt.Errorf("authpolicy: the facts: org: %s is no text", name)
			}
		case "EwsAllowList", "EwsBlockList":
			list, err := listValue("org", name, value)
			if err != nil {
				return err
			}
			f.EWSAgents = append(f.EWSAgents, list...)
		default:
			if f.OrgSwitches[name], err = switchValue("org", name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func assigned(where string, switches map[string]json.RawMessage) (Assignment, error) {
	if switches == nil {
		return NoPolicy(), nil
	}
	p := Policy{Switches: make(map[string]Switch, len(switches))}
	for name, value := range switches {
		if strings.EqualFold(name, "Name") || strings.EqualFold(name, "Identity") {
			_ = json.Unmarshal(value, &p.Name)
			continue
		}
		name, err := switchName(where, name, modelParameters())
		if err != nil {
			return Assignment{}, err
		}
		s, err := switchValue(where, name, value)
		if err != nil {
			return Assignment{}, err
		}
		p.Switches[name] = s
	}
	return Assign(p), nil
}

// canonical returns the one of names that name is but for letter case, which
// PowerShell does not mind, and "" if it is none.
func canonical(name string, names []string) string {
	if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		return names[i]
	}
	return ""
}

// switchName returns the name of a setting as it is documented. A name that is
// none is an error: taken for a setting that decides nothing, a slip of the pen
// would turn the answer.
func switchName(where, name string, names []string) (string, error) {
	if known := canonical(name, names); known != "" {
		return known, nil
	}
	return "", fmt.Errorf("authpolicy: the facts: %s: %.60q is no setting that is known", where, name)
}

// modelSwitches are the settings of organization, transport and mailbox that
// facts may name, whether they decide anything or not.
var modelSwitches = append([]string{"MapiHttpEnabled", "MAPIBlockOutlookRpcHttp", "MAPIBlockOutlookExternalConnectivity", "MAPIBlockOutlookVersions",
	"AllowLegacyTLSClients", "smtpBasicReenabled", "EwsAllowedAppIDs", "EwsApplicationAccessPolicy", "EwsAllowList", "EwsBlockList", "EwsAllowOutlook",
	"EwsAllowMacOutlook", "EwsAllowEntourage", "ECPEnabled", "MacOutlookEnabled", "OneWinNativeOutlookEnabled", "OutlookMobileEnabled", "OWAEnabled",
	"OWAforDevicesEnabled", "UniversalOutlookEnabled", "LoginType", "EnableGSSAPIAndNTLMAuth", "ExtendedProtectionPolicy", "BasicAuthentication", "DigestAuthentication",
	"WindowsAuthentication", "OAuthAuthentication", "WSSecurityAuthentication", "ExtendedProtectionTokenChecking", "IISAuthenticationMethods",
	"Name", "Identity", "DefaultAuthenticationPolicy", "AuthenticationPolicy"}, decidingSwitches...)

// modelParameters are the parameters and output properties of authentication
// policies.
func modelParameters() []string {
	names := []string{"AllowBasicAuthRest", "AllowLegacyExchangeTokens", "BlockLegacyExchangeTokens", "TenantId"}
	for _, p := range Protocols() {
		names = append(names, p.AllowBasic(), p.BlockLegacy(), p.BlockModern())
	}
	return names
}

func switchValue(where, name string, value json.RawMessage) (Switch, error) {
	switch strings.ToLower(strings.Trim(string(value), `"`)) {
	case "true":
		return True, nil
	case "false":
		return False, nil
	case "null", "":
		return NotSet, nil
	}
	// Other settings than switches are kept out, but are no mistake.
	if len(value) > 0 && (value[0] == '"' || value[0] == '[' || value[0] >= '0' && value[0] <= '9') && !slices.Contains(decidingSwitches, name) {
		return NotSet, nil
	}
	return SwitchUnknown, fmt.Errorf("authpolicy: the facts: %s: %.60q is neither true, false nor null", where, name)
}

// decidingSwitches are the switches of organization and mailbox that decide.
var decidingSwitches = []string{"EwsEnabled", "OAuth2ClientProfileEnabled", "MapiHttpEnabled", "SmtpClientAuthenticationDisabled", "MAPIBlockOutlookRpcHttp",
	"EwsAllowOutlook", "EwsAllowMacOutlook", "EwsAllowEntourage", "smtpBasicReenabled", "ActiveSyncEnabled", "ImapEnabled", "PopEnabled", "MAPIEnabled", "EXOModuleEnabled", "RemotePowerShellEnabled"}

func listValue(where, name string, value json.RawMessage) ([]string, error) {
	var list []string
	if json.Unmarshal(value, &list) == nil {
		return list, nil
	}
	var one string
	if json.Unmarshal(value, &one) != nil {
		return nil, fmt.Errorf("authpolicy: the facts: %s: %.60q is neither a list of texts nor a text", where, name)
	}
	return splitList(one), nil
}

// splitList splits a list that was printed as one text.
func splitList(s string) []string {
	return strings.FieldsFunc(strings.Trim(s, "{}"), func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
}

// activeSync16 says whether a version is 16.1 or later.
func activeSync16(version string) (crossprem.Answer, error) {
	major, minor, _ := strings.Cut(version, ".")
	a, err := strconv.Atoi(major)
	if err != nil {
		return crossprem.AnswerUnknown, err
	}
	b := 0
	if minor != "" {
		if b, err = strconv.Atoi(minor); err != nil {
			return crossprem.AnswerUnknown, err
		}
	}
	return crossprem.AnswerOf(a > 16 || a == 16 && b >= 1), nil
}

// oneLine returns s without line breaks and control characters.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
