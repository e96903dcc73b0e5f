// Package result writes the results of a Tekton step.
//
// A step hands a result on by writing a file named after it into one directory; the entrypoint packs all of them into
// the container's termination message, which Kubernetes cuts at 4,096 bytes together with Tekton's own entries. A
// TaskRun whose message was cut fails with a text that names neither the Task nor the result. So a Dir keeps a budget
// of its own and refuses what would burst it, by name.
package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"
)

const (
	// DefaultDir is where Tekton looks for the files (Tekton, "Emitting Results from a Task").
	DefaultDir = "/tekton/results"
	// Budget is the number of bytes that all names and values of a step may have together. What remains of the 4,096
	// is for Tekton: its JSON around each result and its own entries.
	Budget = 1536
)

// ErrTooLong means that a result does not fit into the Budget any more.
var ErrTooLong = errors.New("the results of a step may have 1.5 KB in all")

// Dir is a directory of results. It is for one goroutine.
type Dir struct {
	path  string
	sizes map[string]int
}

// NewDir gives the results that are written to path, in a pod DefaultDir.
func NewDir(path string) *Dir {
	return &Dir{path: path, sizes: map[string]int{}}
}

// Write sets a result of type string; writing it again replaces it. A result is written wholly or not at all. The
// error is ErrTooLong when the value would exceed the Budget.
func (d *Dir) Write(name, value string) error {
	if name == "" || name != filepath.Base(name) {
		return fmt.Errorf("writing result %q: this is no name of a result", name)
	}
	size := len(name) + len(value)
	if spent := d.spentWithout(name); spent+size > Budget {
		return fmt.Errorf("writing result %s of %d bytes after %d bytes of others: %w", name, size, spent, ErrTooLong)
	}
	if err := replace(filepath.Join(d.path, name), value); err != nil {
		return fmt.Errorf("writing result %s: %w", name, err)
	}
	d.sizes[name] = size
	return nil
}

// WriteObject sets a result of type object, which Tekton reads as a JSON object of strings.
func (d *Dir) WriteObject(name string, fields map[string]string) error {
	value, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("encoding result %s: %w", name, err)
	}
	return d.Write(name, string(value))
}

func (d *Dir) spentWithout(name string) int {
	total := 0
	for other, size := range d.sizes {
		if other != name {
			total += size
		}
	}
	return total
}

// replace goes through a file beside the target, so that a step killed meanwhile leaves no half of a value.
func replace(path, value string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".result-*")
	if err != nil {
		return err
	}
	_, err = file.WriteString(value)
	// Results may be read by a sidecar that runs as another user.
	err = errors.Join(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// Clip shortens text for people to at most limit bytes, on a character boundary, and marks the cut with an ellipsis.
func Clip(text string, limit int) string {
	const mark = "…"
	if len(text) <= limit {
		return text
	}
	end := max(limit-len(mark), 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}
