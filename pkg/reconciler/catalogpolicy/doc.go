// Package catalogpolicy reconciles CatalogPolicies: it reads the public keys that they name into their statuses, where those
// who judge find them, and counts the entries that satisfy them. It judges none: that is done where entries are reconciled,
// and what comes of it is in their statuses. controller.go wires, catalogpolicy.go decides.
package catalogpolicy
