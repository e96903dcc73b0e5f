package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/prometheus/procfs"

	"imagecatalog.dev/catalog/test/plane"
)

// part is processes of this machine that play one part in what is measured.
type part struct {
	name      string
	processes []procfs.Proc
}

// cpuTime is what each part has used of the processors, in milliseconds. Other work on the machine moves it
// less than it moves rates.
type cpuTime []float64

// cpuRow is what one way to do something costs.
type cpuRow struct {
	name string
	cpu  cpuTime
}

// partsOf finds who takes part in creating entries.
func partsOf(p *plane.Plane, empty *emptyWebhooks) ([]part, error) {
	controlPlane, err := controlPlaneOf(p)
	if err != nil {
		return nil, err
	}
	ours, err := numbered(p.Webhooks[0].ID(), empty.id(), os.Getpid())
	if err != nil {
		return nil, err
	}
	return slices.Concat([]part{{"client", ours[2:]}}, controlPlane, []part{{"webhook", ours[:2]}}), nil // one webhook rests
}

// controlPlaneOf finds the API server and etcd. They are on this machine, for the API server asks webhooks on loopback.
func controlPlaneOf(p *plane.Plane) ([]part, error) {
	host, err := url.Parse(p.Config.Host)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's address: %w", err)
	}
	apiServer, args, err := findProcess("kube-apiserver", "--secure-port="+host.Port())
	if err != nil {
		return nil, err
	}
	etcd, _, err := findProcess("etcd", "--listen-client-urls="+valueOf("--etcd-servers", args))
	if err != nil {
		return nil, err
	}
	return []part{{"API server", []procfs.Proc{apiServer}}, {"etcd", []procfs.Proc{etcd}}}, nil
}

func numbered(ids ...int) ([]procfs.Proc, error) {
	var all []procfs.Proc
	for _, id := range ids {
		process, err := procfs.NewProc(id)
		if err != nil {
			return nil, fmt.Errorf("finding process %d: %w", id, err)
		}
		all = append(all, process)
	}
	return all, nil
}

// findProcess finds the one that runs a program with a certain argument, and gives all its arguments.
func findProcess(program, arg string) (procfs.Proc, []string, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return procfs.Proc{}, nil, fmt.Errorf("listing processes: %w", err)
	}
	for _, process := range all {
		args, err := process.CmdLine()
		if err == nil && len(args) > 0 && filepath.Base(args[0]) == program && slices.Contains(args, arg) {
			return process, args, nil
		} // an error means that it has ended
	}
	return procfs.Proc{}, nil, fmt.Errorf("no process of this machine is %s %s: the control plane must run here", program, arg)
}

// valueOf a flag of the form flag=value, or an empty string.
func valueOf(flag string, args []string) string {
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, flag+"="); ok {
			return value
		}
	}
	return ""
}

func readCPU(parts []part) (cpuTime, error) {
	total := make(cpuTime, len(parts))
	for n, p := range parts {
		for _, process := range p.processes {
			stat, err := process.Stat()
			if err != nil {
				return nil, fmt.Errorf("reading the CPU time of the %s: %w", p.name, err)
			}
			total[n] += stat.CPUTime() * 1000
		}
	}
	return total, nil
}

// since is what was used for each of so many entries since an earlier reading.
func (c cpuTime) since(earlier cpuTime, entries int) cpuTime {
	used := make(cpuTime, len(c))
	for n := range c {
		used[n] = (c[n] - earlier[n]) / float64(entries)
	}
	return used
}

func (c cpuTime) sum() float64 {
	var sum float64
	for _, used := range c {
		sum += used
	}
	return sum
}

// meanOf at least one. A median would leave out garbage collections, which come now and then.
func meanOf(all []cpuTime) cpuTime {
	mean := make(cpuTime, len(all[0]))
	for _, one := range all {
		for n := range one {
			mean[n] += one[n] / float64(len(all))
		}
	}
	return mean
}

// cpuTable is for people.
func cpuTable(parts []part, rows []cpuRow) string {
	var cells strings.Builder
	for _, p := range parts {
		cells.WriteString("\t" + p.name)
	}
	cells.WriteString("\tall\t\n")
	for _, row := range rows {
		cells.WriteString(row.name)
		for _, used := range append(slices.Clone(row.cpu), row.cpu.sum()) {
			fmt.Fprintf(&cells, "\t%.2f", used)
		}
		cells.WriteString("\t\n")
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = w.Write([]byte(cells.String())) // a strings.Builder takes everything
	_ = w.Flush()
	return table.String()
}
