package query

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/index"
)

const (
	defaultLimit = 20
	maxLimit     = 500
	maxTag       = 63 // as in the schema of spec.tags
	maxText      = 256
	maxSelector  = 1024
	maxReference = 512 // as in the schema of spec.image
	maxSeries    = 512 // that of an entry which declares none is its repository
)

// What the parameters may be, in the words of the answer to a bad one.
const (
	allowedFacet     = "up to 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit"
	allowedTag       = "1 to 63 bytes"
	allowedSeries    = "a declared series, or the canonical repository of entries that declare none, such as quay.io/acme/autosd"
	allowedNamespace = "the name of a namespace: up to 63 lower-case letters, digits or '-'"
	allowedPhase     = "Pending, Verifying, Available, Unavailable or Failed"
	allowedText      = "words of 1 to 256 bytes together; an entry has each of them in its name, image, tags, display name or digest"
	allowedSelector  = "a label selector as for kubectl get --selector, up to 1024 bytes"
	allowedDigest    = "sha256: and 64 hexadecimal digits in lower case"
	allowedReference = "a reference such as quay.io/acme/autosd:1.2"
	allowedSort      = "published, name, size or checked, with '-' before it for the greatest first"
	allowedBool      = "true or false"
	allowedLimit     = "a whole number from 1 to 500"
	allowedVersion   = "the resourceVersion of a listing or of an event of a watch"
	allowedContinue  = "the value of continue in an answer to the same query, unchanged"
)

// facets are the parameters that name a facet of an entry.
var facets = map[string]index.Kind{
	"architecture": index.Architecture, "distro": index.Distro, "target": index.Target, "channel": index.Channel,
	"series": index.Series, "tag": index.Tag, "phase": index.Phase, "namespace": index.Namespace, "verified": index.Verified,
}

// filters are the parameters that say which entries match, in the order of the documentation. Of a namespace's own path
// the last one is left out.
var filters = []string{"architecture", "distro", "target", "channel", "series", "tag", "phase", "verified", "q", "labelSelector", "digest", "image", "latest", "namespace"}

// pages are the parameters that say what to show of them.
var pages = []string{"sort", "limit", "continue", "fields", "watch", "resourceVersion"}

// The parameters of a listing of all namespaces, and of the path of one.
var (
	ofAll = slices.Concat(filters, pages)
	ofOne = slices.Concat(filtersFor("one"), pages)
)

// parameters are a request for entries that match.
type parameters struct {
	index.Query
	said     url.Values // as the query string has them
	path     string     // the namespace that the path names, or ""
	fields   []string   // nil: all
	watch    bool
	since    string // the version to watch from; "" for the latest
	identity uint64 // of the filters and the order: a place in one listing means nothing in another
	proceed  *token // nil: from the beginning
}

// parseListing reads the query string of a listing, for a namespace or, if that is "", for all. The error is always a
// *Problem: an unknown parameter, one that is there twice and a bad value are refused, because a listing that silently
// left a condition out would show the wrong images.
func parseListing(raw, namespace string) (*parameters, error) {
	if namespace == "" {
		return parse(raw, namespace, ofAll)
	}
	return parse(raw, namespace, ofOne)
}

// parseFilters reads a query string that holds filters alone.
func parseFilters(raw, namespace string) (*parameters, error) {
	return parse(raw, namespace, filtersFor(namespace))
}

func filtersFor(namespace string) []string {
	if namespace == "" {
		return filters
	}
	return filters[:len(filters)-1]
}

func parse(raw, namespace string, known []string) (*parameters, error) {
	values, err := parseParameters(raw, known)
	if err != nil {
		return nil, err
	}
	p := &parameters{said: values, path: namespace, Query: index.Query{Limit: defaultLimit, Order: index.ByPublished, Descending: true}}
	if namespace != "" {
		values = maps.Clone(values)
		values.Set("namespace", namespace)
	}
	for _, parameter := range slices.Sorted(maps.Keys(values)) {
		if err := p.set(parameter, values.Get(parameter)); err != nil {
			return nil, err
		}
	}
	p.identity = identify(values)
	if values.Has("continue") {
		p.proceed, err = parseToken(values.Get("continue"), p.identity)
	}
	return p, err
}

