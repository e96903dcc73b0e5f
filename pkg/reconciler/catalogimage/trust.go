package catalogimage

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
)

const (
	// lookInterval is how soon is looked again for a signature that is missing: who publishes signs a moment later.
	lookInterval = 30 * time.Second
	// lookPeriod is for how long after the image was published, or its policies changed. Then regular checks look.
	lookPeriod = 15 * time.Minute
	// policyWait is how soon is looked again for policies whose keys are being read. An event mostly comes before.
	policyWait = 30 * time.Second
	// never is for what comes back by an event or with a regular check.
	never = time.Duration(math.MaxInt64)
)

func nameOf(entry *v1alpha1.CatalogImage) types.NamespacedName {
	return types.NamespacedName{Namespace: entry.Namespace, Name: entry.Name}
}

// judgeTrust holds the image against the policies that select the entry, and looks for signatures if that is due apart from
// regular checks. It returns when to judge again.
//
// Only what the registry has as described is judged: what was said about an image stands when it is gone or cannot be asked
// about, for as long as that may.
func (r *Reconciler) judgeTrust(ctx context.Context, entry *v1alpha1.CatalogImage, ref name.Reference) time.Duration {
	policies, err := r.policies.Selecting(ref.Context(), entry.Namespace)
	switch {
	case err != nil:
		entry.Status.MarkUnjudged(v1alpha1.ReasonKeyUnavailable, err.Error())
		return policyWait
	case len(policies) == 0:
		r.evidences.forget(nameOf(entry))
		entry.Status.MarkNoPolicy()
		return never
	case entry.Status.Digest == "" || !entry.Status.GetCondition(v1alpha1.ConditionResolved).IsTrue():
		entry.Status.MarkUnjudged("NotResolved", "the image was not found, so that policies cannot be judged")
		return never
	}
	if r.untilLook(entry, ref.Context(), policies) <= 0 {
		if err := r.look(ctx, entry, ref); registry.ReasonOf(err) == registry.Busy {
			if said := entry.Status.Verification; said != nil && said.Digest != entry.Status.Digest { // a first policy takes nobody down while it waits
				entry.Status.MarkUnjudged(string(registry.Busy), err.Error())
			}
			return retryAfter(err)
		}
	}
	r.judge(entry, ref.Context(), policies)
	if again := r.untilLook(entry, ref.Context(), policies); again > 0 {
		return again
	}
	return lookInterval // the registry was not asked, since the API server failed, for example
}

// untilLook is how long until signatures are looked for apart from regular checks: at once for policies that have not judged
// the image yet and of which no evidence is kept, or not all, and every lookInterval for a signature that is missing.
func (r *Reconciler) untilLook(entry *v1alpha1.CatalogImage, repository name.Repository, policies []*policy.Policy) time.Duration {
	status := &entry.Status
	digests := digestsOf(policies, entry)
	if len(digests) == 0 || !status.GetCondition(v1alpha1.ConditionResolved).IsTrue() || !status.GetCondition(v1alpha1.ConditionFresh).IsTrue() {
		return never
	}
	known, judged := r.evidences.of(nameOf(entry), repository.Name()), status.IsJudgedBy(unjudged(policies))
	if !judged && slices.ContainsFunc(digests, known.lacks) {
		return 0
	}
	if !judged || !missesSignature(status.Verification, policies) || r.now().Sub(status.Verification.Since.Time) >= lookPeriod {
		return never
	}
	if known == nil {
		return 0
	}
	return known.at.Add(lookInterval).Sub(r.now())
}

// missesSignature says whether a policy that wants signatures does not hold, and not for something else that it wants.
func missesSignature(v *v1alpha1.Verification, policies []*policy.Policy) bool {
	others := []string{policy.ReasonPlatformMissing, policy.ReasonMetadataMissing, policy.ReasonValidationFailed}
	for _, p := range policies {
		said := verdictOf(v, p.Name)
		if p.WantsSignatures() && said != nil && said.Outcome != v1alpha1.PolicySatisfied && !slices.Contains(others, said.Reason) {
			return true
		}
	}
	return false
}

// digestsOf are those of the images of which some policy wants a signature.
func digestsOf(policies []*policy.Policy, entry *v1alpha1.CatalogImage) (digests []string) {
	for _, p := range policies {
		for _, digest := range p.Digests(entry) {
			if digest != "" && !slices.Contains(digests, digest) {
				digests = append(digests, digest)
			}
		}
	}
	return digests
}

// look collects signatures between regular checks. What goes wrong is in the evidence.
func (r *Reconciler) look(ctx context.Context, entry *v1alpha1.CatalogImage, ref name.Reference) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	keychain, err := r.keychains.For(ctx, entry, ref)
	if err != nil {
		return err
	}
	return r.collect(ctx, entry, ref, r.registry, keychain)
}

// collect brings what is kept as signatures of the image up to date, if a policy wants one. An error is that of a registry
// that may have an answer later: what was found before is kept then, for an outage proves nothing.
func (r *Reconciler) collect(ctx context.Context, entry *v1alpha1.CatalogImage, ref name.Reference, from signature.Registry, keychain authn.Keychain) error {
	policies, err := r.policies.Selecting(ref.Context(), entry.Namespace)
	if err != nil {
		return nil //nolint:nilerr // judgeTrust comes back for them
	}
	key, repository := nameOf(entry), ref.Context()
	before := r.evidences.of(key, repository.Name())
	found := &evidence{repository: repository.Name(), byDigest: map[string]*signature.Evidence{}, at: r.now()}
	var failure error
	for _, digest := range digestsOf(policies, entry) {
		known := before.of(digest)
		collected := signature.CollectAgain(ctx, from, repository.Digest(digest), keychain, known, enough(known, policies))
		if missing := collected.Missing; missing != nil && isOutage(registry.ReasonOf(missing)) {
			if failure == nil {
				failure = missing
			}
			if known != nil {
				collected = known
			}
		}
		found.byDigest[digest] = collected
	}
	if registry.ReasonOf(failure) != registry.Busy && len(found.byDigest) > 0 {
		r.evidences.keep(key, found)
	}
	return failure
}

