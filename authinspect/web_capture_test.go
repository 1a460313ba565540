package authinspect_test

import (
	"archive/zip"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
)

// readZip returns the files of an archive below testdata.
func readZip(t *testing.T, name string) map[string]string {
	t.Helper()
	r, err := zip.OpenReader("testdata/" + name)
	require.NoError(t, err)
	defer r.Close()
	files := map[string]string{}
	for _, f := range r.File {
		in, err := f.Open()
		require.NoError(t, err)
		data, err := io.ReadAll(in)
		require.NoError(t, err)
		files[f.Name] = string(data)
	}
	return files
}

// Three answers as 45 forms of real tools show them.
func TestCaptures(t *testing.T) {
	files := readZip(t, "captures.zip")
	var index []struct {
		File, State string
		Schemes     []string
		Status      int
	}
	require.NoError(t, json.Unmarshal([]byte(files["index.json"]), &index))
	right := 0
	for _, want := range index {
		ok := t.Run(want.File, func(t *testing.T) {
			answers, warnings, err := authinspect.ReadAnswers(strings.NewReader(files[want.File]))
			require.NoError(t, err)
			r := authinspect.Conclude("-", "", answers...)
			got := []string{}
			for _, s := range r.Schemes {
				got = append(got, string(s))
			}
			assert.ElementsMatch(t, want.Schemes, got)
			if want.Status != 0 {
				assert.True(t, slices.ContainsFunc(answers, func(a authinspect.Answer) bool { return a.Status == want.Status }))
			}
			for _, a := range answers {
				assert.Contains(t, []int{0, 401}, a.Status)
				assert.NotContains(t, a.Header, "User-Agent")
			}
			for _, f := range authinspect.Assess(r, noon) {
				if f.Rule == "challenge-missing" || f.Rule == "challenge-malformed" {
					assert.NotEqual(t, crossprem.Failed, f.Status, f.Detail)
				}
			}
			if want.State != "all" {
				assert.NotEmpty(t, warnings)
				return
			}
			assert.Empty(t, slices.DeleteFunc(slices.Clone(r.Warnings), func(w string) bool { return strings.Contains(w, "status 401 without") }))
			switch want.File[:3] {
			case "ews":
				if strings.Contains(want.File, "-www") {
					break
				}
				assert.Equal(t, authinspect.ModernOn, r.Modern)
				assert.Equal(t, "https://login.microsoftonline.com/common/oauth2/authorize", r.Issuer.AuthorizationURI)
				assert.Equal(t, "15.2.1748.10", r.Server.Version)
				assert.Equal(t, "EX01", r.Server.FrontEnd)
			case "win":
				if !strings.Contains(want.File, "-www") {
					assert.Equal(t, "EX02", r.Server.FrontEnd)
				}
			}
		})
		if ok {
			right++
		}
	}
	t.Logf("%d captures of %d are read right", right, len(index))
	assert.Len(t, index, 135)
	assert.Equal(t, len(index), right)
}
