// Package pod is what a Task's step finds in its pod to ask registries with: settings, from a ConfigMap of the run's
// namespace that is mounted, and credentials, from a config.json.
package pod
