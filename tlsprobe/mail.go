package tlsprobe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// A MailResult is what the mail exchangers of one domain showed. It is a plain
// value, and goes into JSON and back.
type MailResult struct {
	Domain string    `json:"domain"`
	At     time.Time `json:"at"`

	// NullMX tells that the domain says that it takes no mail, RFC 7505. NoMX
	// tells that it has no MX record, so that its own address is the exchanger,
	// RFC 5321 §5.1.
	NullMX bool `json:"nullMX,omitempty"`
	NoMX   bool `json:"noMX,omitempty"`

	Hosts   []MailHost `json:"hosts"` // the most preferred first
	Omitted int        `json:"omitted,omitempty"`
}

// A MailHost is one mail exchanger.
type MailHost struct {
	Host       string `json:"host"`
	Preference uint16 `json:"preference"`

	// ExchangeOnline tells that the host is one of Exchange Online's; it is then
	// not asked, and Result is nil.
	ExchangeOnline bool `json:"exchangeOnline,omitempty"`

	Result  *Result `json:"result,omitempty"`
	Problem string  `json:"problem,omitempty"` // why there is no Result
}

// maxExchangers is how many mail exchangers of a domain are asked.
const maxExchangers = 16

// exchangeOnline are the domains of Exchange Online's mail exchangers, by
// cloud: worldwide and GCC (the second for DNSSEC), GCC High and DoD, 21Vianet.
// https://learn.microsoft.com/microsoft-365/enterprise/external-domain-name-system-records
var exchangeOnline = []string{
	"mail.protection.outlook.com", "mx.microsoft", "mail.protection.office365.us", "mail.protection.partner.outlook.cn",
}

// IsExchangeOnline reports whether host is a mail exchanger of Exchange Online.
func IsExchangeOnline(host string) bool {
	host = strings.ToLower(trimDot(host))
	return slices.ContainsFunc(exchangeOnline, func(domain string) bool { return strings.HasSuffix(host, "."+domain) })
}

// ProbeMail asks the mail exchangers of a domain through STARTTLS on port 25,
// each as [Prober.Probe] does. An exchanger whose name leads nowhere is told in
// its Problem. Errors are [ErrBadTarget], [ErrBadSetting], an
// *[UnreachableError] if the domain cannot be looked up, or ctx's.
func (p *Prober) ProbeMail(ctx context.Context, domain string) (*MailResult, error) {
	domain = trimDot(domain)
	if domain == "" || len(domain) > 253 || strings.ContainsAny(domain, "@:/ \t\r\n\x00") || net.ParseIP(domain) != nil {
		return nil, badTarget("%.80q is no domain", domain)
	}
	if strings.ContainsFunc(domain, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, badTarget("the domain %.80q is not ASCII; international names begin with xn--", domain)
	}
	now := p.Now
	if now == nil {
		now = time.Now
	}
	m := &MailResult{Domain: domain, At: now().Round(0).UTC()}
	if err := p.exchangers(ctx, m); err != nil {
		return nil, err
	}
	asking := *p
	asking.StartTLS, asking.SNI = SMTP, ""
	port := strconv.Itoa(int(cmp.Or(p.MailPort, 25)))
	where := make(map[string]int)
	var targets []Target
	for i, host := range m.Hosts {
		if !host.ExchangeOnline {
			addr := net.JoinHostPort(host.Host, port)
			where[addr] = i
			targets = append(targets, Target{Addr: addr})
		}
	}
	for r, err := range asking.ProbeAll(ctx, slices.Values(targets)) {
		host := &m.Hosts[where[r.Target]]
		if errors.Is(err, ErrBadSetting) {
			return nil, err
		}
		if err != nil {
			host.Problem = oneLine(err)
			continue
		}
		host.Result = r
	}
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("tlsprobe: %s: %w", domain, err)
	}
	return m, nil
}

// exchangers looks up the mail exchangers of the domain of m.
func (p *Prober) exchangers(ctx context.Context, m *MailResult) error {
	resolve := p.ResolveMX
	if resolve == nil {
		resolve = net.DefaultResolver.LookupMX
	}
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	records, err := inTime(ctx, func() ([]*net.MX, error) { return resolve(ctx, m.Domain) })
	var notFound *net.DNSError
	switch {
	case len(records) > 0: // an error then tells that one of them is no name
	case err == nil, errors.As(err, &notFound) && notFound.IsNotFound:
		m.NoMX = true
		m.Hosts = []MailHost{{Host: m.Domain}}
		return nil
	default:
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
			return fmt.Errorf("tlsprobe: %s: %w", m.Domain, cause)
		}
		return &UnreachableError{Target: m.Domain, Err: err}
	}
	if len(records) == 1 && (records[0].Host == "." || records[0].Host == "") {
		m.NullMX = true
		return nil
	}
	seen := make(map[string]bool)
	for _, record := range slices.SortedStableFunc(slices.Values(records), func(a, b *net.MX) int { return cmp.Compare(a.Pref, b.Pref) }) {
		host := strings.ToLower(trimDot(record.Host))
		switch {
		case host == "" || host == "." || seen[host]:
		case len(m.Hosts) == maxExchangers:
			m.Omitted++
		default:
			m.Hosts = append(m.Hosts, MailHost{Host: host, Preference: record.Pref, ExchangeOnline: IsExchangeOnline(host)})
		}
		seen[host] = true
	}
	return nil
}

