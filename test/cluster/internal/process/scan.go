package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process is a living process of a cluster.
type Process struct {
	PID         int
	Part        string // the part it is, or was started by
	Fingerprint string // of that part
	Leader      bool   // it is the part itself, not a child of it
}

// Scan finds every living process of the cluster, in no order.
func (o Owner) Scan() ([]Process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if process, ok := o.inspect(pid); ok {
			found = append(found, process)
		}
	}
	return found, nil
}

// inspect reads a process's marks. One that has ended, or belongs to another
// user, has none that can be read: it is not ours.
func (o Owner) inspect(pid int) (Process, bool) {
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return Process{}, false
	}
	variables := bytes.Split(environment, []byte{0})
	if cluster := lookup(variables, clusterVariable); cluster != o.Cluster {
		return Process{}, false
	}
	mark := lookup(variables, partVariable)
	part, fingerprint, _ := strings.Cut(mark, "@")
	state, session := status(pid)
	return Process{PID: pid, Part: part, Fingerprint: fingerprint, Leader: session == pid}, state != "Z" && state != ""
}

func lookup(variables [][]byte, name string) string {
	for _, variable := range variables {
		if value, ok := bytes.CutPrefix(variable, []byte(name+"=")); ok {
			return string(value)
		}
	}
	return ""
}

// status reads the state letter and the session of a process from its stat
// file, see proc_pid_stat(5): the name before them, in parentheses, may itself
// hold spaces and parentheses.
func status(pid int) (state string, session int) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 4 {
		return "", 0
	}
	session, _ = strconv.Atoi(fields[3])
	return fields[0], session
}

// Find returns the process that is the named part.
func (o Owner) Find(name string) (Process, bool, error) {
	processes, err := o.Scan()
	if err != nil {
		return Process{}, false, err
	}
	for _, process := range processes {
		if process.Leader && process.Part == name {
			return process, true, nil
		}
	}
	return Process{}, false, nil
}
