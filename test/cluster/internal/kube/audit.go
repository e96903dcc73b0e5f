package kube

import (
	_ "embed"
	"fmt"
	"path/filepath"

	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

//go:embed audit.yaml
var auditPolicy []byte

// Bounds of the audit log: megabytes of a file, and how many full ones are kept beside it.
const (
	auditFileSize = 256
	auditFiles    = 2
)

// AuditLog is the file the API server writes what the catalog asked of it to, one JSON object a line. When it is full
// it goes on in a new one, and the full one gets the time into its name.
func AuditLog(dir string) string { return filepath.Join(dir, "logs", "audit.log") }

// AuditPolicy is the file that says what is audited.
func (c ControlPlane) AuditPolicy() string { return filepath.Join(c.Dir, "audit.yaml") }

// Configure writes what the API server reads at its start, apart from keys.
func (c ControlPlane) Configure() error {
	if err := state.Write(c.AuditPolicy(), auditPolicy, 0o644); err != nil {
		return fmt.Errorf("write the audit policy: %w", err)
	}
	return nil
}

func (c ControlPlane) auditFlags() []string {
	return []string{
		"--audit-policy-file=" + c.AuditPolicy(),
		"--audit-log-path=" + AuditLog(c.Dir),
		fmt.Sprintf("--audit-log-maxsize=%d", auditFileSize),
		fmt.Sprintf("--audit-log-maxbackup=%d", auditFiles),
	}
}