// enough ends collecting when an authority of each policy has signed. The first time all is collected, and as long as the keys
// of a policy are not there: others will be judged by it.
func enough(known *signature.Evidence, policies []*policy.Policy) func(signature.Signature) bool {
	if known == nil {
		return nil
	}
	var groups [][]signature.Authority
	for _, p := range policies {
		group := p.Authorities()
		if p.WantsSignatures() && len(group) == 0 {
			return nil
		}
		groups = append(groups, group)
	}
	return signature.Enough(groups...)
}

// judge writes what the policies say into the status. After a restart nothing is kept to judge by; then what was said stands,
// if it was by the same policies and about the same image.
func (r *Reconciler) judge(entry *v1alpha1.CatalogImage, repository name.Repository, policies []*policy.Policy) {
	status, found := &entry.Status, r.evidences.of(nameOf(entry), repository.Name())
	v := v1alpha1.Verification{Digest: status.Digest, Since: metav1.NewTime(r.now()).Rfc3339Copy()}
	if status.IsJudgedBy(unjudged(policies)) {
		if wanted := digestsOf(policies, entry); len(wanted) > 0 && found.of(wanted[0]) == nil {
			return
		}
		v.Since, v.CheckedAt = status.Verification.Since, status.Verification.CheckedAt
	}
	var signed []policy.Check
	for _, p := range policies {
		said := p.Judge(entry, found.of)
		if before := verdictOf(status.Verification, p.Name); standsBefore(before, status, said) {
			v.Policies, v.Signers = append(v.Policies, *before), append(v.Signers, signersOf(status.Verification, p.Name)...)
			continue
		}
		v.Policies = append(v.Policies, v1alpha1.PolicyVerdict{
			Name: p.Name, Mode: p.Mode, Revision: p.Revision, Outcome: said.Outcome, Reason: said.Reason, Message: said.Message,
		})
		v.Signers, signed = append(v.Signers, said.Signers...), append(signed, said.Signed)
	}
	markSigned(status, v.Signers, signed)
	v.CheckedAt = checkedAt(v, status, found)
	status.MarkJudged(v)
	r.evidences.trim(nameOf(entry))
}

// standsBefore says whether a verdict stands though it cannot be told any more: the registry gives no answer now about the
// same image, and the policy is the same.
func standsBefore(before *v1alpha1.PolicyVerdict, status *v1alpha1.CatalogImageStatus, now policy.Verdict) bool {
	ofPolicy := now.Reason == policy.ReasonPolicyInvalid || now.Reason == v1alpha1.ReasonKeyUnavailable
	return now.Outcome == v1alpha1.PolicyUnknown && !ofPolicy && isOutage(registry.Reason(now.Reason)) &&
		before != nil && before.Revision == now.Policy.Revision && status.Verification.Digest == status.Digest
}

// unjudged are the policies as their verdicts begin, to be compared with stored ones.
func unjudged(policies []*policy.Policy) []v1alpha1.PolicyVerdict {
	verdicts := make([]v1alpha1.PolicyVerdict, 0, len(policies))
	for _, p := range policies {
		verdicts = append(verdicts, v1alpha1.PolicyVerdict{Name: p.Name, Mode: p.Mode, Revision: p.Revision})
	}
	return verdicts
}

// verdictOf is what a policy said; nil if it said nothing.
func verdictOf(v *v1alpha1.Verification, name string) *v1alpha1.PolicyVerdict {
	if v == nil {
		return nil
	}
	for i := range v.Policies {
		if v.Policies[i].Name == name {
			return &v.Policies[i]
		}
	}
	return nil
}

func signersOf(v *v1alpha1.Verification, policy string) []v1alpha1.Signer {
	return slices.DeleteFunc(slices.Clone(v.Signers), func(s v1alpha1.Signer) bool { return s.Policy != policy })
}

// markSigned marks whether an authority verified the image. While one may have, it is not known; where there is nothing new,
// it is as it was.
func markSigned(status *v1alpha1.CatalogImageStatus, signers []v1alpha1.Signer, signed []policy.Check) {
	if len(signers) > 0 {
		status.MarkVerified(fmt.Sprintf("%s (policy %s)", signers[0].Authority, signers[0].Policy))
		return
	}
	for _, check := range signed {
		if check.Outcome == v1alpha1.PolicyUnknown {
			status.MarkVerifiedUnknown(check.Reason, check.Text)
			return
		}
	}
	for _, check := range signed {
		if check.Outcome == v1alpha1.PolicyViolated {
			status.MarkNotVerified(check.Reason, check.Text)
			return
		}
	}
	if len(signed) > 0 {
		status.MarkUnasked()
	}
}

// checkedAt is when the registry was asked for signatures: last in a regular check, or when that changed something. A look that
// changes nothing is worth no write.
func checkedAt(v v1alpha1.Verification, status *v1alpha1.CatalogImageStatus, found *evidence) *metav1.Time {
	if found == nil {
		return v.CheckedAt
	}
	at := metav1.NewTime(found.at).Rfc3339Copy()
	regular := status.LastCheckedAt != nil && !status.LastCheckedAt.Time.Before(at.Time)
	before := v1alpha1.Verification{}
	if status.Verification != nil {
		before = *status.Verification
	}
	before.CheckedAt = v.CheckedAt
	if regular || !equality.Semantic.DeepEqual(before, v) {
		return &at
	}
	return v.CheckedAt
}
