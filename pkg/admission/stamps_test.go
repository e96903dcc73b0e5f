package admission

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// The times of these tests: an entry is stored long ago, or published an hour ago, and written now.
var (
	now     = time.Date(2026, time.November, 22, 7, 30, 0, 500, time.FixedZone("CET", 3600))
	longAgo = time.Date(2025, time.March, 1, 12, 0, 0, 0, time.UTC)
)

const (
	nowStamp     = "2026-11-22T06:30:00Z"
	hourAgoStamp = "2026-11-22T05:30:00Z"
	longAgoStamp = "2025-03-01T12:00:00Z"
)

// stampedBy gives an entry the three stamps; "" leaves one out.
func stampedBy(creator, modifier, publishedAt string) func(*v1alpha1.CatalogImage) {
	return func(i *v1alpha1.CatalogImage) {
		i.CreationTimestamp = metav1.NewTime(longAgo)
		for annotation, value := range map[string]string{
			"imagecatalog.dev/creator": creator, "imagecatalog.dev/lastModifier": modifier, "imagecatalog.dev/published-at": publishedAt,
		} {
			if value != "" {
				i.Annotations[annotation] = value
			}
		}
	}
}

// stampsOf are the three stamps of an entry.
func stampsOf(i *admittedImage) [3]string {
	return [3]string{i.Annotations["imagecatalog.dev/creator"], i.Annotations["imagecatalog.dev/lastModifier"], i.Annotations["imagecatalog.dev/published-at"]}
}

// writing is the context of a request by a user; without a stored object it is a create.
func writing(t *testing.T, user string, before *admittedImage) context.Context {
	t.Helper()
	ctx := apis.WithUserInfo(t.Context(), &authenticationv1.UserInfo{Username: user})
	if before == nil {
		return apis.WithinCreate(ctx)
	}
	return apis.WithinUpdate(ctx, before)
}

// recordedRestorers notes who it is asked about, and answers the same of all.
type recordedRestorers struct {
	allows bool
	err    error
	asked  []string
}

func (r *recordedRestorers) MayRestore(_ context.Context, user *authenticationv1.UserInfo, entry *v1alpha1.CatalogImage) (bool, error) {
	r.asked = append(r.asked, user.Username+" "+entry.Namespace+"/"+entry.Name)
	return r.allows, r.err
}

// judgedBy is the entry, with those who know who may restore it.
func judgedBy(restorers Restorers, entry *admittedImage) *admittedImage {
	entry.restorers = restorers
	return entry
}

func TestStamping(t *testing.T) {
	stored := admitted(stampedBy("alice", "bob", hourAgoStamp))
	fromBefore := admitted(stampedBy("", "", ""))
	for title, test := range map[string]struct {
		before, after *admittedImage
		want          [3]string
	}{
		"a create":               {nil, admitted(), [3]string{"carol", "carol", nowStamp}},
		"a create of a backup":   {nil, admitted(stampedBy("alice", "bob", hourAgoStamp)), [3]string{"alice", "bob", hourAgoStamp}},
		"a create of half of it": {nil, admitted(stampedBy("alice", "", "")), [3]string{"alice", "carol", nowStamp}},
		"nothing new":            {stored, admitted(stampedBy("alice", "bob", hourAgoStamp)), [3]string{"alice", "bob", hourAgoStamp}},
		"a new label":            {stored, admitted(label("a", "b")), [3]string{"alice", "bob", hourAgoStamp}},
		"a new spec":             {stored, admitted(channel("dev"), stampedBy("alice", "bob", hourAgoStamp)), [3]string{"alice", "carol", hourAgoStamp}},
		"a new spec from a file": {stored, admitted(channel("dev")), [3]string{"alice", "carol", hourAgoStamp}},
		"a restore over it":      {stored, admitted(channel("dev"), stampedBy("dave", "erin", longAgoStamp)), [3]string{"dave", "erin", longAgoStamp}},
		"from before stamps":     {fromBefore, admitted(), [3]string{"", "", longAgoStamp}},
		"from before, changed":   {fromBefore, admitted(channel("dev")), [3]string{"", "carol", longAgoStamp}},
		"over what is unreadable": {unreadable(t, `{"metadata": {"creationTimestamp": "2025-03-01T12:00:00Z", "annotations": {"imagecatalog.dev/creator": "alice"}}, "spec": {"tags": 1}}`), admitted(),
			[3]string{"alice", "carol", longAgoStamp}},
	} {
		t.Run(title, func(t *testing.T) {
			test.after.SetDefaults(writing(t, "carol", test.before))
			assert.Equal(t, test.want, stampsOf(test.after))
			assert.Nil(t, judgedBy(&recordedRestorers{allows: true}, test.after).Validate(writing(t, "carol", test.before)),
				"what is stamped is valid, and for a restorer what is carried in, too")
		})
	}
}

func TestNobodyIsStampedWithoutARequest(t *testing.T) {
	entry := admitted()
	entry.SetDefaults(t.Context())
	assert.Empty(t, entry.Annotations, "knative defaults the stored object of an update, too")
}

