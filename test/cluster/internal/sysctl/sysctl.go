// Package sysctl changes kernel settings in a way that can be taken back:
// the old values are on disk before the first one changes.
package sysctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

// Settings is a file that holds the values settings had before.
type Settings struct {
	File string
	Root string // where the settings are, /proc/sys
}

// Saved reports whether there are values to put back.
func (s Settings) Saved() bool {
	_, err := os.Stat(s.File)
	return err == nil
}

// Forget replaces the saved values by none, for when a reboot has put the
// kernel's own back.
func (s Settings) Forget() error {
	if !s.Saved() {
		return nil
	}
	return state.Write(s.File, []byte("{}"), 0o644)
}

// Save writes the present values of the named settings ("net/ipv4/ip_forward")
// down. What was saved before stays: those were the values before any change.
// Settings that this kernel does not have are left out.
func (s Settings) Save(names ...string) error {
	if s.Saved() {
		return nil
	}
	values := map[string]string{}
	for _, name := range names {
		value, err := os.ReadFile(filepath.Join(s.Root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read setting %s: %w", name, err)
		}
		values[name] = strings.TrimSpace(string(value))
	}
	content, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return err
	}
	return state.Write(s.File, content, 0o644)
}

// Set changes one setting.
func (s Settings) Set(name, value string) error {
	if err := os.WriteFile(filepath.Join(s.Root, name), []byte(value), 0o644); err != nil {
		return fmt.Errorf("change setting %s to %s: %w", name, value, err)
	}
	return nil
}

// Restore puts the saved values back, those that differ. Without a file
// nothing was changed.
func (s Settings) Restore() error {
	content, err := os.ReadFile(s.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the saved settings: %w", err)
	}
	var values map[string]string
	if err := json.Unmarshal(content, &values); err != nil {
		return fmt.Errorf("read the saved settings %q: %w", s.File, err)
	}
	var failed []error
	for name, value := range values {
		now, err := os.ReadFile(filepath.Join(s.Root, name))
		if err != nil || strings.TrimSpace(string(now)) != value {
			failed = append(failed, s.Set(name, value))
		}
	}
	return errors.Join(failed...)
}
