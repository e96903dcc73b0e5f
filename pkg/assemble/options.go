package assemble

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"imagecatalog.dev/catalog/pkg/param"
)

// Options are the params of the Task as they were written.
type Options struct {
	RootFS          string
	ImageURL        string
	SourceDateEpoch string
	Labels          param.List
	Platforms       param.List
}

// AddFlags gives each param its flag.
func (o *Options) AddFlags(fs *flag.FlagSet) {
	fs.StringVar(&o.RootFS, "rootfs", "", "reference of the OCI artifact with the root file systems")
	fs.StringVar(&o.ImageURL, "image-url", "", "where to push the index: a repository and a tag")
	fs.StringVar(&o.SourceDateEpoch, "source-date-epoch", "", "time of the build in seconds since 1970, for a reproducible digest; default now")
	fs.Var(&o.Labels, "labels", "key=value for the images' labels and the index's annotations")
	fs.Var(&o.Platforms, "platforms", "platforms to build, such as linux/arm64; default all that the artifact has")
}

// Order says what to build, or which param is wrong (a *param.Error). Now is the time of a build that names none.
func (o *Options) Order(now time.Time) (Order, error) {
	rootfs, err := name.ParseReference(strings.TrimSpace(o.RootFS))
	if err != nil {
		return Order{}, wrong("ROOTFS", err, "write a reference such as registry.example.com/rootfs/debian:trixie")
	}
	image, err := name.NewTag(strings.TrimSpace(o.ImageURL), name.WithDefaultTag(""))
	if err != nil || image.TagStr() == "" {
		return Order{}, wrong("IMAGE_URL", fmt.Errorf("%q is not a repository with a tag", o.ImageURL),
			"write a reference such as registry.example.com/acme/autosd:rpi4-1.2")
	}
	order := Order{RootFS: rootfs, Image: image}
	if order.Created, err = o.created(now); err != nil {
		return Order{}, err
	}
	if order.Labels, err = parseLabels(o.Labels); err != nil {
		return Order{}, err
	}
	order.Platforms, err = parsePlatforms(o.Platforms)
	return order, err
}

// created follows https://reproducible-builds.org/specs/source-date-epoch/.
func (o *Options) created(now time.Time) (time.Time, error) {
	if o.SourceDateEpoch == "" {
		return now.UTC().Truncate(time.Second), nil
	}
	seconds, err := strconv.ParseInt(o.SourceDateEpoch, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, wrong("SOURCE_DATE_EPOCH", fmt.Errorf("%q is not a time", o.SourceDateEpoch),
			"write seconds since 1970, as `git log -1 --format=%ct` gives them")
	}
	return time.Unix(seconds, 0).UTC(), nil
}

func parseLabels(written []string) (map[string]string, error) {
	labels := make(map[string]string, len(written))
	for _, label := range written {
		key, value, ok := strings.Cut(label, "=")
		if !ok || key == "" {
			return nil, wrong("LABELS", fmt.Errorf("%q is not a label", label), "write key=value, such as com.redhat.automotive.distro=autosd")
		}
		labels[key] = value
	}
	return labels, nil
}

func parsePlatforms(written []string) ([]v1.Platform, error) {
	platforms := make([]v1.Platform, 0, len(written))
	for _, value := range written {
		platform, err := parsePlatform(value)
		if err != nil {
			return nil, wrong("PLATFORMS", err, "write os/architecture or os/architecture/variant, such as linux/arm64")
		}
		platforms = append(platforms, platform)
	}
	return platforms, nil
}

// parsePlatform wants at least an operating system and an architecture.
func parsePlatform(written string) (v1.Platform, error) {
	platform, err := v1.ParsePlatform(written)
	if err != nil {
		return v1.Platform{}, err
	}
	if platform.OS == "" || platform.Architecture == "" {
		return v1.Platform{}, fmt.Errorf("%q is not a platform", written)
	}
	return *platform, nil
}

func wrong(name string, problem error, advice string) error {
	return &param.Error{Param: name, Problem: problem.Error(), Advice: advice}
}
