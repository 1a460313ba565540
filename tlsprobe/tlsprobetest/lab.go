package tlsprobetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"time"

	"github.com/crossprem/crossprem/tlsprobe"
)

// A Case is a server together with what is true of it.
type Case struct {
	Name     string
	Server   *Server // not started
	Accepted []tlsprobe.Version
	Class    tlsprobe.Class
	Protocol string // of the Result, if Class is NotTLS or NeedsStartTLS

	// Asks, if not empty, is the dialogue to be used by the probe.
	Asks tlsprobe.Protocol
	// SNI, if not empty, is the name to be sent by the probe.
	SNI string
}

// Lab returns the servers on which version probes are known to go wrong, each
// made anew: limited version sets with and without holes, rare suites and
// groups, client certificates, intolerance, limits, bad paths, odd framing,
// dialogues before TLS, and what is no TLS at all. Those that wait have
// delays of seconds; use [Server.Dial] in a synctest bubble, or bring time.
func Lab() []Case {
	const (
		ssl3, t10, t11, t12, t13 = tlsprobe.SSL30, tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12, tlsprobe.TLS13
	)
	type suites = []tlsprobe.Suite
	var cases []Case
	add := func(name string, s *Server, class tlsprobe.Class, accepted ...tlsprobe.Version) *Case {
		if class == tlsprobe.TLS || len(accepted) > 0 {
			if s.Versions == nil && s.MinVersion == 0 && s.MaxVersion == 0 {
				s.Versions = accepted
			}
		}
		cases = append(cases, Case{Name: name, Server: s, Accepted: accepted, Class: class})
		return &cases[len(cases)-1]
	}
	plain := func(name string, s *Server, accepted ...tlsprobe.Version) { add(name, s, tlsprobe.TLS, accepted...) }
	mutual := func(name string, s *Server, accepted ...tlsprobe.Version) {
		s.ClientCertificate = true
		add(name, s, tlsprobe.ClientCertificateAsked, accepted...)
	}

	// Versions.
	plain("tls10-only", &Server{}, t10)
	plain("tls11-only", &Server{}, t11)
	plain("tls12-only", &Server{}, t12)
	plain("tls13-only", &Server{}, t13)
	plain("tls10-13", &Server{}, t10, t11, t12, t13)
	plain("tls10-12", &Server{}, t10, t11, t12)
	plain("tls12-13", &Server{}, t12, t13)
	plain("hole-10-12", &Server{}, t10, t12)
	plain("hole-11-13", &Server{}, t11, t13)
	plain("ssl3-only", &Server{}, ssl3)
	plain("ssl3-tls12", &Server{}, ssl3, t10, t11, t12)

	// Suites, groups and keys.
	plain("tls12-rsakx", &Server{Suites: suites{0x009C, 0x002F}}, t12)
	plain("tls12-dhe", &Server{Suites: suites{0x009E, 0x0033}}, t12)
	plain("tls12-ecdsa", &Server{Suites: suites{0xC02B}}, t12)
	plain("tls12-ec384", &Server{Key: p384()}, t12, t13)
	plain("tls12-ed25519", &Server{Key: edwards()}, t12)
	plain("tls12-camellia", &Server{Suites: suites{0x0041, 0x0084}}, t12)
	plain("tls12-ccm8", &Server{Suites: suites{0xC0AE}}, t12)
	plain("tls12-brainpool", &Server{Suites: suites{0xC02B}, Groups: []tlsprobe.Group{0x001A}}, t12)
	plain("tls12-cbc256", &Server{Suites: suites{0xC023}}, t12)
	plain("tls12-3des", &Server{Suites: suites{0x000A}}, t12)
	plain("tls12-aria", &Server{Suites: suites{0xC05C}}, t12) // of the second hello
	plain("tls12-null", &Server{Suites: suites{0x003B}}, t12) // of the third
	plain("tls10-rc4", &Server{Suites: suites{0x0005}}, t10)
	plain("tls10-dhe", &Server{Suites: suites{0x0033}}, t10)
	plain("tls10-13-dhe", &Server{Suites: suites{0x1301, 0x009E, 0x0033}}, t10, t11, t12, t13)
	plain("tls13-p521-hrr", &Server{Groups: []tlsprobe.Group{0x0019}}, t13)
	plain("tls13-x448", &Server{Groups: []tlsprobe.Group{0x001E}}, t13)
	plain("tls13-ccm", &Server{Suites: suites{0x1304}}, t13)
	plain("tls13-needs-share", &Server{NoEmptyKeys: true}, t13)

	// Names and client certificates.
	c := add("sni-required", &Server{ServerName: "mail.contoso.test", Names: []string{"mail.contoso.test"}}, tlsprobe.TLS, t12, t13)
	c.SNI = "mail.contoso.test"
	c = add("sni-other", &Server{ServerName: "mail.contoso.test", MinVersion: t12}, tlsprobe.SNINeeded)
	c.SNI = "other.contoso.test"
	c = add("sni-reset", &Server{ServerName: "mail.contoso.test", OtherName: Reset}, tlsprobe.Reset) // as a server does that cuts everybody off
	c.SNI = "other.contoso.test"
	c = add("sni-fault", &Server{ServerName: "mail.contoso.test", OtherNameAlert: 80, MaxVersion: t12}, tlsprobe.Declined)
	c.SNI = "other.contoso.test"
	plain("psk-13", &Server{Versions: []tlsprobe.Version{t12, t13}, PSKOnly: []tlsprobe.Version{t13}}, t12)
	mutual("mtls12", &Server{}, t12)
	mutual("mtls13", &Server{}, t13)
	mutual("mtls12-13", &Server{}, t12, t13)
	mutual("mtls10-12", &Server{}, t10, t11, t12)
	mutual("mtls12-dhe", &Server{Suites: suites{0x009E}}, t12)

	// Ways to refuse.
	plain("refuse-alert-40", &Server{RefusalAlert: alertHandshakeFailure}, t13)
	plain("refuse-reset", &Server{Refusal: Reset}, t12)
	plain("refuse-hang-up", &Server{Refusal: HangUp}, t12, t13)

	// Defects.
	add("intolerant-12", &Server{Intolerant: t11, Cut: HangUp}, tlsprobe.Intolerant, t10)
	add("intolerant-13", &Server{Intolerant: t13, Cut: HangUp}, tlsprobe.Intolerant, t10, t11, t12)
	add("intolerant-13-rst", &Server{Intolerant: t13, Cut: Reset}, tlsprobe.Intolerant, t10, t11, t12)
	plain("f5-hang", &Server{HangFrom: 256, HangTo: 511}, t12, t13)
	plain("max64-suites", &Server{MaxSuites: 64, Cut: HangUp}, t10, t11, t12)
	add("short-hello", &Server{MaxHello: 300}, tlsprobe.ShortHelloOnly, t10, t11, t12)
	plain("slow-2s", &Server{Delay: 2 * time.Second}, t12, t13)
	plain("warn-then-hello", &Server{Warning: alertUnrecognizedName}, t10, t11, t12)
	plain("fragmented", &Server{Record: 7}, t10, t11, t12)
	add("ratelimit-3cps", &Server{PerSecond: 3, Cut: Reset}, tlsprobe.RateLimited, t10, t11, t12, t13)
	add("flaky-3rd", &Server{EveryNth: 3, Cut: Reset}, tlsprobe.RateLimited, t10, t11, t12, t13)

	// Nobody to negotiate with.
	add("alert40-all", &Server{OnlyAlert: alertHandshakeFailure}, tlsprobe.Declined)
	add("alert70-all", &Server{OnlyAlert: alertProtocolVersion}, tlsprobe.Declined)
	add("alert80-all", &Server{OnlyAlert: 80}, tlsprobe.Declined)
	add("alert112-all", &Server{OnlyAlert: alertUnrecognizedName}, tlsprobe.SNINeeded)
	add("rst-on-hello", &Server{OnHello: Reset}, tlsprobe.Reset)
	add("fin-on-hello", &Server{OnHello: HangUp}, tlsprobe.Closed)
	add("fin-on-accept", &Server{OnAccept: HangUp}, tlsprobe.Closed)
	add("tarpit", &Server{OnHello: Hang}, tlsprobe.Silent)
	add("truncated", &Server{MinVersion: ssl3, Truncate: 20}, tlsprobe.Closed)
	c = add("plain-http", &Server{Reply: "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"}, tlsprobe.NotTLS)
	c.Protocol = "http"
	c = add("ssh-banner", &Server{Banner: "SSH-2.0-OpenSSH_9.2\r\n"}, tlsprobe.NotTLS)
	c.Protocol = "ssh"
	c = add("smtp-banner", &Server{Banner: "220 mail.contoso.test ESMTP\r\n"}, tlsprobe.NeedsStartTLS)
	c.Protocol = "smtp"

	// Dialogues before TLS.
	dialogue := func(name string, protocol tlsprobe.Protocol, s *Server, class tlsprobe.Class, accepted ...tlsprobe.Version) {
		s.StartTLS = protocol
		add(name, s, class, accepted...).Asks = protocol
	}
	dialogue("smtp-starttls", tlsprobe.SMTP, &Server{}, tlsprobe.TLS, t10, t11, t12, t13)
	dialogue("smtp-tls10", tlsprobe.SMTP, &Server{}, tlsprobe.TLS, t10)
	dialogue("imap-starttls", tlsprobe.IMAP, &Server{}, tlsprobe.TLS, t12, t13)
	dialogue("pop3-stls", tlsprobe.POP3, &Server{}, tlsprobe.TLS, t12)
	dialogue("ldap-starttls", tlsprobe.LDAP, &Server{}, tlsprobe.TLS, t12, t13)
	dialogue("tds-prelogin", tlsprobe.TDS, &Server{}, tlsprobe.TLS, t10, t11, t12)
	dialogue("smtp-none", tlsprobe.SMTP, &Server{HideStartTLS: true}, tlsprobe.StartTLSRefused)
	dialogue("smtp-454", tlsprobe.SMTP, &Server{RefuseStartTLS: "454 4.7.0 TLS not available"}, tlsprobe.TemporarilyUnavailable)
	dialogue("smtp-554", tlsprobe.SMTP, &Server{RefuseStartTLS: "554 5.7.3 no TLS here"}, tlsprobe.StartTLSRefused)
	dialogue("smtp-421-greeting", tlsprobe.SMTP, &Server{Greeting: "421 4.3.2 too busy"}, tlsprobe.TemporarilyUnavailable)
	dialogue("smtp-450-ehlo", tlsprobe.SMTP, &Server{RefuseEHLO: "450 4.7.1 come back later"}, tlsprobe.TemporarilyUnavailable)
	dialogue("smtp-421-starttls", tlsprobe.SMTP, &Server{RefuseStartTLS: "421 4.4.5 too many"}, tlsprobe.TemporarilyUnavailable)
	dialogue("smtp-421-first", tlsprobe.SMTP, &Server{Greeting: "421 4.3.2 too busy", FalterFirst: 7}, tlsprobe.RateLimited, t12, t13)
	dialogue("smtp-454-first", tlsprobe.SMTP, &Server{RefuseStartTLS: "454 4.7.0 TLS not available", FalterFirst: 4}, tlsprobe.RateLimited, t12, t13)
	dialogue("smtp-every-second", tlsprobe.SMTP, &Server{HideEveryNth: 2}, tlsprobe.TLS, t12, t13)
	dialogue("smtp-literal-refused", tlsprobe.SMTP, &Server{RefuseLiteral: true}, tlsprobe.TLS, t12, t13)
	dialogue("smtp-ehlo-refused", tlsprobe.SMTP, &Server{RefuseEHLO: "550 5.7.1 no such name"}, tlsprobe.EHLORefused)
	dialogue("imap-no", tlsprobe.IMAP, &Server{RefuseStartTLS: "NO not now"}, tlsprobe.StartTLSRefused)
	dialogue("pop3-err", tlsprobe.POP3, &Server{RefuseStartTLS: "-ERR not now"}, tlsprobe.StartTLSRefused)
	dialogue("ldap-unavailable", tlsprobe.LDAP, &Server{RefuseStartTLS: "not now"}, tlsprobe.StartTLSRefused)
	dialogue("tds-no-encryption", tlsprobe.TDS, &Server{HideStartTLS: true}, tlsprobe.StartTLSRefused)
	return cases
}

func p384() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func edwards() crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}
