package authinspect_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
)

// mechanisms returns those of a state, with USER of POP3, sorted; nil for nil.
func mechanisms(s *authinspect.MailState) []string {
	if s == nil {
		return nil
	}
	names := append([]string{}, s.Mechanisms...)
	if slices.Contains(s.Capabilities, "USER") {
		names = append(names, "USER")
	}
	slices.Sort(names)
	return names
}

// Three servers as real tools show their dialogues.
func TestMailDialogues(t *testing.T) {
	files := readZip(t, "dialogues.zip")
	var index []struct {
		File                string
		Protocol            authinspect.Protocol
		BeforeTLS, AfterTLS []string
		StartTLS            *bool
		Server              string
	}
	require.NoError(t, json.Unmarshal([]byte(files["index.json"]), &index))
	right := 0
	for _, want := range index {
		if t.Run(want.File, func(t *testing.T) {
			r, err := authinspect.ReadMailDialogue(strings.NewReader(files[want.File]), want.Protocol)
			require.NoError(t, err)
			assert.Equal(t, want.BeforeTLS, mechanisms(r.Clear))
			assert.Equal(t, want.AfterTLS, mechanisms(r.Secure))
			var offered *bool
			if r.StartTLS != authinspect.StrengthUnknown {
				yes := r.StartTLS != authinspect.Refused
				offered = &yes
			}
			assert.Equal(t, want.StartTLS, offered)
			if want.Server != "" {
				assert.Equal(t, want.Server, r.Server.Kind)
			}
			authinspect.AssessMail(r, november2026)
		}) {
			right++
		}
	}
	t.Logf("%d dialogues of %d are read right", right, len(index))
	assert.Len(t, index, 25)
	assert.Equal(t, len(index), right)
}

func TestMailDialogueForms(t *testing.T) {
	read := func(protocol authinspect.Protocol, text string) *authinspect.MailResult {
		t.Helper()
		r, err := authinspect.ReadMailDialogue(strings.NewReader(text), protocol)
		require.NoError(t, err, text)
		return r
	}
	for _, text := range []string{
		"250-STARTTLS\n250-AUTH NTLM LOGIN\n250 OK\n",
		"220 mail.contoso.test ESMTP\n250-mail.contoso.test Hello\n250-STARTTLS\n250 AUTH NTLM LOGIN\n",
		"250  EX01.contoso.test Hello [192.0.2.33] SIZE 37748736 PIPELINING DSN ENHANCEDSTATUSCODES STARTTLS X-ANONYMOUSTLS AUTH NTLM LOGIN X-EXPS GSSAPI NTLM 8BITMIME\n",
		"2026-11-17T08:14:02.110Z,EX01\\Client,08DD,2,192.0.2.1:587,192.0.2.7:5000,>,250  EX01.contoso.test Hello [192.0.2.33] SIZE 37748736 STARTTLS AUTH NTLM LOGIN 8BITMIME,\n",
		"| smtp-commands: EX01.contoso.test Hello [192.0.2.7], SIZE 37748736, PIPELINING, DSN, STARTTLS, AUTH NTLM LOGIN, 8BITMIME\n",
	} {
		r := read(authinspect.SMTP, text)
		require.NotNil(t, r.Clear, text)
		assert.Equal(t, []string{"NTLM", "LOGIN"}, r.Clear.Mechanisms, text)
		assert.True(t, r.Clear.StartTLS, text)
		assert.NotContains(t, r.Clear.Capabilities, "mail.contoso.test Hello")
		assert.Nil(t, r.Secure)
	}
	r := read(authinspect.IMAP, "|_imap-capabilities: IMAP4rev1 STARTTLS LOGINDISABLED AUTH=XOAUTH2\n")
	assert.Equal(t, []string{"XOAUTH2"}, r.Clear.Mechanisms)
	r = read(authinspect.POP3, "| pop3-capabilities: SASL(NTLM GSSAPI PLAIN) STLS USER TOP UIDL\n")
	assert.Equal(t, []string{"GSSAPI", "NTLM", "PLAIN", "USER"}, mechanisms(r.Clear))
	assert.True(t, r.Clear.StartTLS)
	r = read(authinspect.SMTP, "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.\n")
	assert.Nil(t, r.Clear)
	assert.NotEmpty(t, r.Warnings)
	assert.Len(t, r.Refusals, 1)
	r = read(authinspect.IMAPS, "* OK ready\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\n")
	assert.Nil(t, r.Clear)
	assert.Equal(t, []string{"PLAIN"}, r.Secure.Mechanisms)

	for _, protocol := range []authinspect.Protocol{authinspect.SMTP, authinspect.IMAP, "gopher"} {
		_, err := authinspect.ReadMailDialogue(strings.NewReader("nothing here\n"), protocol)
		assert.Error(t, err)
	}
}

// Whatever is pasted, what is named was said, and no line of the client is.
func FuzzReadMailDialogue(f *testing.F) {
	f.Add(uint8(0), "* OK hi\n> a1 CAPABILITY\n* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\n")
	f.Add(uint8(1), "+OK\nSASL PLAIN\nUSER\n.\n")
	f.Add(uint8(2), "S: 220 x\nC: EHLO x\nS: 250-x\nS: 250 AUTH LOGIN\nC: AUTH PLAIN c2VjcmV0\n")
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		protocol := mailProtocols[int(which)%len(mailProtocols)]
		r, err := authinspect.ReadMailDialogue(strings.NewReader(text), protocol)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		for _, s := range []*authinspect.MailState{r.Clear, r.Secure} {
			for _, m := range mechanisms(s) {
				require.Contains(t, strings.ToUpper(text), m)
			}
		}
		authinspect.AssessMail(r, november2026)
		_, err = json.Marshal(r)
		require.NoError(t, err)
	})
}
