package query

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

const (
	defaultLimit = 20
	maxLimit     = 500
	maxTag       = 63 // as in the schema of spec.tags
)

// What the parameters may be, in the words of the answer to a bad one.
const (
	allowedFacet     = "up to 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit"
	allowedTag       = "1 to 63 bytes"
	allowedNamespace = "the name of a namespace: up to 63 lower-case letters, digits or '-'"
	allowedPhase     = "Pending, Verifying, Available, Unavailable or Failed"
	allowedLimit     = "a whole number from 1 to 500"
	allowedContinue  = "the value of continue in an answer to the same query, unchanged"
)

// query is one request for a page: what to list, from where on and how much.
type query struct {
	filter
	limit int
	after *key // nil: from the newest on
}

// parseQuery reads the query string of a listing. The namespace is the one that the path names, or empty. The
// error is always a *Problem: an unknown parameter, one that is there twice and a bad value are refused, because a
// listing that silently left a condition out would show the wrong images.
func parseQuery(raw, namespace string) (*query, error) {
	values, err := parseParameters(raw, parameterNames(namespace))
	if err != nil {
		return nil, err
	}
	q := &query{limit: defaultLimit}
	if namespace != "" {
		values.Set("namespace", namespace)
	}
	token := values.Get("continue")
	for _, parameter := range slices.Sorted(maps.Keys(values)) {
		if err := q.set(parameter, values.Get(parameter)); err != nil {
			return nil, err
		}
	}
	if values.Has("continue") {
		q.after, err = parseToken(token, &q.filter)
	}
	return q, err
}

// parameterNames are the parameters of a listing, in the order of the documentation.
func parameterNames(namespace string) []string {
	names := []string{"architecture", "distro", "target", "channel", "tag", "phase", "limit", "continue"}
	if namespace == "" {
		names = append(names, "namespace")
	}
	return names
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
func (q *query) set(parameter, value string) error {
	switch parameter {
	case "architecture":
		q.architecture = v1alpha1.CanonicalArchitecture(value)
		return checkFacet(parameter, value)
	case "distro":
		q.distro = value
		return checkFacet(parameter, value)
	case "target":
		q.target = value
		return checkFacet(parameter, value)
	case "channel":
		q.channel = value
		return checkFacet(parameter, value)
	case "tag":
		q.tag = value
		return check(value != "" && len(value) <= maxTag, parameter, value, allowedTag)
	case "phase":
		q.phase = v1alpha1.Phase(value)
		return check(slices.Contains(v1alpha1.Phases(), q.phase), parameter, value, allowedPhase)
	case "namespace":
		q.namespace = value
		return check(len(validation.IsDNS1123Label(value)) == 0, parameter, value, allowedNamespace)
	case "limit":
		limit, err := strconv.Atoi(value)
		q.limit = limit
		return check(err == nil && limit >= 1 && limit <= maxLimit, parameter, value, allowedLimit)
	}
	return nil
}

func checkFacet(parameter, value string) error {
	return check(value != "" && len(validation.IsValidLabelValue(value)) == 0, parameter, value, allowedFacet)
}

func check(good bool, parameter, value, allowed string) error {
	if good {
		return nil
	}
	return badParameter(parameter, allowed, fmt.Sprintf("The parameter %s is %s; allowed is %s.", parameter, quote(value), allowed))
}
