package registry

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// repositoryOf is one as it is parsed: references have no other.
func repositoryOf(t *testing.T, text string) name.Repository {
	t.Helper()
	repository, err := name.NewRepository(text)
	require.NoError(t, err)
	return repository
}

func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern string
		matches []string
		not     []string
	}{
		{"quay.io/acme/os", []string{"quay.io/acme/os", "quay.io:443/acme/os"}, []string{
			"quay.io/acme/os2", "quay.io/acme/o", "quay.io/acme/os/more", "quay.io/more/acme/os", "quay.io:5000/acme/os", "quay.io./acme/os",
			"quay.io.evil.example/acme/os", "evil.example/quay.io/acme/os", "evilquay.io/acme/os", "www.quay.io/acme/os", "quayxio.example/acme/os",
		}},
		{"quay.io/acme/*", []string{"quay.io/acme/os"}, []string{
			"quay.io/acme/os/more", "quay.io/acme", "quay.io/acme2/os", "quay.io.evil.example/acme/os", "evil.example/quay.io/acme/os", "quay.io/evil/acme/os",
		}},
		{"quay.io/acme/**", []string{"quay.io/acme/os", "quay.io/acme/os/more"}, []string{"quay.io/acme", "quay.io/evil/acme/os", "quay.io.evil.example/acme/os"}},
		{"quay.io/**", []string{"quay.io/os", "quay.io/acme/os/more"}, []string{"quay.io.evil.example/acme/os", "evil.example/quay.io/acme/os", "quay.io:5000/acme/os"}},
		{"quay.io/**/os", []string{"quay.io/acme/os", "quay.io/acme/team/os"}, []string{"quay.io/acme/os2", "quay.io/acmeos", "evil.example/quay.io/acme/os"}},
		{"quay.io/acme/os*", []string{"quay.io/acme/os", "quay.io/acme/os2"}, []string{"quay.io/acme/os/more", "quay.io/acme/o"}},
		{"quay.io/*/os", []string{"quay.io/acme/os"}, []string{"quay.io/acme/team/os", "quay.io/os"}},
		{"quay.io:443/acme/os", []string{"quay.io/acme/os"}, []string{"quay.io:4430/acme/os"}},
		{"quay.io./acme/os", []string{"quay.io/acme/os"}, []string{"quay.io.evil.example/acme/os"}},
		{"registry.example.com:5000/**", []string{"registry.example.com:5000/os"}, []string{"registry.example.com/os", "registry.example.com:50000/os", "registry.example.com:5001/os"}},
		{"registry.example.com/**", nil, []string{"registry.example.com:5000/os"}},
		{"registry.example.com:*/**", []string{"registry.example.com:5000/os"}, []string{"registry.example.com/os", "registry.example.com.evil.example/os"}},
		{"*.example.com/**", []string{"a.example.com/os", "a.b.example.com/acme/os"}, []string{"example.com/os", "aexample.com/os", "a.example.com:5000/os", "evil.org/a.example.com/os", "a.example.com.evil.org/os"}},
		{"*/acme/os", []string{"quay.io/acme/os", "10.0.0.7:5000/acme/os"}, []string{"quay.io/team/acme/os", "quay.io/acme/os2"}},
		{"localhost/os", []string{"localhost/os"}, []string{"localhost:5000/os"}},
		{"localhost:5000/os", []string{"localhost:5000/os"}, []string{"localhost/os"}},
		{"foo:443/os", []string{"foo:443/os"}, []string{"foo:444/os", "library/os"}},
		{"[2001:DB8::0]:5000/os", nil, nil},
		{"[2001:db8::0]:5000/os", []string{"[2001:db8::]:5000/os"}, []string{"[2001:db8::1]:5000/os", "[2001:db8::]/os"}},
		{"docker.io/acme/*", []string{"acme/os", "docker.io/acme/os", "index.docker.io/acme/os"}, []string{"docker.io.evil.example/acme/os"}},
		{"registry-1.docker.io/acme/*", []string{"acme/os"}, nil},
		{"docker.io/nginx", []string{"nginx", "docker.io/library/nginx"}, []string{"acme/nginx", "quay.io/nginx"}},
		{"docker.io/*", []string{"nginx"}, []string{"acme/nginx"}},
		{"docker.io/**", []string{"nginx", "acme/nginx"}, []string{"quay.io/nginx"}},
		{"docker.io:5000/nginx", nil, []string{"nginx"}},
	} {
		p, err := ParsePattern(test.pattern)
		if len(test.matches)+len(test.not) == 0 {
			assert.Error(t, err, test.pattern)
			continue
		}
		require.NoError(t, err, test.pattern)
		for _, each := range test.matches {
			assert.True(t, p.Matches(repositoryOf(t, each)), "%s and %s", test.pattern, each)
		}
		for _, each := range test.not {
			assert.False(t, p.Matches(repositoryOf(t, each)), "%s and %s", test.pattern, each)
		}
	}
}

