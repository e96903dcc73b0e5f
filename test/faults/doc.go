// Package faults puts trouble between a client and a real registry, and keeps account of what the client did.
//
// A Proxy is a host of its own in front of a registry. What its registry would answer, a Fault spoils: it keeps the client
// waiting, breaks the connection, sends it elsewhere, says other bytes. Hosts that cannot be connected to at all are Refused
// and Deaf, and an Authority signs certificates that nobody should trust. No client is faked, and no registry is: without a
// fault the answer is the registry's.
//
// All proxies of a test binary write into one Ledger. It has every request with its headers and body, so it can tell
// whether one host was ever sent what opens another.
package faults
