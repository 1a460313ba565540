// Package plantest makes up sign-ins with which engines are tested: every
// spelling of a client app, with user agents, protocols and codes.
package plantest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

// Known are the fields that the sign-ins of SignIns know.
const known = ^signins.FieldRequestType

// spellings returns ways in which a log writes name, and some in which it does
// not.
func spellings(name string) []string {
	dotted := strings.NewReplacer("i", "\u0130", "I", "\u0130")
	kelvin := strings.NewReplacer("k", "\u212a", "K", "\u212a")
	return []string{name, strings.ToUpper(name), strings.ToLower(name), " " + name, name + "\t", "\u00a0" + name + "\u3000", strings.ReplaceAll(name, " ", " \u2009 "),
		"Other clients; " + name, "OTHER CLIENTS;" + name, name + ";", dotted.Replace(name), kelvin.Replace(name), name + "x", strings.ReplaceAll(name, "s", "\u017f")}
}

// SignIns returns sign-ins, each with a user principal name of its own. The
// zero Tables stand for the embedded ones.
func SignIns() []signins.SignIn {
	rows := (*signins.Tables)(nil).Rows()
	var names []string
	for _, r := range rows.Clients {
		names = append(names, spellings(r.Name)...)
	}
	names = append(names, "", " ", ";", "Other clients;", "Other clients; ", "other clients", "nobody knows", "line\nfeed", `quote " ' \ back`, "Mobile Apps and Desktop clients and more", "my browser")
	agents := []string{"", "Outlook/16", "\u017f"}
	for _, a := range rows.Agents {
		agents = append(agents, a, strings.ToLower(a), a+" ", "x"+a)
	}
	protocols := []string{"", "ropc", "oAuth2, ROPC ", "deviceCode", "ropc2", "none"}
	at := time.Date(2026, 11, 18, 8, 0, 0, 0, time.UTC)
	var all []signins.SignIn
	add := func(s signins.SignIn) {
		n := len(all)
		s.ID, s.UserPrincipalName = fmt.Sprintf("00000000-0000-4000-8000-%012d", n), fmt.Sprintf("user%d@contoso.test", n)
		s.Time, s.Known, s.Category, s.Interactive = at.Add(time.Duration(n)*time.Millisecond), known, signins.InteractiveUser, crossprem.Yes
		if s.IPAddress == "" {
			s.IPAddress = "192.0.2.1"
		}
		all = append(all, s)
	}
	for i, name := range names {
		for j, agent := range agents {
			for k, protocol := range protocols {
				if j > 3 && k > 0 && (i+j+k)%5 != 0 { // a part of what does not matter together
					continue
				}
				add(signins.SignIn{ClientAppUsed: name, UserAgent: agent, AuthenticationProtocol: protocol, ErrorCode: []int32{0, 50126, 50053}[(i+j+k)%3]})
			}
		}
	}
	codes := []int32{1, 999999, 50000, -1}
	for _, r := range rows.Codes {
		codes = append(codes, r.Code)
	}
	for _, code := range codes {
		for _, client := range []string{"IMAP4", "Exchange ActiveSync", "Browser", ""} {
			for _, method := range []signins.Methods{0, signins.MethodPassword, signins.MethodCertificate, signins.MethodPrevious, signins.MethodOther, signins.MethodPassword | signins.MethodPrevious} {
				for _, token := range []string{"", "NONE", "refreshToken"} {
					for _, reason := range []string{"", "blocked: malicious address"} {
						if reason != "" && code != 50053 {
							continue
						}
						add(signins.SignIn{ClientAppUsed: client, ErrorCode: code, Methods: method, IncomingTokenType: token, FailureReason: reason})
					}
				}
			}
		}
	}
	for _, address := range []string{"192.0.2.1:443", "[2001:db8::1]:443", "2001:db8::1", "[2001:db8::2]", "", "[]", "[x", "a:b"} {
		add(signins.SignIn{ClientAppUsed: "IMAP4", ErrorCode: 50126, IPAddress: address})
	}
	for _, app := range rows.NativeMail {
		add(signins.SignIn{ClientAppUsed: "Mobile Apps and Desktop clients", AppID: app})
		add(signins.SignIn{ClientAppUsed: "Mobile Apps and Desktop clients", AppDisplayName: strings.ToUpper(app)})
		add(signins.SignIn{ClientAppUsed: "Browser", AppID: "x", AppDisplayName: app})
	}
	add(signins.SignIn{ClientAppUsed: "IMAP4", HomeTenantID: "a", ResourceTenantID: "b"})
	add(signins.SignIn{ClientAppUsed: "IMAP4", HomeTenantID: "a", ResourceTenantID: "a"})
	add(signins.SignIn{ClientAppUsed: "IMAP4", HomeTenantID: "a"})
	add(signins.SignIn{ClientAppUsed: "IMAP4", OriginalTransferMethod: "DEVICEcodeFLOW"})
	return all
}

// MethodNames are the methods of m as authenticationDetails lists them.
func MethodNames(m signins.Methods) []string {
	var names []string
	for _, n := range []struct {
		method signins.Methods
		name   string
	}{{signins.MethodPassword, "Password"}, {signins.MethodCertificate, "X.509 Certificate"}, {signins.MethodPrevious, "Previously satisfied"}, {signins.MethodOther, "Passwordless phone"}} {
		if m.Has(n.method) {
			names = append(names, n.name)
		}
	}
	return names
}

// Require compares what an engine says of each event, by user principal name,
// with what package signins says of the same events as it reads them.
func Require(t *testing.T, definition signins.Definition, events []signins.SignIn, got map[string]signins.Group) {
	t.Helper()
	require.Len(t, got, len(events))
	for i := range events {
		s := &events[i]
		v := definition.Classify(s)
		want := signins.Group{Verdict: signins.Verdict{Class: v.Class, Protocol: v.Protocol, Outcome: v.Outcome, BasicAuth: v.BasicAuth, PasswordRight: v.PasswordRight,
			ROPC: yesOnly(v.ROPC), DeviceCode: yesOnly(v.DeviceCode), NativeMail: yesOnly(v.NativeMail)}, Kind: signins.KindOf(s, &v)}
		if v.Reason == signins.ByUserAgent {
			want.Verdict.Reason = v.Reason
		}
		if v.Reason == signins.UnlistedClient || v.Protocol == signins.UnknownProtocol && v.Class == signins.Legacy && s.ClientAppUsed != "" {
			want.Verdict.Reason = signins.UnlistedClient
		}
		found := got[s.UserPrincipalName]
		require.Equal(t, want, signins.Group{Verdict: found.Verdict, Kind: found.Kind}, "%+v", *s)
	}
}

func yesOnly(a crossprem.Answer) crossprem.Answer {
	if a == crossprem.Yes {
		return a
	}
	return crossprem.AnswerUnknown
}
