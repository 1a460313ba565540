package clients_test

import (
	"fmt"
	"time"

	"github.com/crossprem/crossprem/authinspect/clients"
)

func ExampleImpact() {
	at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	agents := []clients.Client{
		clients.RecognizeUserAgent("Microsoft Office/14.0 (Windows NT 6.1; Microsoft Outlook 14.0.5128; Pro)"),
		clients.RecognizeUserAgent("Apple-iPhone17C3/2209.90"),
		clients.RecognizeUserAgent("Microsoft Office/15.0 (Windows NT 6.1; Microsoft Outlook 15.0.4859; Pro)"),
	}
	for _, e := range clients.Impact(agents, clients.ExchangeOnline, at) {
		fmt.Println(e.Client.ID, e.Client.Version, e.Outcome, e.Rows)
	}
	// Output:
	// outlook-win-2010 14.0.5128 stops [outlook-2010]
	// ios-mail 22I90 continues-modern [ios-mail]
	// outlook-win-2013 15.0.4859 unknown [outlook-2013-default outlook-2013-keys]
}

func ExampleParseConnectionStatus() {
	rows, err := clients.ParseConnectionStatus("HTTP\tBearer*\tSSL\nRPC/HTTP\tClear [Anonymous]\tSSL [No]")
	fmt.Println(err)
	for _, r := range rows {
		fmt.Println(r.Protocol, r.Authn, r.Method)
	}
	// Output:
	// <nil>
	// HTTP Bearer* modern
	// RPC/HTTP Clear [Anonymous] basic
}

func ExampleSignInPath() {
	path, err := clients.SignInPath(clients.MethodBasic, clients.ExchangeOnline, clients.Federated)
	fmt.Println(err)
	for _, hop := range path {
		fmt.Println(hop.Sentence, hop.SeesPassword)
	}
	// Output:
	// <nil>
	// The client sends the password to Exchange Online with every request. true
	// Exchange Online hands the password to AD FS. true
	// AD FS asks a domain controller. true
	// AD FS answers with a token. false
	// Exchange Online opens the mailbox. false
}

func ExampleSignInWindow() {
	w := clients.SignInWindow("a web page with our company logo")
	fmt.Println(w.Method, w.Confidence)
	// Output: modern high
}
