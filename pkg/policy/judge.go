package policy

import (
	"fmt"
	"slices"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/signature"
)

// The reasons of a policy's verdict that are neither a signature.Reason nor a registry.Reason.
const (
	ReasonPlatformMissing  = "PlatformMissing"
	ReasonMetadataMissing  = "MetadataMissing"
	ReasonValidationFailed = "ValidationFailed"
	// ReasonTooManyPlatforms: there may be images in the index that are not listed, and so not known to be signed.
	ReasonTooManyPlatforms = "TooManyPlatforms"
	// ReasonPolicyInvalid: the policy itself cannot be read, which the webhook refuses.
	ReasonPolicyInvalid = "PolicyInvalid"
	// ReasonNotCollected: nobody has looked for signatures yet.
	ReasonNotCollected = "NotCollected"
)

// The names of the checks.
const (
	checkNamePolicy     = "policy"
	checkNameSignature  = "signature"
	checkNamePlatform   = "platform"
	checkNameMetadata   = "metadata"
	checkNameValidation = "validation"
)

// Signatures gives what was found as signatures of an image, by its digest; nil if nobody has looked.
type Signatures func(digest string) *signature.Evidence

// Check is one thing that a policy asks for, and what was found.
type Check struct {
	Name    string
	Outcome v1alpha1.PolicyOutcome
	// Reason in one word; empty unless the outcome is another than Satisfied.
	Reason string
	// Text is for people.
	Text string
}

// unreadable is the check of something that a policy asks for and that cannot be read: nobody can say that it is so.
func unreadable(name, text string) Check {
	return Check{Name: name, Outcome: v1alpha1.PolicyUnknown, Reason: ReasonPolicyInvalid, Text: text}
}

// Verdict is what a policy says about an entry.
type Verdict struct {
	Policy  *Policy
	Outcome v1alpha1.PolicyOutcome
	// Reason and Message are those of the first check that decided; empty if the policy is satisfied.
	Reason, Message string
	Checks          []Check
	// Signers are the authorities that signed the image itself, whatever else is missing.
	Signers []v1alpha1.Signer
	// Signed is what became of the signatures: of the image, and of each of its platforms if the policy says so. Its Outcome is
	// empty if the policy needs no signature.
	Signed Check
}

// Judge holds an entry, whose status tells its digest and its platforms, against the policy.
func (p *Policy) Judge(image *v1alpha1.CatalogImage, signatures Signatures) Verdict {
	v := Verdict{Policy: p, Checks: slices.Clone(p.unreadable)}
	if p.WantsSignatures() {
		p.judgeSignatures(&v, image, signatures)
	}
	for _, wanted := range p.platforms {
		v.Checks = append(v.Checks, checkPlatform(wanted, image))
	}
	for _, field := range p.metadata {
		v.Checks = append(v.Checks, checkMetadata(field, image))
	}
	if len(p.validations) > 0 {
		view := viewOf(image)
		for _, each := range p.validations {
			v.Checks = append(v.Checks, each.check(view))
		}
	}
	worst := worstOf(v.Checks)
	v.Outcome, v.Reason = worst.Outcome, worst.Reason
	if worst.Outcome != v1alpha1.PolicySatisfied {
		v.Message = worst.Text
	}
	return v
}

// worstOf is the first check that is violated, else the first of which nothing is known.
func worstOf(checks []Check) Check {
	for _, outcome := range []v1alpha1.PolicyOutcome{v1alpha1.PolicyViolated, v1alpha1.PolicyUnknown} {
		if i := slices.IndexFunc(checks, func(c Check) bool { return c.Outcome == outcome }); i >= 0 {
			return checks[i]
		}
	}
	return Check{Outcome: v1alpha1.PolicySatisfied}
}

