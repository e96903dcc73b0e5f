package signatures

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
)

const noAnswer = "cosign takes the image as it is listed for whole"

// What a registry may do to hide a signature, to pass one off, or by being in trouble.
func registryCases() []Case {
	return slices.Concat(harmlessTroubles(), lies(), longLists(), noAnswers())
}

func harmlessTroubles() []Case {
	return []Case{
		{Name: "referrers in pages", Outcome: verified, Reason: signature.Signed, Cosign: noAnswer + ": it reads the first page of referrers and no other", lay: func(s *Stage) {
			s.fault(s.listing(page("", "/v2/acme/%s/referrers/two"), page(s.attach(s.bundled(s.ownStatement(), s.signer)), "")))
		}},
		{Name: "referrers with another size", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			manifest := s.attach(s.bundled(s.ownStatement(), s.signer))
			s.fault(s.listing(strings.Replace(page(manifest, ""), fmt.Sprintf(`"size":%d`, len(manifest)), `"size":7`, 1)))
		}},
		{Name: "referrers in trouble and a good signature tag", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			s.sign(s.signed(s.own(), s.signer))
			s.fault(at("/referrers/", status(http.StatusForbidden)))
		}},
	}
}

func lies() []Case {
	return []Case{
		{Name: "referrer called an image", Outcome: not, Reason: signature.Unsigned, Cosign: "cosign reads whatever refers to the image; a registry that hides a signature can hide it altogether", lay: func(s *Stage) {
			manifest := s.attach(s.bundled(s.ownStatement(), s.signer))
			s.fault(s.listing(strings.Replace(page(manifest, ""), bundleType, "application/spdx+json", 1)))
		}},
		{Name: "referrer of other bytes", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			manifest := s.attach(s.bundled(s.ownStatement(), s.signer))
			s.fault(either(s.listing(page("{}", "")), at("/manifests/"+digestOf("{}"), body(types.OCIManifestSchema1, manifest))))
		}},
		{Name: "referrer that is gone", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.fault(s.listing(page("{}", "")))
		}},
		{Name: "referrer called an index", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			manifest := s.attach(s.bundled(s.ownStatement(), s.signer))
			s.fault(at("/manifests/"+digestOf(manifest), body(types.OCIImageIndex, manifest)))
		}},
		{Name: "bundle of other bytes", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			forged, genuine := s.bundled(s.ownStatement(), s.stranger), s.bundled(s.ownStatement(), s.signer)
			s.attach(forged)
			s.fault(at("/blobs/"+digestOf(forged), body("application/json", genuine)))
		}},
		{Name: "bundle that is gone", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			signed := s.bundled(s.ownStatement(), s.signer)
			s.attach(signed)
			s.fault(at("/blobs/"+digestOf(signed), status(http.StatusNotFound)))
		}},
	}
}

func longLists() []Case {
	return []Case{
		{Name: "endless referrers", Outcome: unknown, Reason: signature.Reason(registry.TooLarge), lay: func(s *Stage) {
			s.fault(s.listing(page("", "/v2/acme/%s/referrers/next")))
		}},
		{Name: "second page of referrers in trouble", Outcome: unknown, Reason: signature.Reason(registry.Forbidden), lay: func(s *Stage) {
			s.fault(either(at("/referrers/two", status(http.StatusForbidden)), s.listing(page("", "/v2/acme/%s/referrers/two"))))
		}},
		{Name: "second page of referrers elsewhere", Outcome: unknown, Reason: signature.Reason(registry.Blocked), lay: func(s *Stage) {
			s.fault(s.listing(page("", "http://example.com/v2/acme/%s/referrers/two")))
		}},
		{Name: "more bundles than are read", Outcome: unknown, Reason: signature.Reason(registry.TooLarge), lay: func(s *Stage) {
			many := make([]string, signature.MaxBundles+1)
			for i := range many {
				many[i] = entry(fmt.Sprint(i))
			}
			s.fault(s.listing(list(many...)))
		}},
	}
}

