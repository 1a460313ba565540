package authinspect

import (
	"encoding/json"
	"fmt"
	"net/url"
)

func (v *visit) autodiscover() {}

func (v *visit) clients(base *url.URL) {}

// locate asks Autodiscover v2 about the caller's mailbox.
func (v *visit) locate(base *url.URL) {
	if v.Mailbox == "" || base.Scheme != "https" {
		return
	}
	for _, protocol := range []string{"EWS", "ActiveSync"} {
		v.wg.Go(func() {
			u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: "/autodiscover/autodiscover.json"}
			found := Located{Asked: u.String(), Protocol: protocol}
			u.RawQuery = url.Values{"Email": {v.Mailbox}, "Protocol": {protocol}, "RedirectCount": {"1"}}.Encode()
			status, body, err := v.read(u)
			var answer struct{ URL, ErrorCode string }
			switch {
			case err != nil:
				found.Error = printable(err.Error())
			case json.Unmarshal(body, &answer) != nil || answer.URL == "" && answer.ErrorCode == "":
				found.Error = fmt.Sprintf("status %d without an answer of Autodiscover", status)
			case answer.URL == "":
				found.Error = shorten(answer.ErrorCode)
			default:
				found.URL = shorten(answer.URL)
				if at, err := url.Parse(answer.URL); err == nil && at.Host != "" && v.mayFollow("Autodiscover's "+protocol, at) {
					v.visit(rankLocated, &url.URL{Scheme: "https", Host: at.Host}, exchangePaths)
				}
			}
			v.mu.Lock()
			v.o.Located = append(v.o.Located, found)
			v.mu.Unlock()
		})
	}
}
