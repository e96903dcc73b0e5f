package registry

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Pattern is a glob over whole repository names. It is anchored at both ends, so that quay.io/acme/* is neither
// quay.io.evil.example/acme/os nor evil.example/quay.io/acme/os. One star stands for any text without a slash, two for
// any text.
type Pattern struct {
	expr *regexp.Regexp
}

var patternCharacters = regexp.MustCompile(`^[a-z0-9._:*/\[\]-]+$`)

// ParsePattern reads a glob such as quay.io/acme/** in the form that references have after parsing: Docker Hub's host is
// index.docker.io, and docker.io/nginx is library/nginx there.
func ParsePattern(text string) (Pattern, error) {
	host, repository, ok := strings.Cut(text, "/")
	switch {
	case strings.Contains(text, "://"):
		return Pattern{}, fmt.Errorf("%q has a scheme: leave out what is before the host", text)
	case !ok || repository == "" || host == "":
		return Pattern{}, fmt.Errorf("%q names no repository: write host/repository, such as quay.io/acme/*, or quay.io/** for all of a host", text)
	case !patternCharacters.MatchString(text):
		return Pattern{}, fmt.Errorf("%q has characters that no repository has: it is host/repository in lower case, with * for any text without a slash and ** for any text", text)
	case strings.ContainsAny(repository, ":[]"):
		return Pattern{}, fmt.Errorf("%q has more than a repository after the host: leave out the tag, since a pattern holds for all of them", text)
	case strings.Contains("/"+repository+"/", "//"):
		return Pattern{}, fmt.Errorf("%q has an empty part: leave out the slash that is too many", text)
	case strings.Contains(host, "**"):
		return Pattern{}, fmt.Errorf("%q has ** in the host: write *, which stands for one or more parts of its name", text)
	case !strings.ContainsAny(host, ".:*") && host != "localhost": // as references are read
		return Pattern{}, fmt.Errorf("%q begins with no host: write docker.io/%s for Docker Hub", text, text)
	}
	host, err := parsePatternHost(host)
	if err != nil {
		return Pattern{}, fmt.Errorf("%q: %w", text, err)
	}
	if host == name.DefaultRegistry && !strings.Contains(repository, "/") && !strings.Contains(repository, "**") {
		repository = "library/" + repository
	}
	expr := regexp.QuoteMeta(host + "/" + repository)
	expr = strings.NewReplacer(`\*\*`, `.*`, `\*`, `[^/]*`).Replace(expr)
	compiled, err := regexp.Compile(`^` + expr + `$`)
	if err != nil {
		return Pattern{}, fmt.Errorf("%q: %w", text, err)
	}
	return Pattern{compiled}, nil
}

func parsePatternHost(host string) (string, error) {
	if strings.Contains(host, "*") {
		return strings.TrimSuffix(host, ":443"), nil
	}
	return parseAuthority(host)
}

// Matches says whether the pattern is one of the repository, in the form that references have after parsing.
func (p Pattern) Matches(repository name.Repository) bool {
	return p.expr.MatchString(strings.TrimSuffix(repository.RegistryStr(), ":443") + "/" + repository.RepositoryStr())
}
