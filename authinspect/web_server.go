package authinspect

import (
	"net/url"
	"regexp"
	"strings"
)

var (
	exchangeBuild = regexp.MustCompile(`^15\.\d{1,4}\.\d{1,6}\.\d{1,6}$`)
	exchangeCloud = regexp.MustCompile(`(?i)\.(?:outlook\.com|office365\.com|outlook\.cn|office365\.us|office\.com)$`)
)

// readServer recognises the software from its header fields.
func (c *conclusion) readServer(a Answer) {
	first := func(name string) string {
		if values := fieldValues(a.Header, name); len(values) > 0 {
			return shorten(values[0])
		}
		return ""
	}
	s := &c.Server
	if s.Software == "" {
		s.Software = first("Server")
	}
	if s.FrontEnd == "" {
		s.FrontEnd = first("X-Feserver")
	}
	for _, version := range []string{first("X-Owa-Version"), strings.TrimPrefix(first("X-Serverapplication"), "Exchange/")} {
		if s.Version == "" && exchangeBuild.MatchString(version) {
			s.Version = version
		}
	}
	online := strings.HasPrefix(s.Version, "15.20.") ||
		exchangeCloud.MatchString(first("X-Calculatedbetarget")) || exchangeCloud.MatchString(first("X-Calculatedfetarget"))
	challenges, _ := ParseChallenges(a.Header)
	for _, ch := range challenges {
		trusted, _ := ch.Param("trusted_issuers")
		realm, hasRealm := ch.Param("realm")
		// Any server may have an empty realm; together with a front end's name
		// it is Exchange Online.
		online = online || ch.Scheme == Bearer && strings.HasSuffix(trusted, "@*") ||
			ch.Scheme == Basic && hasRealm && realm == "" && s.FrontEnd != ""
	}
	switch {
	case online:
		s.Kind, s.Product = KindExchangeOnline, "Exchange Online"
	case s.Kind != "":
	case s.Version != "" || s.FrontEnd != "":
		s.Kind = KindExchange
	case adfsTarget(c.Target) && (strings.HasPrefix(s.Software, "Microsoft-HTTPAPI/") || strings.HasPrefix(s.Software, "Microsoft-IIS/")):
		s.Kind, s.Product = KindADFS, "AD FS"
	}
	if s.Kind == KindExchange {
		s.Product = exchangeProduct(s.Version)
	}
}

func adfsTarget(target string) bool {
	u, err := url.Parse(target)
	return err == nil && adfsPath.MatchString(u.Path)
}
