// Package admission holds the controllers of the webhook: defaults, validation, duplicates and the config maps.
// Nothing here asks a registry: whether an entry is admitted depends on what it says and what the cluster holds.
package admission
