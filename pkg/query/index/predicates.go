package index

import (
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// Text matches an entry that has each word of a text in its name, image, tags, display name or digest, whatever the case.
func Text(text string) Predicate {
	words := strings.Fields(strings.ToLower(text))
	return Predicate{
		Key: "text " + strings.Join(words, " "),
		Matches: func(e *Entry) bool {
			for _, word := range words {
				if !strings.Contains(e.text, word) {
					return false
				}
			}
			return true
		},
	}
}

// Within matches an entry of one of some namespaces; the key is the same for the same namespaces.
func Within(key string, has func(namespace string) bool) Predicate {
	return Predicate{Key: "within " + key, Matches: func(e *Entry) bool { return has(e.Namespace) }}
}

// Labels matches an entry by its labels, as `kubectl get --selector` does.
func Labels(selector labels.Selector) Predicate {
	return Predicate{Key: "labels " + selector.String(), Matches: func(e *Entry) bool { return selector.Matches(e) }}
}
