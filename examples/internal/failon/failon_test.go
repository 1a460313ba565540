package failon

import (
	"flag"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
)

func TestLimit(t *testing.T) {
	finding := func(status crossprem.Status, s crossprem.Severity) crossprem.Finding {
		return crossprem.Finding{Status: status, Severity: s}
	}
	after := func(args []string, code int, seen ...crossprem.Finding) int {
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		l := Flag(flags)
		require.NoError(t, flags.Parse(args))
		l.See(seen...)
		l.See()
		return l.Code(code)
	}
	warning, critical := []string{"-fail-on", "warning"}, []string{"-fail-on", "critical"}
	bad, grave := finding(crossprem.Failed, crossprem.Warning), finding(crossprem.Failed, crossprem.Critical)
	assert.Equal(t, 0, after(nil, 0, bad, grave))
	assert.Equal(t, 3, after(warning, 0, bad))
	assert.Equal(t, 3, after(warning, 0, grave))
	assert.Equal(t, 0, after(critical, 0, bad))
	assert.Equal(t, 3, after(critical, 0, bad, grave, bad))
	assert.Equal(t, 1, after(critical, 1, grave), "that something could not be done is the graver news")
	assert.Equal(t, 0, after(warning, 0, finding(crossprem.Unknown, crossprem.Critical), finding(crossprem.Passed, crossprem.Critical), finding(crossprem.Failed, crossprem.Info)))

	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	Flag(flags)
	assert.Error(t, flags.Parse([]string{"-fail-on", "info"}))
}