func noAnswers() []Case {
	return []Case{
		{Name: "referrers that are no list", Outcome: unknown, Reason: signature.Reason(registry.Malformed), lay: func(s *Stage) {
			s.fault(s.listing(`{"manifests":"none"}`))
		}},
		{Name: "referrers denied", Outcome: unknown, Reason: signature.Reason(registry.Forbidden), lay: func(s *Stage) {
			s.attach(s.bundled(s.ownStatement(), s.signer))
			s.fault(at("/referrers/", status(http.StatusForbidden)))
		}},
		{Name: "bundle denied", Outcome: unknown, Reason: signature.Reason(registry.Forbidden), lay: func(s *Stage) {
			signed := s.bundled(s.ownStatement(), s.signer)
			s.attach(signed)
			s.fault(at("/blobs/"+digestOf(signed), status(http.StatusForbidden)))
		}},
		{Name: "referrers throttled", Outcome: unknown, Reason: signature.Reason(registry.Throttled), lay: func(s *Stage) {
			s.fault(at("/referrers/", status(http.StatusTooManyRequests)))
		}},
		{Name: "signature tag in trouble", Outcome: unknown, Reason: signature.Reason(registry.RegistryUnavailable), lay: func(s *Stage) {
			s.sign(s.signed(s.own(), s.signer))
			s.fault(at(".sig", status(http.StatusTeapot)))
		}},
		{Name: "payload of other bytes", Outcome: unknown, Reason: signature.Reason(registry.DigestMismatch), lay: func(s *Stage) {
			forged := payload("a.io/b", s.Image.DigestStr(), criticalType)
			s.sign(s.simple(forged, "c2lnbmF0dXJl"))
			s.fault(at("/blobs/"+digestOf(forged), body("application/json", s.own())))
		}},
		{Name: "payload that is gone", Outcome: unknown, Reason: signature.Reason(registry.Incomplete), lay: func(s *Stage) {
			s.sign(s.signed(s.own(), s.stranger))
			s.fault(at("/blobs/"+digestOf(s.own()), status(http.StatusNotFound)))
		}},
		{Name: "more signatures than are read", Outcome: unknown, Reason: signature.Reason(registry.TooLarge), lay: func(s *Stage) {
			many := make([]string, registry.MaxArtifactLayers+1)
			for i := range many {
				many[i] = descriptor(simpleType, fmt.Sprint(i), "")
			}
			s.fault(at(".sig", body(types.OCIManifestSchema1, fmt.Sprintf(`{"config":%s,"layers":[%s]}`, descriptor(emptyType, "{}", ""), strings.Join(many, ",")))))
		}},
		{Name: "registry gone", Outcome: unknown, Reason: signature.Reason(registry.Unauthorized), lay: func(s *Stage) {
			s.attach(s.bundled(s.ownStatement(), s.signer))
			s.fault(status(http.StatusUnauthorized))
		}},
	}
}

// listing answers for the referrers API with the pages, one a request and the last again and again.
func (s *Stage) listing(pages ...string) Fault {
	return at("/referrers/", func(w http.ResponseWriter, r *http.Request) bool {
		number := 0
		if strings.HasSuffix(r.URL.Path, "/two") {
			number = len(pages) - 1
		}
		content, next, _ := strings.Cut(pages[number], "\n")
		if next != "" {
			_, repository, _ := strings.Cut(s.repository.RepositoryStr(), "/")
			w.Header().Set("Link", fmt.Sprintf(`<`+next+`>; rel="next"`, repository))
		}
		return body(types.OCIImageIndex, content)(w, r)
	})
}

// page lists one artifact by its manifest, none if that is empty; next is the address of the page after it, after a newline.
func page(manifest, next string) string {
	content := list()
	if manifest != "" {
		content = list(entry(manifest))
	}
	return content + "\n" + next
}

func list(entries ...string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, types.OCIImageIndex, strings.Join(entries, ","))
}

func entry(manifest string) string {
	return descriptor(string(types.OCIManifestSchema1), manifest, fmt.Sprintf(`,"artifactType":%q`, bundleType))
}

// at has a fault for addresses that contain the text.
func at(text string, fault Fault) Fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return strings.Contains(r.URL.Path, text) && fault(w, r)
	}
}

func either(faults ...Fault) Fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		for _, fault := range faults {
			if fault(w, r) {
				return true
			}
		}
		return false
	}
}

func status(code int) Fault {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(code)
		return true
	}
}

func body(mediaType types.MediaType, content string) Fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", string(mediaType))
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, content)
		}
		return true
	}
}
