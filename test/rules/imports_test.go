// Package rules holds the repository to its own design: what may import what.
package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	module         = "imagecatalog.dev/catalog"
	repositoryRoot = "../.."
)

// floors are the parts of the product, lowest first. A part is a folder with all below it; in place of * stands any
// folder. A package imports its own part and lower floors: never its own floor, never a higher one.
var floors = []struct {
	purpose string
	parts   []string
}{
	{"contracts: kinds, registries, the results and parameters of Tasks", []string{"pkg/apis", "pkg/registry", "pkg/result", "pkg/param"}},
	{"generated clients", []string{"pkg/client"}},
	{"one question each: is it signed, is it claimed, who may see it, how often was it asked for, what to serve with, where is the cluster, what is in the pod", []string{"pkg/signature", "pkg/claim", "pkg/access", "pkg/tally", "pkg/keypair", "pkg/apiserver", "pkg/pod"}},
	{"judges over them", []string{"pkg/policy", "pkg/source"}},
	{"flows, from a request or an event to its outcome", []string{"pkg/reconciler/*", "pkg/admission", "pkg/certificate", "pkg/query", "pkg/publish", "pkg/verify", "pkg/assemble"}},
	{"what tiers of tests stand on: the catalog as processes, registries with faults, signatures of all kinds", []string{"test/plane", "test/faults", "test/signatures"}},
	{"binaries and tests, which wire", []string{"cmd/*", "test/*"}},
}

// goPackage is a part of what `go list -json` says about a package.
type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Deps                               []string
}

// modulePackages are all packages of the module, those behind the build tags of the test tiers included.
func modulePackages(t *testing.T) []goPackage {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-tags=controlplane,e2e,registries",
		"-json=ImportPath,Imports,TestImports,XTestImports,Deps", "./...")
	list.Dir = repositoryRoot
	var complaints strings.Builder
	list.Stderr = &complaints
	out, err := list.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, list.Start())
	var packages []goPackage
	for decoder := json.NewDecoder(out); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if !assert.NoError(t, err) {
			break
		}
		packages = append(packages, p)
	}
	require.NoError(t, list.Wait(), complaints.String())
	require.NotEmpty(t, packages)
	return packages
}

// place is the floor of a package of the module and the part of it that the package belongs to; -1 when it has none.
func place(importPath string) (floor int, part string) {
	folder := strings.TrimPrefix(importPath, module+"/")
	for floor, level := range floors {
		for _, pattern := range level.parts {
			segments := strings.Split(folder, "/")
			depth := strings.Count(pattern, "/") + 1
			if len(segments) < depth {
				continue
			}
			part := strings.Join(segments[:depth], "/")
			if ok, err := path.Match(pattern, part); err == nil && ok {
				return floor, part
			}
		}
	}
	return -1, ""
}

// objection says what is wrong with an import and what to do about it; "" if nothing is.
func objection(importer, imported string) string {
	if !strings.HasPrefix(imported, module+"/") {
		return ""
	}
	from, fromPart := place(importer)
	to, toPart := place(imported)
	switch {
	case from < 0 || to < 0: // everyPackageHasAPlace says so
		return ""
	case fromPart == toPart || to < from:
		return ""
	case to == from:
		return fmt.Sprintf("%s imports %s, and neither is below the other (floor: %s): let a binary in cmd/ wire them, or move what both need to a lower floor",
			importer, imported, floors[from].purpose)
	default:
		return fmt.Sprintf("%s (floor: %s) imports %s, which is above it (floor: %s): declare an interface where it is needed and let the upper floor fulfil it",
			importer, floors[from].purpose, imported, floors[to].purpose)
	}
}

// foreign are the dependencies that begin with one of the prefixes.
func foreign(p goPackage, prefixes ...string) []string {
	var found []string
	for _, dependency := range p.Deps {
		for _, prefix := range prefixes {
			if dependency == strings.TrimSuffix(prefix, "/") || strings.HasPrefix(dependency, strings.TrimSuffix(prefix, "/")+"/") {
				found = append(found, dependency)
			}
		}
	}
	return found
}

func isIn(importPath string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return importPath == module+"/"+folder || strings.HasPrefix(importPath, module+"/"+folder+"/")
	})
}

func TestImports(t *testing.T) {
	packages := modulePackages(t)
	for rule, hold := range map[string]func(*testing.T, []goPackage){
		"every package has a place":                 everyPackageHasAPlace,
		"imports go down":                           importsGoDown,
		"what has no need of Kubernetes knows none": whatHasNoNeedOfKubernetesKnowsNone,
		"task images hold no informers":             taskImagesHoldNoInformers,
		"the product knows no tests":                theProductKnowsNoTests,
	} {
		t.Run(rule, func(t *testing.T) { hold(t, packages) })
	}
}

func everyPackageHasAPlace(t *testing.T, packages []goPackage) {
	for _, p := range packages {
		if floor, _ := place(p.ImportPath); floor < 0 {
			t.Errorf("%s is on no floor: put it into one of these folders, or name its folder in floors here, as low as its imports allow:\n%s", p.ImportPath, directory())
		}
	}
}

func directory() string {
	var text strings.Builder
	for n, floor := range floors {
		fmt.Fprintf(&text, "  %d. %s: %s\n", n+1, floor.purpose, strings.Join(floor.parts, ", "))
	}
	return text.String()
}

func importsGoDown(t *testing.T, packages []goPackage) {
	for _, p := range packages {
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if text := objection(p.ImportPath, imported); text != "" {
				t.Error(text)
			}
		}
	}
}