var (
	ruleMailTLS = rules.Declare(crossprem.Rule{ID: "tls-mail-unsecured", Severity: crossprem.Critical,
		Title: "Mail from Exchange Online to this host could not be secured", PassedTitle: "Mail from Exchange Online to this host can be secured",
		Remedy:  "Offer STARTTLS with TLS 1.2 or later on port 25: without it Exchange Online sends in plain text, or keeps the mail back where a connector asks for TLS.",
		Sources: []string{srcMailTLS, srcOffice365, srcRFC3207}})
	ruleMailCert = rules.Declare(crossprem.Rule{ID: "tls-mail-certificate", Severity: crossprem.Warning,
		Title:       "The certificate of the mail host does not pass where it is checked",
		PassedTitle: "The certificate of the mail host passes where it is checked",
		Remedy:      "Use a certificate of a public authority with the name of the mail host: connectors that check certificates, and MTA-STS, hold mail back otherwise.",
		Sources:     []string{srcMailTLS, "RFC 8461 §4 (MTA-STS)", srcRFC9525}})
)

// AssessMail judges whether mail from Exchange Online to the domain of m could
// be secured, on the day at. The subject is the domain, the part the host. What
// else is wrong with a host is told by [Assess] of its Result. DANE and MTA-STS
// are not looked up. The findings are the worst first.
func AssessMail(m *MailResult, at time.Time) []crossprem.Finding {
	if m == nil || m.Domain == "" {
		return []crossprem.Finding{ruleMailTLS.Unknown("no domain", "There is no result to judge.")}
	}
	if len(m.Hosts) == 0 {
		why := "No mail host is known."
		if m.NullMX {
			why = "The domain says with a null MX record that it takes no mail."
		}
		return []crossprem.Finding{ruleMailTLS.Unknown(m.Domain, why)}
	}
	var list []crossprem.Finding
	for _, host := range m.Hosts {
		list = append(list, assessMailHost(m, host, at)...)
	}
	slices.SortStableFunc(list, crossprem.WorstFirst)
	return list
}

func assessMailHost(m *MailResult, host MailHost, at time.Time) []crossprem.Finding {
	r := host.Result
	name := crossprem.Val("host", host.Host)
	secured := func(f crossprem.Finding) crossprem.Finding { return f.WithPart(host.Host) }
	certificate := func(f crossprem.Finding) crossprem.Finding { return f.WithPart(host.Host) }
	switch {
	case host.ExchangeOnline:
		return []crossprem.Finding{secured(ruleMailTLS.Passed(m.Domain).Explain("The mail exchanger {host} is Exchange Online itself.", name))}
	case r == nil:
		return []crossprem.Finding{secured(ruleMailTLS.Unknown(m.Domain, "The host was not asked. "+sentence(host.Problem)))}
	}
	var list []crossprem.Finding
	spread := false
	accepted, refused, unknown := 0, 0, 0
	for _, one := range r.All() {
		a := assessment{r: one, at: at}
		switch {
		case one.StartTLSVaries:
			spread = true
			unknown++
		case one.Offers(TLS12, TLS13):
			accepted++
		case one.Class == StartTLSRefused, one.Class == NotTLS, a.allRefused() && one.Versions[TLS13].Support == Refused,
			one.answered() && one.Versions[TLS12].Support == Refused && one.Versions[TLS13].Support == Refused:
			refused++
		default:
			unknown++
		}
	}
	detail := "The class of {host} is {class}."
	values := []crossprem.Value{name, crossprem.Val("class", r.Class)}
	if r.Detail != "" {
		detail += " " + sentence(r.Detail)
	}
	switch {
	case refused > 0:
		f := ruleMailTLS.Failed(m.Domain).Explain(detail, values...)
		if r.answered() {
			f = f.Explain("No version above TLS 1.1 is accepted, and Exchange Online sends with TLS 1.2 or later.").DueOn(mailFlowBegin, at)
		}
		list = append(list, secured(f))
	case unknown > 0:
		why := "Not every address of the host answered well enough."
		if spread {
			why = "STARTTLS is offered on some connections only, so that some mail goes in plain text."
		}
		list = append(list, secured(ruleMailTLS.Unknown(m.Domain, why).Explain(detail, values...)))
	case accepted > 0:
		list = append(list, secured(ruleMailTLS.Passed(m.Domain).Explain(detail+" TLS 1.2 or later is accepted.", values...)))
	}
	switch {
	case len(r.Chain) == 0:
		list = append(list, certificate(ruleMailCert.Unknown(m.Domain, "No certificate was seen.")))
	case r.Trusted:
		list = append(list, certificate(ruleMailCert.Passed(m.Domain).Explain("The chain of {host} leads to a trusted root and names the host.", name)))
	case r.Distrust != nil:
		list = append(list, certificate(ruleMailCert.Failed(m.Domain).Explain("The chain of {host} is not trusted here: "+oneLine(r.Distrust)+".", name)))
	default:
		list = append(list, certificate(ruleMailCert.Unknown(m.Domain, "The chain was not judged.")))
	}
	return list
}
