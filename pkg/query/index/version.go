package index

import (
	"fmt"
	"strconv"
)

// parseVersion reads a resource version: a decimal number that grows with every write to the cluster (KEP-5504).
func parseVersion(text string) (uint64, error) {
	version, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the resource version %q, which should be a number: %w", text, err)
	}
	return version, nil
}
