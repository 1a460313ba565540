package hostport

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestComplete(t *testing.T) {
	check := func(target, protocol, want string) {
		t.Helper()
		assert.Equal(t, want, Complete(target, protocol))
		assert.Equal(t, want, Complete(want, protocol), "what is complete stays")
	}
	check("mail.contoso.test", "", "mail.contoso.test:443")
	check("mail.contoso.test", "smtp", "mail.contoso.test:25")
	check("mail.contoso.test:8443", "", "mail.contoso.test:8443")
	check("192.0.2.1", "imap", "192.0.2.1:143")
	check("2001:db8::1", "", "[2001:db8::1]:443")
	check("[2001:db8::1]", "", "[2001:db8::1]:443")
	check("[2001:db8::1]:25", "smtp", "[2001:db8::1]:25")
	check("bücher.test", "", "bücher.test:443")
	for _, other := range []string{"", "-", "https://mail.contoso.test", "a b", "mail.contoso.test:", ":443", "a:b:c", "mail/x"} {
		check(other, "", other)
	}
	check("host", "gopher", "host")
}
