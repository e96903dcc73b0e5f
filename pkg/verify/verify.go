package verify

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
)

// lookUpLimit bounds all look-ups before the signatures, and those of signatures: two minutes for a few requests of
// kilobytes.
const lookUpLimit = 2 * time.Minute

// Registry tells what an image is, opens its blobs and finds its signatures. *registry.Client is one.
type Registry interface {
	signature.Registry
	Describe(ctx context.Context, ref name.Reference, keychain authn.Keychain) (*registry.Description, error)
	Outline(ctx context.Context, ref name.Reference, keychain authn.Keychain) (*registry.Description, error)
	Blobs(ctx context.Context, repository name.Repository, keychain authn.Keychain) (*registry.Blobs, error)
}

// Verifier judges images.
type Verifier struct {
	Registry Registry
	Keychain authn.Keychain
	// Entries opens the catalog; it is called only when an entry is named.
	Entries func() (Entries, error)
	// Policies opens it for policies; it is called only when one is named.
	Policies func() (Policies, error)
	// Secrets opens the cluster; it is called only when a Secret is named.
	Secrets func() (Secrets, error)
	// KeyDir is the folder of the workspace with public keys; empty if it is not bound.
	KeyDir string
	// Log takes a line for each check.
	Log io.Writer
}

// Verify runs the checks. It has no error: whatever goes wrong is a verdict.
func (v *Verifier) Verify(ctx context.Context, options Options) Verdict {
	r := &run{Verifier: v, collected: map[string]*signature.Evidence{}}
	err := r.checks(ctx, options.tidy())
	verdict := verdictOn(err)
	verdict.Pinned = r.pinned
	verdict.SignaturesVerified = r.signed > 0 && r.signed == r.wanted.signatures()
	verdict.Successes, verdict.Failures, verdict.Warnings = r.successes, r.failures, r.warnings
	if verdict.Outcome == Verified {
		verdict.Message = r.pinned.Name()
	}
	return verdict
}

// run is one pass through the checks.
type run struct {
	*Verifier
	wanted                        demand
	collected                     map[string]*signature.Evidence // by the digest of the image
	pinned                        *name.Digest
	signed                        int // demands for signatures that held
	successes, failures, warnings int
}

func (r *run) checks(ctx context.Context, options Options) error {
	if err := options.check(); err != nil {
		return err
	}
	if err := r.readDemand(ctx, options); err != nil {
		return err
	}
	s, d, err := r.lookUp(ctx, options)
	if err != nil {
		return err
	}
	if err := r.digest(s, d); err != nil {
		return err
	}
	if err := r.platforms(s, d); err != nil {
		return err
	}
	if err := r.signatures(ctx, s, d); err != nil {
		return err
	}
	if err := r.judge(ctx, s, d); err != nil || !r.wanted.content {
		return err
	}
	return r.report("content", r.checkContent(ctx, s, d), "%d blobs, %s, have their digests", len(d.Blobs), megabytes(d.SizeBytes))
}

// lookUp finds out which image is meant and asks the registry about it, for no more than is needed.
func (r *run) lookUp(ctx context.Context, options Options) (subject, *registry.Description, error) {
	ctx, cancel := context.WithTimeout(ctx, lookUpLimit)
	defer cancel()
	s, err := r.subject(ctx, options)
	if err != nil {
		return s, nil, err
	}
	if s.pin != "" {
		r.pin(s, s.pin)
	}
	if err := r.applies(s); err != nil {
		return s, nil, err
	}
	ask := r.Registry.Outline
	if r.wanted.facts() {
		ask = r.Registry.Describe
	}
	d, err := ask(ctx, s.ref, r.Keychain)
	if err != nil {
		return s, nil, r.report("exists", err, "")
	}
	return s, d, r.report("exists", nil, "%s, %s, %s", s.ref, d.MediaType, extent(d))
}

// extent is how large an image is, and for how many platforms where that is known.
func extent(d *registry.Description) string {
	if len(d.Platforms) == 0 {
		return megabytes(d.SizeBytes)
	}
	return fmt.Sprintf("%d platforms, %s", len(d.Platforms), megabytes(d.SizeBytes))
}

func (r *run) subject(ctx context.Context, options Options) (subject, error) {
	if options.Name == "" {
		return parseSubject(options.ImageURL, options.ImageDigest)
	}
	s, err := r.subjectOf(ctx, options.Namespace, options.Name)
	return s, r.report("entry", err, "%s/%s names %s", options.Namespace, options.Name, s.ref)
}

func (r *run) pin(s subject, digest string) {
	pinned := s.pinned(digest)
	r.pinned = &pinned
}

func (r *run) digest(s subject, d *registry.Description) error {
	if s.pin == "" {
		r.pin(s, d.Digest)
		r.warn("digest", "nothing pins the image; it is %s now", d.Digest)
		return nil
	}
	var err error
	if s.pin != d.Digest {
		err = &finding{NotVerified, string(registry.DigestMismatch), fmt.Sprintf(
			"%s was moved: the pinned image is %s, the tag now names %s; build or publish again, or restore the tag", s.ref, s.pin, d.Digest)}
	}
	return r.report("digest", err, "%s", d.Digest)
}

// platforms looks at all of them before it gives the first that is missing.
func (r *run) platforms(s subject, d *registry.Description) error {
	var first error
	for _, p := range r.wanted.platforms {
		if err := r.report("platform", checkPlatform(p, d, s), "%s", p); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// report writes a check's line, counts it, and gives the error back.
func (r *run) report(check string, err error, format string, args ...any) error {
	switch verdictOn(err).Outcome {
	case Verified:
		r.successes++
		r.line("ok", check, fmt.Sprintf(format, args...))
	case NotVerified:
		r.failures++
		r.line("FAILED", check, err.Error())
	default:
		r.line("ERROR", check, err.Error())
	}
	return err
}

func (r *run) warn(check, format string, args ...any) {
	r.warnings++
	r.line("warning", check, fmt.Sprintf(format, args...))
}

// line is for people; a line that is lost changes no verdict.
func (r *run) line(mark, check, text string) {
	_, _ = fmt.Fprintf(r.Log, "%-8s %-9s %s\n", mark, check, text)
}
