package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

func controllerRun() *controllerResults {
	return &controllerResults{
		entries: 1000,
		first: stretch{took: 10 * time.Second, requests: 3001, calls: map[string]float64{"PUT catalogimages/status": 1000, "POST events": 4},
			cpu: cpuTime{100, 2900, 1000}},
		pulled: 500, asked: 900, written: 200, called: 125,
		writing:  stretch{cpu: cpuTime{0, 900, 100}},
		calling:  stretch{cpu: cpuTime{200, 2400, 0}},
		peak:     64 << 20,
		restart:  stretch{took: 3 * time.Second, calls: map[string]float64{"PUT leases": 1}, cpu: cpuTime{1, 2, 3}},
		listing:  time.Second,
		rechecks: stretch{took: 5 * time.Second, checks: 1000, requests: 1001, calls: map[string]float64{"PUT catalogimages/status": 1000}, cpu: cpuTime{0, 1500, 500}},
		heap:     25e6, emptyHeap: 5e6, stored: 4e6,
	}
}

func TestTheControllerIsHeldAgainstTheSlowerOfItsBaselines(t *testing.T) {
	assert.Equal(t, []string{
		"controller/first-checks/rate                       100 checks/s against 200: ratio 0.5, goal 0.8 MISSED",
		"controller/first-checks/calls                      100 checks/s against 125: ratio 0.8, goal 0.8 met",
		"controller/first-checks/requests                 3.001 requests against 3.001: ratio 1, goal 1 met",
		"controller/first-checks/status-writes                1 writes against 1: ratio 1, goal 1 met",
		"controller/first-checks/cpu                          4 ms against 1: ratio 4",
		"controller/re-checks/rate                          200 checks/s against 200: ratio 1",
		"controller/re-checks/requests                    1.001 requests against 1.001: ratio 1, goal 1 met",
		"controller/re-checks/status-writes                   1 writes against 1: ratio 1, goal 1 met",
		"controller/re-checks/cpu                             2 ms against 1: ratio 2",
		"controller/restart/time                              3 s against 1: ratio 3",
		"controller/restart/requests                          0 requests against 1000: ratio 0, goal 0 met",
		"controller/restart/status-writes                     0 writes against 1000: ratio 0, goal 0 met",
		"controller/memory/entry                             20 KB against 4: ratio 5",
		"controller/memory/peak                              64 MiB against 512: ratio 0.125, goal 1 met",
	}, linesOf(controllerRun().figures()))
}

func TestWhatIsSaidBesideTheFiguresLeavesOutWhatHardlyHappens(t *testing.T) {
	r := controllerRun()
	assert.Equal(t, "PUT catalogimages/status 1.00", perCheck(r.first.calls, r.entries))
	details := r.details([]part{{name: "client"}, {name: "API server"}, {name: "etcd"}})
	assert.Contains(t, details, "first check    0.10        2.90  1.00  4.00")
	assert.Contains(t, details, "the same calls    0.20        2.40  0.00  2.60")
}

func TestFirstChecksAreComparedWithTheSameCalls(t *testing.T) {
	first := map[string]float64{"GET catalogimages": 1000, "PUT leases": 1004, "POST events": 1000, "LIST catalogimages": 1}
	require.NoError(t, sameCalls(first, map[string]float64{"GET catalogimages": 1000, "PUT leases": 1000, "POST events": 1000}, 1000))
	assert.EqualError(t, sameCalls(first, map[string]float64{"GET catalogimages": 1000, "PUT leases": 1000}, 1000),
		"a first check makes the calls map[GET catalogimages:1 POST events:1 PUT leases:1], and is compared with map[GET catalogimages:1 PUT leases:1]")
}

func TestTheMemoryOfTheControllerIsThatOfItsDeployment(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "deployment-controller.yaml"))
	require.NoError(t, err)
	var deployment appsv1.Deployment
	require.NoError(t, yaml.Unmarshal(content, &deployment))
	assert.EqualValues(t, controllerMemory<<20, deployment.Spec.Template.Spec.Containers[0].Resources.Limits.Memory().Value())
}

func TestCallsAreCountedByVerbAndResource(t *testing.T) {
	before := reading{calls: map[string]float64{"GET leases": 2, "PUT catalogimages/status": 1}}
	after := reading{calls: callsOf(parseSeries(`# TYPE apiserver_request_total counter
apiserver_request_total{code="200",resource="catalogimages",subresource="status",verb="PUT"} 5
apiserver_request_total{code="409",resource="catalogimages",subresource="status",verb="PUT"} 1
apiserver_request_total{code="200",resource="leases",subresource="",verb="GET"} 2
apiserver_request_terminations_total{code="200",resource="leases",subresource="",verb="GET"} 9
`))}
	s := after.since(before)
	assert.Equal(t, map[string]float64{"PUT catalogimages/status": 5}, s.calls)
	assert.InDelta(t, 5, s.statusWrites(), 0)
}

func TestSeriesAreSummedUpByTheirLabels(t *testing.T) {
	s := parseSeries(`entries{phase="Available",note="a \"}\" and, more"} 3
entries{phase="Failed"} 1e3
entries_total 7
no series`)
	assert.Len(t, s, 3)
	assert.InDelta(t, 1003, s.sum("entries"), 0)
	assert.InDelta(t, 3, s.sum("entries", `phase="Available"`), 0)
	assert.InDelta(t, 7, s.sum("entries_total"), 0)
	assert.Zero(t, s.sum("entries", `phase="Avail"`))
}

func TestTheHeapIsReadFromAProfile(t *testing.T) {
	heap, err := heapIn("# Alloc = 3\n# HeapAlloc = 4096\n# HeapSys = 5\n")
	require.NoError(t, err)
	assert.InDelta(t, 4096, heap, 0)
	_, err = heapIn("404")
	assert.ErrorContains(t, err, "does not say")
}
