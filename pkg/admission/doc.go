// Package admission holds the controllers of the webhook: defaults, validation, duplicates and the config maps; and the
// server that answers for them.
// Nothing here asks a registry: whether an entry is admitted depends on what it says and what the cluster holds. A policy is
// admitted when pkg/policy can read it; the Secrets that it names may come later.
//
// The ConfigMap config-registries says of which repositories there may be images. Each replica follows it, so that no
// request waits for a look-up, and one that comes within the moment of a change may be judged by what held before: the
// controller, which asks the registry, judges again. Settings that cannot be read are refused when they are written. Those
// that got by, while the webhook was away, leave in force what held before, or everything allowed where nothing did.
//
// Three annotations of an entry are facts that nothing could find out again: who created it, who changed its spec last,
// and when it was published. The mutating webhook stamps those that are missing. The validating webhook looks at what
// is going to be stored: values that are neither stored already nor just stamped were carried in, which takes the verb
// restore on catalogimages in the entry's namespace.
package admission
