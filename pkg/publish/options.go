package publish

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"time"

	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/param"
)

// DefaultTimeout is how long publishing may take in all when nothing else is said.
const DefaultTimeout = 2 * time.Minute

// Options are the params of the Task.
type Options struct {
	ImageURL    string
	ImageDigest string

	Name      string
	Namespace string

	DisplayName   string
	Tags          param.List
	Series        string
	Channel       string
	Architecture  string
	Distro        string
	DistroVersion string
	Targets       param.List
	Bootc         *bool // nil: as the image says
	BuildMode     string
	ExportFormat  string

	Registries string // directory with the settings for registries; empty for none

	WaitFor apis.ConditionType // empty: do not wait
	Timeout time.Duration      // of everything, waiting included
	DryRun  bool
}

// AddFlags gives each param its flag.
func (o *Options) AddFlags(fs *flag.FlagSet) {
	fs.StringVar(&o.ImageURL, "image-url", "", "reference of the image, such as quay.io/acme/autosd:rpi4-1.2")
	fs.StringVar(&o.ImageDigest, "image-digest", "", "digest of the build; default what the reference names now")
	fs.StringVar(&o.Name, "name", "", "name of the entry; default <repository>-<tag>-<8 digits of the digest>")
	fs.StringVar(&o.Namespace, "namespace", "", "namespace of the entry")
	fs.StringVar(&o.DisplayName, "display-name", "", "name that people read in listings")
	fs.StringVar(&o.Series, "series", "", "what the builds of one thing have in common")
	fs.StringVar(&o.Channel, "channel", "", "promotion stage, such as dev")
	fs.StringVar(&o.Architecture, "architecture", "", "architecture, such as arm64; default as the image says")
	fs.StringVar(&o.Distro, "distro", "", "distribution, such as autosd; default as the image says")
	fs.StringVar(&o.DistroVersion, "distro-version", "", "version of the distribution; default as the image says")
	fs.Func("bootc", "whether the image is a bootable container: true or false; default as the image says", o.setBootc)
	fs.StringVar(&o.BuildMode, "build-mode", "", "mode of the image builder, such as image or bootc")
	fs.StringVar(&o.ExportFormat, "export-format", "", "format of the disk image, such as qcow2")
	fs.StringVar(&o.Registries, "registries", "", "directory with the settings for registries, as config-registries is mounted; default HTTPS only, private addresses too")
	fs.Func("wait-for", "condition of the entry to wait for: Resolved or Ready; default none", o.setWaitFor)
	fs.DurationVar(&o.Timeout, "timeout", DefaultTimeout, "how long publishing may take, waiting included")
	fs.BoolVar(&o.DryRun, "dry-run", false, "let the catalog judge the entry without keeping it")
	fs.Var(&o.Tags, "tags", "free-form categories, such as nightly")
	fs.Var(&o.Targets, "targets", "boards that the image is built for; default as the image says")
}

func (o *Options) setBootc(value string) error {
	is, err := strconv.ParseBool(value)
	if err != nil {
		return errors.New(`write "true", "false" or nothing`)
	}
	o.Bootc = &is
	return nil
}

func (o *Options) setWaitFor(value string) error {
	o.WaitFor = apis.ConditionType(value)
	if o.WaitFor != v1alpha1.ConditionResolved && o.WaitFor != v1alpha1.ConditionReady {
		return fmt.Errorf("write %s, %s or nothing", v1alpha1.ConditionResolved, v1alpha1.ConditionReady)
	}
	return nil
}

// Validate finds what no single flag can.
func (o *Options) Validate() error {
	if o.Namespace == "" {
		return &param.Error{Param: "NAMESPACE", Problem: "it is empty", Advice: "name the namespace of the entry"}
	}
	if o.Timeout <= 0 {
		return &param.Error{Param: "TIMEOUT", Problem: o.Timeout.String() + " is no time", Advice: `write a duration such as "2m"`}
	}
	_, err := parseImage(o.ImageURL, o.ImageDigest)
	return err
}

// stated is what the params state about the image.
func (o *Options) stated() v1alpha1.CatalogImageSpec {
	return v1alpha1.CatalogImageSpec{
		DisplayName: o.DisplayName,
		Tags:        unique(o.Tags),
		Series:      v1alpha1.Facet(o.Series),
		Channel:     v1alpha1.Facet(o.Channel),
		Metadata: v1alpha1.ImageMetadata{
			Architecture:  v1alpha1.Facet(o.Architecture),
			Distro:        v1alpha1.Facet(o.Distro),
			DistroVersion: v1alpha1.Facet(o.DistroVersion),
			Targets:       targets(o.Targets),
			Bootc:         o.Bootc,
			BuildMode:     v1alpha1.Facet(o.BuildMode),
			ExportFormat:  v1alpha1.Facet(o.ExportFormat),
		},
	}
}

// targets makes one target of each name, none of them tested.
func targets(names []string) []v1alpha1.Target {
	var list []v1alpha1.Target
	for _, name := range unique(names) {
		list = append(list, v1alpha1.Target{Name: v1alpha1.Facet(name)})
	}
	return list
}

// unique drops repetitions, which the API refuses.
func unique(values []string) []string {
	var kept []string
	for _, value := range values {
		if !slices.Contains(kept, value) {
			kept = append(kept, value)
		}
	}
	return kept
}
