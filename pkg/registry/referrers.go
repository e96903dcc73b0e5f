package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// MaxReferrers is how many referrers an image may have: signatures, attestations and the like. An image that is signed
	// anew every day has some hundred after a year.
	MaxReferrers = 1024
	// maxPages is how many pages they may come in.
	maxPages = 64
)

// Referrer is a manifest that names an image as its subject, for example a signature. That it does is the registry's
// word.
type Referrer struct {
	// Digest, MediaType and SizeBytes of the manifest.
	Digest, MediaType string
	SizeBytes         int64
	// ArtifactType of the manifest. Some registries put its configuration's media type here.
	ArtifactType string
	// Annotations of the manifest, without those longer than MaxFactBytes.
	Annotations map[string]string
}

type referrersIndex struct {
	Manifests list[referrer] `json:"manifests"`
}

type referrer struct {
	descriptor
	ArtifactType string `json:"artifactType"`
	Annotations  facts  `json:"annotations"`
}

// Referrers lists what refers to an image by its digest: all of it, or the error TooLarge. It asks the referrers API and,
// where there is none, looks at the referrers tag (OCI distribution specification, "Listing Referrers" and "Referrers Tag
// Schema"). It costs a request for each page, or two and a third to confirm that there is nothing. The error is an *Error.
func (c *Client) Referrers(ctx context.Context, subject name.Digest, keychain authn.Keychain) ([]Referrer, error) {
	return look(ctx, c, &c.referrers, subject, keychain, func(ctx context.Context, s *session) ([]Referrer, error) {
		l := &referrersList{seen: map[string]bool{}}
		err := l.read(ctx, s, subject)
		if err != nil {
			return nil, s.failure("the referrers of "+subject.Name(), err)
		}
		return l.all, nil
	})
}

// referrersList grows page by page.
type referrersList struct {
	all  []Referrer
	seen map[string]bool
}

func (l *referrersList) read(ctx context.Context, s *session, subject name.Digest) error {
	target := s.path("referrers", subject.DigestStr())
	for range maxPages {
		next, err := l.page(ctx, s, target)
		if errors.Is(err, errNoAPI) {
			return l.tag(ctx, s, subject)
		}
		if err != nil || next == "" {
			return err
		}
		target = next
	}
	return faultf(TooLarge, "more than %d pages", maxPages)
}

var errNoAPI = errors.New("the registry has no referrers API")

// page reads one page and gives the address of the next, empty after the last.
func (l *referrersList) page(ctx context.Context, s *session, target string) (next string, err error) {
	response, err := s.ask(ctx, http.MethodGet, target)
	if code, ok := statusOf(err); ok && isNoRoute(code) {
		return "", errNoAPI
	}
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if mediaType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";"); types.MediaType(mediaType) != types.OCIImageIndex {
		return "", errNoAPI // a page for people, as some servers send for every path
	}
	body, err := readBounded(response.Body, MaxManifestBytes)
	if err != nil {
		return "", err
	}
	if err := l.add(body); err != nil {
		return "", err
	}
	return nextPage(response.Request.URL, response.Header.Values("Link"))
}

// isNoRoute recognises how registries say that they do not know the API. The specification has them answer 404.
func isNoRoute(code int) bool {
	switch code {
	case http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented:
		return true
	}
	return false
}

// tag reads the index that clients keep under a tag where there is no API.
func (l *referrersList) tag(ctx context.Context, s *session, subject name.Digest) error {
	tag := s.repository.Tag(strings.Replace(subject.DigestStr(), ":", "-", 1))
	m, err := s.confirmed(ctx, tag)
	if ReasonOf(err) == NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if doc, err := decode(m.mediaType, m.body); err != nil || doc.index == nil {
		return faultf(Malformed, "the tag %s is no index", tag.TagStr())
	}
	return l.add(m.body)
}

func (l *referrersList) add(body []byte) error {
	var index referrersIndex
	if err := json.Unmarshal(body, &index); err != nil {
		return faultf(Malformed, "%v", err)
	}
	for i := range index.Manifests {
		r := &index.Manifests[i]
		field := fmt.Sprintf("manifests[%d]", i)
		if err := r.check(field); err != nil {
			return err
		}
		if err := checkName(field+".artifactType", r.ArtifactType); err != nil {
			return err
		}
		if err := r.Annotations.check(field + ".annotations"); err != nil {
			return err
		}
		if err := l.put(r); err != nil {
			return err
		}
	}
	return nil
}

func (l *referrersList) put(r *referrer) error {
	digest := r.Digest.String()
	if l.seen[digest] {
		return nil
	}
	if len(l.all) == MaxReferrers {
		return faultf(TooLarge, "more than %d", MaxReferrers)
	}
	l.seen[digest] = true
	l.all = append(l.all, Referrer{
		Digest: digest, MediaType: string(r.MediaType), SizeBytes: r.Size, ArtifactType: r.ArtifactType, Annotations: r.Annotations,
	})
	return nil
}

// nextPage finds the link with the relation next (RFC 8288) and gives its path and query. It must lead back to the
// registry: whoever is elsewhere has no say in what refers to an image here.
func nextPage(page *url.URL, links []string) (string, error) {
	for _, header := range links {
		target, ok := linkTo("next", header)
		if !ok {
			continue
		}
		next, err := page.Parse(target)
		if err != nil {
			return "", faultf(Malformed, "the link to the next page cannot be read")
		}
		if next.Scheme != page.Scheme || next.Host != page.Host {
			return "", faultf(Blocked, "the next page is on another host, %.255s", next.Host)
		}
		return next.RequestURI(), nil
	}
	return "", nil
}

// linkTo finds in a Link header the target of the link with the relation.
func linkTo(relation, header string) (target string, ok bool) {
	for rest := header; ; {
		_, rest, ok = strings.Cut(rest, "<")
		if !ok {
			return "", false
		}
		if target, rest, ok = strings.Cut(rest, ">"); !ok {
			return "", false
		}
		parameters, _, _ := strings.Cut(rest, "<")
		for parameter := range strings.SplitSeq(parameters, ";") {
			key, value, _ := strings.Cut(strings.Trim(parameter, " \t,"), "=")
			relations := strings.Fields(strings.Trim(strings.TrimSpace(value), `"`))
			if strings.EqualFold(strings.TrimSpace(key), "rel") && containsFold(relations, relation) {
				return target, true
			}
		}
	}
}

func containsFold(words []string, word string) bool {
	for _, w := range words {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}