// parseParameters gives the parameters of a query string, each of them known and there once.
func parseParameters(raw string, known []string) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("The query string cannot be read: " + err.Error() + ".")
	}
	for _, parameter := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, parameter) {
			return nil, unknownParameter(parameter, known)
		}
		if n := len(values[parameter]); n > 1 {
			return nil, badParameter(parameter, "one value",
				fmt.Sprintf("The parameter %s is there %d times. Ask for one value at a time.", parameter, n))
		}
	}
	return values, nil
}

// set takes one parameter over. The token is left to parseToken, which needs the other parameters first.
func (p *parameters) set(parameter, value string) error {
	if kind, ok := facets[parameter]; ok {
		return p.setFacet(kind, parameter, value)
	}
	switch parameter {
	case "q":
		p.Predicates = append(p.Predicates, index.Text(value))
		return check(strings.TrimSpace(value) != "" && len(value) <= maxText, parameter, value, allowedText)
	case "labelSelector":
		selector, err := labels.Parse(value)
		if err != nil || len(value) > maxSelector {
			return check(false, parameter, value, allowedSelector)
		}
		p.Predicates = append(p.Predicates, index.Labels(selector))
	case "digest":
		p.Digest = value
		return check(digestPattern.MatchString(value), parameter, value, allowedDigest)
	case "image":
		p.Reference = index.Canonical(value)
		return check(p.Reference != "" && len(value) <= maxReference, parameter, value, allowedReference)
	case "latest":
		p.Latest = value == "true"
		return check(p.Latest || value == "false", parameter, value, allowedBool)
	case "watch":
		p.watch = value == "true"
		return check(p.watch || value == "false", parameter, value, allowedBool)
	case "resourceVersion":
		p.since = value
		return check(versionPattern.MatchString(value), parameter, value, allowedVersion)
	case "sort":
		return p.setOrder(value)
	case "fields":
		p.fields = strings.Split(value, ",")
		return checkFields(p.fields)
	case "limit":
		limit, err := strconv.Atoi(value)
		p.Limit = limit
		return check(err == nil && limit >= 1 && limit <= maxLimit, parameter, value, allowedLimit)
	}
	return nil
}

var (
	digestPattern  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	versionPattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,18})$`)
)

func (p *parameters) setFacet(kind index.Kind, parameter, value string) error {
	wanted := value
	if kind == index.Architecture {
		wanted = v1alpha1.CanonicalArchitecture(value)
	}
	p.Facets = append(p.Facets, index.Facet{Kind: kind, Value: wanted})
	switch kind {
	case index.Tag:
		return check(value != "" && len(value) <= maxTag, parameter, value, allowedTag)
	case index.Series:
		return check(value != "" && len(value) <= maxSeries, parameter, value, allowedSeries)
	case index.Phase:
		return check(slices.Contains(v1alpha1.Phases(), v1alpha1.Phase(value)), parameter, value, allowedPhase)
	case index.Verified:
		return check(value == "true" || value == "false", parameter, value, allowedBool)
	case index.Namespace:
		return check(len(validation.IsDNS1123Label(value)) == 0, parameter, value, allowedNamespace)
	}
	return check(value != "" && len(validation.IsValidLabelValue(value)) == 0, parameter, value, allowedFacet)
}

func (p *parameters) setOrder(value string) error {
	key, descending := strings.CutPrefix(value, "-")
	order, ok := map[string]index.Order{
		"published": index.ByPublished, "name": index.ByName, "size": index.BySize, "checked": index.ByChecked,
	}[key]
	p.Order, p.Descending = order, descending
	return check(ok, "sort", value, allowedSort)
}

func check(good bool, parameter, value, allowed string) error {
	if good {
		return nil
	}
	return badParameter(parameter, allowed, fmt.Sprintf("The parameter %s is %s; allowed is %s.", parameter, quote(value), allowed))
}
