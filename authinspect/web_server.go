package authinspect

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// exchangeCloud is the end of the host names of Exchange Online.
var exchangeCloud = regexp.MustCompile(`(?i)(?:^|\.)(?:outlook\.com|office365\.com|outlook\.cn|office365\.us|office\.com)$`)

// serverSigns are what the answers of one URL show of the server.
type serverSigns struct {
	cloudHost  bool   // a host of Exchange Online is named
	version    string // of Exchange, the first that is a build
	family     string // major and minor version, as ActiveSync has it
	anyTenant  bool   // a Bearer challenge trusts any tenant
	emptyRealm bool   // Basic with an empty realm
	adfs       bool   // answers as AD FS does
	ownName    string // a host name that the server calls itself
}

// readServer collects what one answer shows of the software.
func (c *conclusion) readServer(a Answer) {
	first := func(name string) string {
		if values := fieldValues(a.Header, name); len(values) > 0 {
			return shorten(strings.TrimSpace(values[0]))
		}
		return ""
	}
	s, signs := &c.Server, &c.signs
	if s.Software == "" {
		s.Software = first("Server")
	}
	if s.FrontEnd == "" {
		s.FrontEnd = first("X-Feserver")
	}
	for _, name := range []string{"X-Owa-Version", "X-Serverapplication"} {
		version := strings.TrimPrefix(first(name), "Exchange/")
		b, ok := parseBuild(version)
		switch {
		case !ok || b.product() == "" && !b.online():
		case signs.version == "":
			signs.version = b.String()
		case signs.version != b.String():
			c.warn(a.Step, "%s says %s where %s was said before: several servers may answer here", name, b, signs.version)
		}
	}
	if signs.family == "" {
		signs.family = first("Ms-Server-Activesync")
	}
	signs.cloudHost = signs.cloudHost || exchangeCloud.MatchString(first("X-Calculatedbetarget")) || exchangeCloud.MatchString(first("X-Calculatedfetarget"))
	if target := strings.ToLower(first("X-Calculatedbetarget")); signs.ownName == "" && isDomain(target) && !exchangeCloud.MatchString(target) {
		signs.ownName = target
	}
	challenges, _ := ParseChallenges(a.Header)
	windows := false
	for _, ch := range challenges {
		trusted, _ := ch.Param("trusted_issuers")
		realm, hasRealm := ch.Param("realm")
		signs.anyTenant = signs.anyTenant || ch.Scheme == Bearer && strings.HasSuffix(trusted, "@*")
		signs.emptyRealm = signs.emptyRealm || ch.Scheme == Basic && hasRealm && realm == ""
		if own := strings.ToLower(realm); signs.ownName == "" && ch.Scheme == Basic && isDomain(own) {
			signs.ownName = own
		}
		windows = windows || ch.Scheme == NTLM || ch.Scheme == Negotiate
	}
	// A path proves nothing, and http.sys answers for whatever runs on it.
	if software := first("Server"); adfsTarget(c.Target) && (strings.HasPrefix(software, "Microsoft-HTTPAPI/") || strings.HasPrefix(software, "Microsoft-IIS/")) {
		signs.adfs = signs.adfs || a.Status == http.StatusOK || a.Status == http.StatusUnauthorized && windows ||
			a.location() != "" && adfsTarget(a.location())
	}
}

// judgeServer says what the signs prove together. A host of Exchange Online
// comes first, since it has shown builds of Exchange Server too; then the
// build, which no on-premises server shares with the service; a trust in any
// tenant and an empty realm are what a proxy or a setting may leave as well.
func (c *conclusion) judgeServer() {
	s, signs := &c.Server, &c.signs
	u, err := url.Parse(c.Target)
	b, isBuild := parseBuild(signs.version)
	switch {
	case signs.cloudHost, err == nil && exchangeCloud.MatchString(u.Hostname()), isBuild && b.online():
		s.Kind, s.Product = KindExchangeOnline, "Exchange Online"
		if isBuild {
			s.Version = b.String()
		}
	case isBuild && b == gromoxBuild:
		s.Kind, s.Product, s.Version = KindGromox, "Gromox (grommunio)", ""
	case isBuild:
		s.setBuild(signs.version)
	case signs.anyTenant, signs.emptyRealm && s.FrontEnd != "":
		s.Kind, s.Product = KindExchangeOnline, "Exchange Online"
	case s.FrontEnd != "":
		s.setBuild(signs.family)
	case signs.adfs:
		s.Kind, s.Product = KindADFS, "AD FS"
	}
}

func adfsTarget(target string) bool {
	u, err := url.Parse(target)
	return err == nil && adfsPath.MatchString(u.Path)
}
