package registry_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

// referring is a page of the referrers from one number up to another.
func referring(from, to int) string {
	var descriptors []string
	for n := from; n < to; n++ {
		descriptors = append(descriptors, fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%064d","size":%d,"artifactType":"application/vnd.acme","annotations":{"n":"%d"}}`, n, n, n))
	}
	return `{"schemaVersion":2,"manifests":[` + strings.Join(descriptors, ",") + `]}`
}

func subjectOn(t *testing.T, s *server) name.Digest {
	t.Helper()
	image := newImage(t, "one")
	s.push("acme/os:1", image)
	return s.ref("acme/os@" + digestOf(t, image)).(name.Digest)
}

// pages serves pages of referrers, each with a link to the next.
func pages(link string, contents ...string) faults {
	served := 0
	return only(func(w http.ResponseWriter, r *http.Request) bool {
		if served < len(contents)-1 {
			w.Header().Set("Link", fmt.Sprintf(link, r.URL.Path))
		}
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		_, _ = io.WriteString(w, contents[min(served, len(contents)-1)])
		served++
		return true
	}, "/referrers/")
}

func TestReferrersInPages(t *testing.T) {
	s := newServer(t)
	subject := subjectOn(t, s)
	for _, link := range []string{`<%s?last=x>; rel="next"`, `<%s?last=x>;rel=next`, `</v2/>; rel="prev", <%s?n=2>; title="a, b"; rel="last next"`} {
		s.inject(pages(link, referring(0, 3), referring(2, 5)))
		got, err := newClient().Referrers(t.Context(), subject, nil)
		require.NoError(t, err)
		require.Len(t, got, 5, "one that is on two pages counts once")
		assert.Equal(t, registry.Referrer{
			Digest: fmt.Sprintf("sha256:%064d", 4), MediaType: string(types.OCIManifestSchema1), SizeBytes: 4,
			ArtifactType: "application/vnd.acme", Annotations: map[string]string{"n": "4"},
		}, got[4])
		assert.Len(t, s.log(), 3, "a ping and two pages")
	}
}

func TestReferrersWithoutTheAPI(t *testing.T) {
	s := newServer(t)
	subject := subjectOn(t, s)
	tag := "manifests/" + strings.Replace(subject.DigestStr(), ":", "-", 1)
	for title, api := range map[string]faults{
		"404": status(404, "NOT_FOUND"), "405": status(405, "UNSUPPORTED"), "a page for people": body("text/html", "<html>"),
	} {
		s.inject(only(api, "/referrers/"))
		got, err := newClient().Referrers(t.Context(), subject, nil)
		require.NoError(t, err, title)
		assert.Empty(t, got)
		assert.Len(t, s.log(), 4, "ping, API, and the tag twice: that there is nothing is asked twice")

		s.inject(func(w http.ResponseWriter, r *http.Request) bool {
			return only(api, "/referrers/")(w, r) || only(body(types.OCIImageIndex, referring(0, 2)), tag)(w, r)
		})
		got, err = newClient().Referrers(t.Context(), subject, nil)
		require.NoError(t, err, title)
		assert.Len(t, got, 2)
	}
	s.inject(func(w http.ResponseWriter, r *http.Request) bool {
		return only(status(404, "X"), "/referrers/")(w, r) || only(body(types.OCIManifestSchema1, `{"config":{}}`), tag)(w, r)
	})
	_, err := newClient().Referrers(t.Context(), subject, nil)
	assert.Equal(t, registry.Malformed, registry.ReasonOf(err))
}

func TestReferrersThatAreRefused(t *testing.T) {
	s := newServer(t)
	subject := subjectOn(t, s)
	const next = `<%s?last=x>; rel="next"`
	endless := make([]string, 1000)
	for n := range endless {
		endless[n] = referring(n, n+1)
	}
	first := only(pages(next, referring(0, 1), ""), "/referrers/")
	asked := 0
	for title, test := range map[string]struct {
		faults faults
		reason registry.Reason
		says   string
	}{
		"endless pages":         {pages(next, endless...), registry.TooLarge, "(more than 64 pages)"},
		"too many":              {pages(next, referring(0, 600), referring(600, 1200)), registry.TooLarge, "(more than 1024)"},
		"a link to elsewhere":   {pages(`<https://evil.example%s>; rel="next"`, referring(0, 1), ""), registry.Blocked, "the next page is on another host, evil.example"},
		"a link that is none":   {pages(`<:%%zz%s>; rel="next"`, referring(0, 1), ""), registry.Malformed, "the link to the next page cannot be read"},
		"no JSON":               {pages(next, "<html>"), registry.Malformed, "invalid character"},
		"no digest":             {pages(next, `{"manifests":[{"size":1}]}`), registry.Malformed, "its manifests[0] has no digest"},
		"a negative size":       {pages(next, `{"manifests":[{"size":-1,"digest":"`+written("").digest()+`"}]}`), registry.Malformed, "cannot have -1 bytes"},
		"a long artifact type":  {pages(next, `{"manifests":[{"artifactType":"`+strings.Repeat("x", 256)+`","digest":"`+written("").digest()+`"}]}`), registry.Malformed, "artifactType has 256 bytes"},
		"no access":             {only(status(403, "DENIED"), "/referrers/"), registry.Forbidden, "does not show the referrers of"},
		"down":                  {only(status(500, "X"), "/referrers/"), registry.RegistryUnavailable, "gave no answer about the referrers of"},
		"the second page fails": {func(w http.ResponseWriter, r *http.Request) bool { return secondFails(&asked, first)(w, r) }, registry.RegistryUnavailable, "HTTP 502"},
	} {
		t.Run(title, func(t *testing.T) {
			s.inject(test.faults)
			got, err := newClient().Referrers(t.Context(), subject, nil)
			assert.Empty(t, got, "all or nothing")
			assert.Equal(t, test.reason, registry.ReasonOf(err))
			assert.ErrorContains(t, err, test.says)
		})
	}
}

// secondFails lets the first page of referrers through and fails the rest.
func secondFails(asked *int, first faults) faults {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		if *asked++; *asked == 1 {
			return first(w, r)
		}
		return status(502, "X")(w, r)
	}
}
