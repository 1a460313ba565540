package authinspect

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/crossprem/crossprem"
)

// An ADFSClient is whether an AD FS knows a mail client. Modern authentication
// with AD FS works for clients that are registered there alone.
type ADFSClient struct {
	Host       string           `json:"host"`
	ClientID   string           `json:"clientId"`
	Name       string           `json:"name"`
	Registered crossprem.Answer `json:"registered"`
	Evidence   string           `json:"evidence,omitempty"`
}

// mailClients are the public identifiers of mail clients.
var mailClients = []struct{ id, name string }{
	{"d3590ed6-52b3-4102-aeff-aad2292ab01c", "Microsoft Office"},
	{"27922004-5251-4030-b22d-91ecd9a37ea4", "Outlook for iOS and Android"},
	{"f8d98a96-0999-43f5-8af3-69971c7bb423", "Apple Mail"},
	{"08162f7c-0fd2-4200-a84a-f25a4db0b584", "Thunderbird"},
}

// signInForm is what the sign-in page of AD FS holds.
var signInForm = regexp.MustCompile(`(?i)id="(?:userNameInput|loginForm|passwordInput)"`)

// clients asks an AD FS for a code for each mail client. Nobody is named, and
// the answer is the sign-in page or an error about the client.
func (v *visit) clients(base *url.URL) {
	clients := make([]ADFSClient, len(mailClients))
	var all sync.WaitGroup
	for i, client := range mailClients {
		clients[i] = ADFSClient{Host: base.Host, ClientID: client.id, Name: client.name}
		all.Go(func() {
			u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: "/adfs/oauth2/authorize", RawQuery: url.Values{
				"response_type": {"code"}, "client_id": {client.id}, "redirect_uri": {"urn:ietf:wg:oauth:2.0:oob"}, "resource": {v.bases[0].String() + "/"}}.Encode()}
			resp, body, err := v.public(http.MethodGet, v.loose, u, nil, "")
			clients[i].read(resp, body, err)
		})
	}
	all.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.o.Clients = append(v.o.Clients, clients...)
}

// read reads the answer: MSIS9223 is about a client that is not registered,
// and MSIS9224 about the address of one that is.
func (c *ADFSClient) read(resp *http.Response, body []byte, err error) {
	switch text := string(body); {
	case err != nil:
		c.Evidence = printable(err.Error())
	case strings.Contains(text, "MSIS9223"):
		c.Registered, c.Evidence = crossprem.No, "MSIS9223"
	case strings.Contains(text, "MSIS9224"):
		c.Registered, c.Evidence = crossprem.Yes, "MSIS9224"
	case resp.StatusCode == http.StatusOK && signInForm.MatchString(text):
		c.Registered, c.Evidence = crossprem.Yes, "the sign-in page"
	case adfsTarget(Answer{Status: resp.StatusCode, Header: resp.Header}.location()):
		c.Registered, c.Evidence = crossprem.Yes, "a redirect to the sign-in page"
	default:
		c.Evidence = fmt.Sprintf("status %d, which says nothing of the client", resp.StatusCode)
	}
}
