package authinspect

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Lines that people meet, each with the row that explains it.
func TestExplainMetLines(t *testing.T) {
	for _, c := range []struct {
		protocol Protocol
		line, id string
	}{
		{SMTP, "530 5.5.1 Authentication Required. Learn more at https://support.google.com/mail/?p=WantAuthError - gsmtp", "smtp-530-gmail-55"},
		{SMTP, "530-5.7.0 Authentication Required. For more information, go to", "smtp-530-gmail-55"},
		{SMTP, "538 5.7.11 Encryption required for requested authentication mechanism", "smtp-538"},
		{SMTP, "535 Incorrect authentication data", "smtp-535-exim"},
		{SMTP, "535 5.7.0 authentication failed", "smtp-535-sendmail"},
		{SMTP, "530 5.7.1 Client was not authenticated", "smtp-530-571"},
		{SMTP, "550 5.7.1 Client does not have permissions to submit to this server", "smtp-550-571-submit"},
		{SMTP, "501 5.5.4 Invalid domain name", "smtp-501-helo"},
		{SMTP, "421 4.7.0 Too many errors on this connection, closing transmission channel", "smtp-421-errors"},
		{IMAP, "A1 BAD Command Error. 10", "imap-command-error-10"},
		{IMAP, "* BYE Server Unavailable. 15", "imap-server-unavailable"},
		{IMAP, "A1 NO Server Unavailable. 15", "imap-server-unavailable"},
		{IMAP, "* BYE Session invalidated - AccessTokenExpired", "imap-session-invalidated"},
		{IMAP, "A1 NO [WEBALERT https://accounts.google.com/signin/continue] Web login required.", "imap-gmail-weblogin"},
		{IMAP, "A1 BAD Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", "imap-plaintext-nonsecure"},
		{IMAP, "A1 NO Invalid user name or password. Please use full email address as user name.", "imap-full-address"},
		{IMAP, "A1 NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)", "imap-gmail-not-enabled"},
		{POP3, "-ERR Protocol error. 12", "pop-proto"},
		{POP3, "-ERR Protocol error. 14", "pop-proto14"},
		{POP3, "-ERR Server Unavailable. 21", "pop-server-unavailable"},
		{POP3, "-ERR [IN-USE] Unable to lock maildrop: Mailbox is locked by POP server", "pop-in-use"},
		{HTTP, `x-ms-diagnostics: 2000010;reason="ErrorCode: 'PP_E_RPS_REASON_TIMEWINDOW_EXPIRED'.";error_category="invalid_msa_ticket"`, "http-diag-2000010-time"},
	} {
		e, ok := ExplainResponse(c.protocol, c.line)
		assert.True(t, ok, c.line)
		assert.Equal(t, c.id, e.ID, c.line)
	}
}