func whatHasNoNeedOfKubernetesKnowsNone(t *testing.T, packages []goPackage) {
	for _, p := range packages {
		if !isIn(p.ImportPath, "pkg/registry", "pkg/result", "pkg/param", "pkg/signature") {
			continue
		}
		if found := foreign(p, "k8s.io", "sigs.k8s.io", "knative.dev", module+"/pkg/apis", module+"/pkg/client"); len(found) > 0 {
			t.Errorf("%s depends on Kubernetes, and must be of use without it; hand it plain values instead of what is in %s", p.ImportPath, strings.Join(found, ", "))
		}
	}
}

func taskImagesHoldNoInformers(t *testing.T, packages []goPackage) {
	seen := 0
	for _, p := range packages {
		if !isIn(p.ImportPath, "cmd/publish", "cmd/verify", "cmd/assemble") {
			continue
		}
		seen++
		if found := foreign(p, module+"/pkg/client/informers", module+"/pkg/client/injection", module+"/pkg/client/listers",
			"knative.dev/pkg/injection", "k8s.io/client-go/informers"); len(found) > 0 {
			t.Errorf("%s links informers, but a Task reads the one object it needs and ends; take pkg/client/clientset instead of %s", p.ImportPath, strings.Join(found, ", "))
		}
	}
	assert.Equal(t, 3, seen, "the task images are cmd/publish, cmd/verify and cmd/assemble; a new one belongs into this test")
}

func theProductKnowsNoTests(t *testing.T, packages []goPackage) {
	for _, p := range packages {
		if isIn(p.ImportPath, "test") {
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if isIn(imported, "test") {
				t.Errorf("%s imports %s: move what it needs below pkg/, or the test below test/", p.ImportPath, imported)
			}
		}
	}
}

func TestKubernetesIsNoLibrary(t *testing.T) {
	edit := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	edit.Dir = repositoryRoot
	out, err := edit.Output()
	require.NoError(t, err)
	var file struct{ Require []struct{ Path string } }
	require.NoError(t, json.Unmarshal(out, &file))
	require.NotEmpty(t, file.Require)
	for _, required := range file.Require {
		assert.NotEqual(t, "k8s.io/kubernetes", required.Path, "the cluster's source belongs to modules of their own, below test/cluster")
	}
}

func TestPlace(t *testing.T) {
	for folder, want := range map[string]string{
		"pkg/apis/catalog/v1alpha1":        "0 pkg/apis",
		"pkg/registry":                     "0 pkg/registry",
		"pkg/client/clientset/versioned":   "1 pkg/client",
		"pkg/claim":                        "2 pkg/claim",
		"pkg/source/imagebuild":            "3 pkg/source",
		"pkg/reconciler/catalogimage":      "4 pkg/reconciler/catalogimage",
		"pkg/reconciler/catalogimage/deep": "4 pkg/reconciler/catalogimage",
		"pkg/query/ui":                     "4 pkg/query",
		"cmd/query":                        "6 cmd/query",
		"test/run":                         "6 test/run",
		"pkg/reconciler":                   "-1 ",
		"pkg/registryproxy":                "-1 ",
		"pkg/util":                         "-1 ",
		"cmd":                              "-1 ",
		"internal/claim":                   "-1 ",
	} {
		floor, part := place(module + "/" + folder)
		assert.Equal(t, want, fmt.Sprint(floor, " ", part), folder)
	}
}

func TestObjection(t *testing.T) {
	for _, test := range []struct{ importer, imported, want string }{
		{"pkg/claim", "pkg/apis/catalog/v1alpha1", ""},
		{"cmd/controller", "pkg/registry", ""},
		{"pkg/apis/catalog/v1alpha1", "pkg/apis/catalog", ""},
		{"pkg/client/injection/client", "pkg/client/clientset/versioned", ""},
		{"pkg/query", "pkg/query/ui", ""},
		{"pkg/apis/catalog/v1alpha1", "pkg/claim", "which is above it"},
		{"pkg/registry", "pkg/apis/catalog", "neither is below the other"},
		{"pkg/claim", "pkg/signature", "neither is below the other"},
		{"pkg/claim", "pkg/policy", "which is above it"},
		{"pkg/publish", "pkg/verify", "neither is below the other"},
		{"pkg/reconciler/catalogimage", "pkg/reconciler/catalogpolicy", "neither is below the other"},
		{"pkg/query", "cmd/query", "which is above it"},
		{"cmd/catalog", "cmd/query", "neither is below the other"},
		{"cmd/query", "test/run", "neither is below the other"},
	} {
		got := objection(module+"/"+test.importer, module+"/"+test.imported)
		assert.Equal(t, test.want == "", got == "", "%s -> %s: %s", test.importer, test.imported, got)
		assert.Contains(t, got, test.want, "%s -> %s", test.importer, test.imported)
	}
	assert.Empty(t, objection(module+"/pkg/claim", "k8s.io/client-go/kubernetes"))
}

func TestForeign(t *testing.T) {
	p := goPackage{Deps: []string{"k8s.io/api/core/v1", "k8s.iot/gadget", "knative.dev/pkg/injection", "knative.dev/pkg/injectionless", "strings"}}
	assert.Equal(t, []string{"k8s.io/api/core/v1", "knative.dev/pkg/injection"}, foreign(p, "k8s.io", "knative.dev/pkg/injection"))
}