func TestForgedStamps(t *testing.T) {
	stored := admitted(stampedBy("alice", "bob", hourAgoStamp))
	within := now.Add(-59 * time.Second).UTC().Format(time.RFC3339)
	ahead := now.Add(59 * time.Second).UTC().Format(time.RFC3339)
	const creator, modifier, published = "metadata.annotations[imagecatalog.dev/creator]", "metadata.annotations[imagecatalog.dev/lastModifier]", "metadata.annotations[imagecatalog.dev/published-at]"
	for title, test := range map[string]struct {
		before, after *admittedImage
		// refused are the annotations that carol may not write.
		refused []string
	}{
		"a create":                      {nil, admitted(stampedBy("carol", "carol", nowStamp)), nil},
		"stamped by another replica":    {nil, admitted(stampedBy("carol", "carol", ahead)), nil},
		"stamped just before":           {nil, admitted(stampedBy("carol", "carol", within)), nil},
		"another's":                     {nil, admitted(stampedBy("alice", "carol", nowStamp)), []string{creator}},
		"modified by another":           {nil, admitted(stampedBy("carol", "alice", nowStamp)), []string{modifier}},
		"published before":              {nil, admitted(stampedBy("carol", "carol", hourAgoStamp)), []string{published}},
		"all of it":                     {nil, admitted(stampedBy("alice", "bob", longAgoStamp)), []string{creator, modifier, published}},
		"unstamped":                     {nil, admitted(), []string{creator, modifier, published}},
		"an update":                     {stored, admitted(stampedBy("alice", "bob", hourAgoStamp)), nil},
		"a new spec":                    {stored, admitted(channel("dev"), stampedBy("alice", "carol", hourAgoStamp)), nil},
		"a new spec, as if by another":  {stored, admitted(channel("dev"), stampedBy("alice", "dave", hourAgoStamp)), []string{modifier}},
		"the old spec, as if by carol":  {stored, admitted(stampedBy("alice", "carol", hourAgoStamp)), []string{modifier}},
		"a taken-over entry":            {stored, admitted(stampedBy("carol", "bob", hourAgoStamp)), []string{creator}},
		"a younger entry":               {stored, admitted(stampedBy("alice", "bob", nowStamp)), []string{published}},
		"no creator any more":           {stored, admitted(stampedBy("", "bob", hourAgoStamp)), []string{creator}},
		"a creator where there is none": {admitted(stampedBy("", "", "")), admitted(stampedBy("carol", "", longAgoStamp)), []string{creator}},
	} {
		t.Run(title, func(t *testing.T) {
			restorers := &recordedRestorers{}
			err := judgedBy(restorers, test.after).Validate(writing(t, "carol", test.before))
			var refused []string
			for _, each := range err.WrappedErrors() {
				refused = append(refused, each.Paths...)
			}
			slices.Sort(refused)
			assert.Equal(t, test.refused, refused, "%v", err)
			assert.Equal(t, test.refused != nil, restorers.asked != nil, "the API server is asked only about what is carried in")
		})
	}
}

func TestWhoIsAskedAbout(t *testing.T) {
	restorers := &recordedRestorers{allows: true}
	entry := admitted(stampedBy("alice", "bob", longAgoStamp))
	assert.Nil(t, judgedBy(restorers, entry).Validate(writing(t, "velero", nil)))
	assert.Equal(t, []string{"velero radar/autosd"}, restorers.asked, "once for all stamps")

	away := &recordedRestorers{err: errors.New("the API server is away")}
	assert.ErrorContains(t, judgedBy(away, entry).Validate(writing(t, "velero", nil)), "the API server is away")
}

func TestATimeOfPublicationIsOne(t *testing.T) {
	for value, want := range map[string]string{
		"yesterday":            "write it as in RFC 3339, such as ",
		"2026-11-22":           "write it as in RFC 3339, such as ",
		"2026-11-22T06:31:02Z": `"2026-11-22T06:31:02Z" is in the future: metadata.annotations[imagecatalog.dev/published-at]` + "\nit is now " + nowStamp,
	} {
		assert.ErrorContains(t, judgedBy(&recordedRestorers{allows: true}, admitted(stampedBy("velero", "velero", value))).Validate(writing(t, "velero", nil)), want, value)
		assert.Nil(t, admitted(stampedBy("alice", "bob", value)).Validate(writing(t, "carol", admitted(stampedBy("alice", "bob", value)))),
			"what is stored already stops no update")
	}
}

func TestTheWordsForAForgedStamp(t *testing.T) {
	forged := func(carol Restorers, before *admittedImage, creator string) error {
		return judgedBy(carol, admitted(stampedBy(creator, "carol", nowStamp))).Validate(writing(t, "carol", before))
	}
	require.EqualError(t, forged(&recordedRestorers{}, nil, "alice"),
		`must not be set to "alice": metadata.annotations[imagecatalog.dev/creator]
leave the annotation out, and the catalog writes "carol"; only a restore may carry it in, by an account with the verb restore on catalogimages in namespace "radar" (ClusterRole imagecatalog-restore)`)
	assert.ErrorContains(t, forged(&recordedRestorers{}, admitted(stampedBy("alice", "carol", nowStamp)), "dave"),
		`must not be changed to "dave"`)
	assert.ErrorContains(t, forged(&recordedRestorers{allows: true}, nil, ""), `missing: metadata.annotations[imagecatalog.dev/creator]
the catalog writes it, and was not asked to; try again, and see that webhook defaulting.webhook.imagecatalog.dev is in place`)
}
