// Package apitext writes down what a package exports, one line for each
// declaration, so that a change of it is seen in review.
package apitext

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Of returns what the package in folder exports on Linux or Windows, sorted,
// one declaration a line and without comments: constants with their types,
// variables, functions, types with their exported fields and methods. It
// returns "" for a folder without a package.
func Of(folder string) (string, error) {
	var lines []string
	for _, goos := range []string{"linux", "windows"} {
		some, err := on(goos, folder)
		if err != nil {
			return "", err
		}
		lines = append(lines, some...)
	}
	if len(lines) == 0 {
		return "", nil
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n") + "\n", nil
}

func on(goos, folder string) ([]string, error) {
	system := build.Default
	system.GOOS, system.CgoEnabled = goos, false
	fset := token.NewFileSet()
	var files []*ast.File
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		matches, err := system.MatchFile(folder, filepath.Base(name))
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, "_test.go") || !matches {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, nil
	}
	pkg, err := doc.NewFromFiles(fset, files, folder)
	if err != nil {
		return nil, err
	}
	var lines []string
	add := func(node any) {
		var b bytes.Buffer
		if err := format.Node(&b, fset, node); err == nil {
			lines = append(lines, spaces.ReplaceAllString(comments.ReplaceAllString(b.String(), ""), " "))
		}
	}
	values := func(list []*doc.Value, kind string) {
		for _, v := range list {
			for _, spec := range v.Decl.Specs {
				s := spec.(*ast.ValueSpec)
				for _, name := range s.Names {
					if ast.IsExported(name.Name) {
						line := kind + " " + name.Name
						if s.Type != nil {
							line += " " + source(fset, s.Type)
						}
						lines = append(lines, line)
					}
				}
			}
		}
	}
	funcs := func(list []*doc.Func) {
		for _, f := range list {
			f.Decl.Body, f.Decl.Doc = nil, nil
			add(f.Decl)
		}
	}
	values(pkg.Consts, "const")
	values(pkg.Vars, "var")
	funcs(pkg.Funcs)
	for _, t := range pkg.Types {
		values(t.Consts, "const")
		values(t.Vars, "var")
		funcs(t.Funcs)
		funcs(t.Methods)
		for _, spec := range t.Decl.Specs {
			s := spec.(*ast.TypeSpec)
			structure, ok := s.Type.(*ast.StructType)
			if !ok {
				lines = append(lines, "type "+s.Name.Name+equals(s)+" "+spaces.ReplaceAllString(comments.ReplaceAllString(source(fset, s.Type), ""), " "))
				continue
			}
			lines = append(lines, "type "+s.Name.Name+equals(s)+" struct")
			for _, field := range structure.Fields.List {
				tag := ""
				if field.Tag != nil {
					tag = " " + field.Tag.Value
				}
				if len(field.Names) == 0 {
					lines = append(lines, "type "+s.Name.Name+" struct, embedded "+source(fset, field.Type)+tag)
				}
				for _, name := range field.Names {
					if ast.IsExported(name.Name) {
						lines = append(lines, "type "+s.Name.Name+" struct, "+name.Name+" "+source(fset, field.Type)+tag)
					}
				}
			}
		}
	}
	return lines, nil
}

var (
	comments = regexp.MustCompile(`(?m)//[^\n"]*$`)
	spaces   = regexp.MustCompile(`\s+`)
)

func equals(s *ast.TypeSpec) string {
	if s.Assign.IsValid() {
		return " ="
	}
	return ""
}

func source(fset *token.FileSet, node any) string {
	var b bytes.Buffer
	if err := format.Node(&b, fset, node); err != nil {
		return fmt.Sprint(err)
	}
	return spaces.ReplaceAllString(b.String(), " ")
}

// All returns what every package below root exports, by its path relative to
// root ("." for root itself), without internal packages, examples and
// testdata.
func All(root string) (map[string]string, error) {
	all := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch base := d.Name(); {
		case rel == ".":
		case base == "internal", base == "testdata", base == "examples", base == "api", strings.HasPrefix(base, "."):
			return fs.SkipDir
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && rel != "." {
			return fs.SkipDir
		}
		text, err := Of(path)
		if err != nil {
			return err
		}
		if text != "" && !strings.Contains(text, "func main()") && !isProgram(path) {
			all[filepath.ToSlash(rel)] = text
		}
		return nil
	})
	return all, err
}

func isProgram(folder string) bool {
	names, _ := filepath.Glob(filepath.Join(folder, "*.go"))
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly)
		if err == nil && f.Name.Name == "main" {
			return true
		}
	}
	return false
}
