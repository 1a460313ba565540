package crossprem_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A session is one command of the guide, with what it printed.
type session struct {
	line    int
	command []string // "./examples/connect" and its arguments
	input   string   // a file for standard input, or ""
	output  []string // its lines; "…" stands for any number of them
}

var quotedWord = regexp.MustCompile(`'[^']*'|\S+`)

// sessionsOf reads the blocks of a Markdown file that begin with "$ go run".
func sessionsOf(t *testing.T, file string) (list []session) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	inside := false
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside
		case !inside:
		case strings.HasPrefix(line, "$ go run "):
			s := session{line: i + 1}
			command := strings.TrimPrefix(line, "$ go run ")
			command, s.input, _ = strings.Cut(command, " < ")
			for _, word := range quotedWord.FindAllString(command, -1) {
				s.command = append(s.command, strings.Trim(word, "'"))
			}
			list = append(list, s)
		case len(list) > 0:
			list[len(list)-1].output = append(list[len(list)-1].output, strings.TrimRight(line, " "))
		}
	}
	return list
}

// CROSSPREM_WRITE=1 puts what the commands print today into the guide: of long
// outputs the first lines, and the dots after them.
func TestTheGuideIsTrue(t *testing.T) {
	const file = "examples/README.md"
	sessions := sessionsOf(t, file)
	require.GreaterOrEqual(t, len(sessions), 8)
	folder := t.TempDir()
	built := make(map[string]string)
	write := os.Getenv("CROSSPREM_WRITE") == "1"
	var fresh [][]string
	for _, s := range sessions {
		program := built[s.command[0]]
		if program == "" {
			program = filepath.Join(folder, filepath.Base(s.command[0]))
			out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, s.command[0]).CombinedOutput()
			require.NoError(t, err, string(out))
			built[s.command[0]] = program
		}
		cmd := exec.CommandContext(t.Context(), program, s.command[1:]...)
		if s.input != "" {
			in, err := os.Open(s.input)
			require.NoError(t, err)
			defer in.Close()
			cmd.Stdin = in
		}
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := cmd.Run(); err != nil {
			require.IsType(t, new(exec.ExitError), err, s.command)
		}
		got := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
		for i := range got {
			got[i] = strings.TrimRight(got[i], " ")
		}
		if write {
			const most = 12
			if len(got) > most {
				got = append(got[:most:most], "…")
			}
			fresh = append(fresh, got)
			continue
		}
		assert.True(t, fits(s.output, got), "%s:%d: %v prints now:\n%s", file, s.line, s.command, strings.Join(got, "\n"))
	}
	if !write {
		return
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var b strings.Builder
	n, skip := 0, false
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "```"):
			skip = false
		case skip:
			continue
		}
		b.WriteString(line)
		if strings.HasPrefix(line, "$ go run ") {
			b.WriteString(strings.Join(fresh[n], "\n") + "\n")
			n, skip = n+1, true
		}
	}
	require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
}

// fits reports whether lines are those of a pattern, in which "…" stands for
// any number of lines.
func fits(pattern, lines []string) bool {
	if len(pattern) == 0 {
		return len(lines) == 0
	}
	if pattern[0] == "…" {
		for i := range len(lines) + 1 {
			if fits(pattern[1:], lines[i:]) {
				return true
			}
		}
		return false
	}
	return len(lines) > 0 && pattern[0] == lines[0] && fits(pattern[1:], lines[1:])
}

func TestFits(t *testing.T) {
	lines := []string{"a", "b", "c"}
	assert.True(t, fits([]string{"a", "b", "c"}, lines))
	assert.True(t, fits([]string{"a", "…"}, lines))
	assert.True(t, fits([]string{"…", "c"}, lines))
	assert.False(t, fits([]string{"a", "c"}, lines))
	assert.False(t, fits([]string{"a"}, lines))
}