// Digests are those of the images that need a signature: the one that the entry names, first, and those in it if the policy
// says so. The digest is empty as long as nobody has found it.
func (p *Policy) Digests(image *v1alpha1.CatalogImage) []string {
	digests := []string{image.Status.Digest}
	if !p.WantsSignatures() {
		return nil
	}
	if p.SignedPlatforms {
		for _, platform := range image.Status.Platforms {
			if platform.Digest != "" && !slices.Contains(digests, platform.Digest) {
				digests = append(digests, platform.Digest)
			}
		}
	}
	return digests
}

func (p *Policy) judgeSignatures(v *Verdict, image *v1alpha1.CatalogImage, signatures Signatures) {
	var checks []Check
	for i, digest := range p.Digests(image) {
		check, signers := p.judgeSignature(digest, signatures(digest))
		checks = append(checks, check)
		if i == 0 {
			v.Signers = signers
		}
	}
	if p.SignedPlatforms && len(image.Status.Platforms) >= v1alpha1.MaxPlatforms {
		checks = append(checks, Check{
			Name: checkNameSignature, Outcome: v1alpha1.PolicyViolated, Reason: ReasonTooManyPlatforms,
			Text: fmt.Sprintf("the index may have more than the %d images that are looked at, and each needs a signature", v1alpha1.MaxPlatforms),
		})
	}
	v.Checks = append(v.Checks, checks...)
	v.Signed = worstOf(checks)
}

// judgeSignature takes the signature of one authority. Why there is none is what the authority says that knows most.
func (p *Policy) judgeSignature(digest string, evidence *signature.Evidence) (Check, []v1alpha1.Signer) {
	if evidence == nil {
		return Check{Name: checkNameSignature, Outcome: v1alpha1.PolicyUnknown, Reason: ReasonNotCollected, Text: oneLine("nobody has looked for signatures of " + digest + " yet")}, nil
	}
	var signers []v1alpha1.Signer
	var first Check
	for _, finding := range p.findings(evidence) {
		if finding.Outcome == signature.Verified {
			signers = append(signers, v1alpha1.Signer{Policy: p.Name, Authority: finding.Authority, Key: finding.Key})
		}
		check := Check{Name: checkNameSignature, Outcome: outcomes[finding.Outcome], Text: oneLine(fmt.Sprintf("%s: %s: %s", digest, finding.Authority, finding.Text))}
		if finding.Outcome != signature.Verified {
			check.Reason = string(finding.Reason)
		}
		if first.Outcome == "" || rank[check.Outcome] < rank[first.Outcome] {
			first = check
		}
	}
	return first, signers
}

var outcomes = map[signature.Outcome]v1alpha1.PolicyOutcome{
	signature.Verified: v1alpha1.PolicySatisfied, signature.NotVerified: v1alpha1.PolicyViolated, signature.Unknown: v1alpha1.PolicyUnknown,
}

// rank orders what authorities say about one image: one signature is enough, and where one may be, none is missing.
var rank = map[v1alpha1.PolicyOutcome]int{v1alpha1.PolicySatisfied: 0, v1alpha1.PolicyUnknown: 1, v1alpha1.PolicyViolated: 2}

// findings are those of all authorities. Of one without keys nothing is known.
func (p *Policy) findings(evidence *signature.Evidence) []signature.Finding {
	var findings []signature.Finding
	for _, a := range p.authorities {
		if len(a.Keys) == 0 {
			findings = append(findings, signature.Finding{
				Authority: a.Name, Outcome: signature.Unknown, Reason: v1alpha1.ReasonKeyUnavailable, Text: a.lacks,
			})
			continue
		}
		findings = append(findings, signature.Judge(evidence, []signature.Authority{a.Authority}).Findings...)
	}
	return findings
}

// Authorities are those of the policy whose keys are there, for who collects signatures until one is enough.
func (p *Policy) Authorities() []signature.Authority {
	var all []signature.Authority
	for _, a := range p.authorities {
		if len(a.Keys) > 0 {
			all = append(all, a.Authority)
		}
	}
	return all
}