func TestWhatIsNoPattern(t *testing.T) {
	const noRepository = " names no repository: write host/repository, such as quay.io/acme/*, or quay.io/** for all of a host"
	const characters = " has characters that no repository has: it is host/repository in lower case, with * for any text without a slash and ** for any text"
	const noHost = ": it is no host: write its name or address, and its port where it has one, such as registry.example.com:5000 or [2001:db8::1]:5000"
	for text, says := range map[string]string{
		"quay.io":                 noRepository,
		"*":                       noRepository,
		"quay.io/":                noRepository,
		"/acme":                   noRepository,
		"quay.io/Acme/*":          characters,
		"QUAY.io/acme/*":          characters,
		"quay.io/acme os":         characters,
		"quay.io/acme/os@sha256":  characters,
		"quay.io/(acme|evil)/os":  characters,
		"quay.io/acme/o?":         characters,
		"quay.io/acme/os:1":       " has more than a repository after the host: leave out the tag, since a pattern holds for all of them",
		"quay.io/[a]/os":          " has more than a repository after the host: leave out the tag, since a pattern holds for all of them",
		"https://quay.io/acme/**": " has a scheme: leave out what is before the host",
		"quay.io//os":             " has an empty part: leave out the slash that is too many",
		"quay.io/acme/":           " has an empty part: leave out the slash that is too many",
		"**/acme/os":              " has ** in the host: write *, which stands for one or more parts of its name",
		"quay.**/acme/os":         " has ** in the host: write *, which stands for one or more parts of its name",
		"acme/os":                 " begins with no host: write docker.io/acme/os for Docker Hub",
		"quay..io/acme/os":        noHost,
		"[::g]/acme/os":           noHost,
		"quay.io:0/acme/os":       ": its port is 0, and must be from 1 to 65535",
	} {
		_, err := ParsePattern(text)
		assert.EqualError(t, err, `"`+text+`"`+says)
	}
}

// A pattern matches no repository of another host than its own part for the host does.
func FuzzPattern(f *testing.F) {
	for _, pattern := range []string{"quay.io/acme/*", "quay.io/**", "*.example.com/**", "*/**", "*:5000/a", "docker.io/*", "foo:443/*", "[::1]:5000/*", "localhost/**/a", "q*.i*/***"} {
		for _, repository := range []string{"quay.io/acme/os", "quay.io.evil.example/acme/os", "evil.example/quay.io/acme/os", "nginx", "a.example.com:5000/a", "[::1]:5000/a", "quay.io:443/a"} {
			f.Add(pattern, repository)
		}
	}
	f.Fuzz(func(t *testing.T, text, image string) {
		p, err := ParsePattern(text)
		if err != nil {
			return
		}
		repository, err := name.NewRepository(image)
		if err != nil || !p.Matches(repository) {
			return
		}
		host, _, _ := strings.Cut(text, "/")
		if !strings.Contains(host, "*") {
			host, err = parseAuthority(host)
			require.NoError(t, err)
		}
		assert.True(t, glob(strings.TrimSuffix(host, ":443"), strings.TrimSuffix(repository.RegistryStr(), ":443")), "%q matches %q", text, repository.Name())
	})
}

// glob is a second way to match a host, without regular expressions.
func glob(pattern, text string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	if !strings.HasPrefix(text, before) {
		return false
	}
	for n := len(before); n <= len(text); n++ {
		if glob(after, text[n:]) {
			return true
		}
	}
	return false
}
