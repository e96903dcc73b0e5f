package policy

import (
	"time"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// entry is a CatalogImage as expressions see it: what its publisher says and what the registry told, under the names of the
// API, and nothing that a policy decides itself. Being types, an expression with a wrong name is refused when it is written.
type entry struct {
	Metadata object `cel:"metadata"`
	Spec     spec   `cel:"spec"`
	Status   status `cel:"status"`
}

type object struct {
	Name        string            `cel:"name"`
	Namespace   string            `cel:"namespace"`
	Labels      map[string]string `cel:"labels"`
	Annotations map[string]string `cel:"annotations"`
}

type spec struct {
	Image       string    `cel:"image"`
	Digest      string    `cel:"digest"`
	DisplayName string    `cel:"displayName"`
	Tags        []string  `cel:"tags"`
	Series      string    `cel:"series"`
	Channel     string    `cel:"channel"`
	Metadata    facts     `cel:"metadata"`
	Source      source    `cel:"source"`
	Lifecycle   lifecycle `cel:"lifecycle"`
}

type facts struct {
	Architecture  string   `cel:"architecture"`
	OS            string   `cel:"os"`
	Variant       string   `cel:"variant"`
	Distro        string   `cel:"distro"`
	DistroVersion string   `cel:"distroVersion"`
	Targets       []target `cel:"targets"`
	Bootc         bool     `cel:"bootc"`
	BuildMode     string   `cel:"buildMode"`
	ExportFormat  string   `cel:"exportFormat"`
	KernelVersion string   `cel:"kernelVersion"`
}

type target struct {
	Name     string `cel:"name"`
	Verified bool   `cel:"verified"`
	Notes    string `cel:"notes"`
}

type source struct {
	Kind string `cel:"kind"`
	Name string `cel:"name"`
}

type lifecycle struct {
	State     string `cel:"state"`
	Reason    string `cel:"reason"`
	Successor string `cel:"successor"`
}

type status struct {
	Image        string     `cel:"image"`
	Digest       string     `cel:"digest"`
	MediaType    string     `cel:"mediaType"`
	ArtifactType string     `cel:"artifactType"`
	SizeBytes    int64      `cel:"sizeBytes"`
	CreatedAt    time.Time  `cel:"createdAt"`
	LayerCount   int64      `cel:"layerCount"`
	Platforms    []platform `cel:"platforms"`
	PublishedBy  string     `cel:"publishedBy"`
}

type platform struct {
	Architecture string `cel:"architecture"`
	OS           string `cel:"os"`
	Variant      string `cel:"variant"`
}

func viewOf(i *v1alpha1.CatalogImage) *entry {
	return &entry{
		Metadata: object{Name: i.Name, Namespace: i.Namespace, Labels: orEmpty(i.Labels), Annotations: orEmpty(i.Annotations)},
		Spec:     specOf(&i.Spec),
		Status:   statusOf(&i.Status),
	}
}

func specOf(s *v1alpha1.CatalogImageSpec) spec {
	view := spec{
		Image: s.Image, Digest: s.Digest, DisplayName: s.DisplayName, Tags: append([]string{}, s.Tags...),
		Series: string(s.Series), Channel: string(s.Channel), Metadata: factsOf(&s.Metadata),
		Lifecycle: lifecycle{State: string(v1alpha1.LifecycleActive)},
	}
	if s.Source != nil {
		view.Source = source{Kind: string(s.Source.Kind), Name: s.Source.Name}
	}
	if s.Lifecycle != nil {
		view.Lifecycle = lifecycle{State: string(s.Lifecycle.State), Reason: s.Lifecycle.Reason, Successor: s.Lifecycle.Successor}
	}
	return view
}

func factsOf(m *v1alpha1.ImageMetadata) facts {
	view := facts{
		Architecture: v1alpha1.CanonicalArchitecture(string(m.Architecture)), OS: string(m.OS), Variant: string(m.Variant),
		Distro: string(m.Distro), DistroVersion: string(m.DistroVersion), Targets: []target{},
		Bootc: m.Bootc != nil && *m.Bootc, BuildMode: string(m.BuildMode), ExportFormat: string(m.ExportFormat), KernelVersion: m.KernelVersion,
	}
	for _, t := range m.Targets {
		view.Targets = append(view.Targets, target{Name: string(t.Name), Verified: t.Verified, Notes: t.Notes})
	}
	return view
}

func statusOf(s *v1alpha1.CatalogImageStatus) status {
	view := status{
		Image: s.Image, Digest: s.Digest, MediaType: s.MediaType, ArtifactType: s.ArtifactType, SizeBytes: s.SizeBytes,
		LayerCount: s.LayerCount, PublishedBy: s.PublishedBy, Platforms: []platform{},
	}
	if s.CreatedAt != nil {
		view.CreatedAt = s.CreatedAt.UTC()
	}
	for _, p := range s.Platforms {
		found := PlatformOf(p.OS, p.Architecture, p.Variant)
		view.Platforms = append(view.Platforms, platform{Architecture: found.Architecture, OS: found.OS, Variant: found.Variant})
	}
	return view
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
