package index

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

func TestOrderIsNewestFirstThenByNamespaceAndName(t *testing.T) {
	c := newCatalog(t, imagetest.Image("b", "tie", 5), imagetest.Image("a", "z", 5), imagetest.Image("a", "old", 1), imagetest.Image("c", "new", 9), imagetest.Image("a", "tie", 5))
	got := []string{}
	for _, e := range c.Latest().Page(newest(10)).Entries {
		got = append(got, e.Namespace+"/"+e.Name)
	}
	assert.Equal(t, []string{"c/new", "a/tie", "a/z", "b/tie", "a/old"}, got)
}

func TestFacets(t *testing.T) {
	c := newCatalog(t,
		imagetest.Image("a", "pi", 4, imagetest.Architecture("aarch64"), imagetest.Distro("autosd"), imagetest.Targets("raspberry-pi", "qemu"), imagetest.Channel("prod"), imagetest.Tags("nightly", "safety"), imagetest.Phase(v1alpha1.PhaseAvailable)),
		imagetest.Image("a", "multi", 3, imagetest.Platforms("amd64", "arm64"), imagetest.Distro("autosd"), imagetest.Channel("dev"), imagetest.Phase(v1alpha1.PhaseAvailable)),
		imagetest.Image("b", "pc", 2, imagetest.Architecture("x86_64"), imagetest.Distro("centos-stream"), imagetest.Targets("qemu"), imagetest.Tags("nightly"), imagetest.Phase(v1alpha1.PhaseFailed)),
		imagetest.Image("b", "unseen", 1),
	)
	for name, tc := range map[string]struct {
		facets []Facet
		want   []string
	}{
		"nothing asked":                {nil, []string{"pi", "multi", "pc", "unseen"}},
		"declared or found":            {[]Facet{{Architecture, "arm64"}}, []string{"pi", "multi"}},
		"declared by its other name":   {[]Facet{{Architecture, "amd64"}}, []string{"multi", "pc"}},
		"distro":                       {[]Facet{{Distro, "autosd"}}, []string{"pi", "multi"}},
		"distro is not a prefix":       {[]Facet{{Distro, "centos"}}, []string{}},
		"one of the targets":           {[]Facet{{Target, "qemu"}}, []string{"pi", "pc"}},
		"channel":                      {[]Facet{{Channel, "dev"}}, []string{"multi"}},
		"one of the tags":              {[]Facet{{Tag, "nightly"}}, []string{"pi", "pc"}},
		"the repository as series":     {[]Facet{{Series, "quay.io/acme/pc"}}, []string{"pc"}},
		"phase":                        {[]Facet{{Phase, "Failed"}}, []string{"pc"}},
		"phase of an entry not seen":   {[]Facet{{Phase, "Pending"}}, []string{"unseen"}},
		"namespace":                    {[]Facet{{Namespace, "b"}}, []string{"pc", "unseen"}},
		"all must hold":                {[]Facet{{Architecture, "arm64"}, {Target, "qemu"}, {Namespace, "a"}}, []string{"pi"}},
		"nothing has it":               {[]Facet{{Target, "beaglebone"}}, []string{}},
		"a value is not a display one": {[]Facet{{Architecture, "x86_64"}}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			q := newest(10)
			q.Facets = tc.facets
			page := c.Latest().Page(q)
			assert.Equal(t, tc.want, namesOf(page.Entries))
			assert.Equal(t, len(tc.want), page.Total)
			assert.False(t, page.More)
		})
	}
	everything := &Query{}
	assert.Equal(t, []Count{{"nightly", 2}, {"safety", 1}}, c.Latest().Counts(Tag, everything))
	assert.Equal(t, []Count{{"arm64", 2}, {"amd64", 1}}, c.Latest().Counts(Architecture, &Query{Facets: []Facet{{Namespace, "a"}}}))
	assert.Equal(t, []string{"a", "b"}, c.Latest().Namespaces())
}

func TestTexts(t *testing.T) {
	named := imagetest.Image("a", "autosd-rpi4", 1, imagetest.Tags("Nightly"), imagetest.Available())
	named.Spec.DisplayName = "AutoSD for the Raspberry Pi"
	c := newCatalog(t, named, imagetest.Image("b", "other", 0))
	for text, found := range map[string]bool{
		"rpi4": true, "RPI4": true, "raspberry": true, "night": true, "acme/autosd": true, "sha256:abab": true, "auto pi": true,
		"autosd-rpi5": false, "auto beaglebone": false, "nightly\nsha256": true, "rpi4quay": false,
	} {
		q := newest(10)
		q.Predicates = []Predicate{Text(text)}
		assert.Equal(t, found, len(c.Prepare(q).Page(q).Entries) == 1, text)
	}
}
