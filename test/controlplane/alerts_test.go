//go:build controlplane

package controlplane

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/test/faults"
)

// prometheus is a real one that fetches the controller's metrics every second and knows the alerts of config/monitoring,
// without the time that they wait for.
type prometheus struct{ address string }

var waits = regexp.MustCompile(`(?m)^ +for: .*\n`)

func startPrometheus(t *testing.T) *prometheus {
	t.Helper()
	program := os.Getenv("PROMETHEUS")
	require.NotEmpty(t, program, "PROMETHEUS names no program; run this tier with: make control-plane-test")
	rules, err := os.ReadFile("../../config/monitoring/rules.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), waits.ReplaceAll(rules, nil), 0o600))
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yaml]\n"+
		"scrape_configs: [{job_name: controller, static_configs: [{targets: [%q]}]}]\n", installed.Controller.Metrics)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prometheus.yaml"), []byte(config), 0o600))

	p := &prometheus{address: freeAddress(t)}
	cmd := exec.Command(program, "--config.file="+filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+p.address, "--log.level=warn")
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		assert.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		assert.NoError(t, cmd.Wait())
	})
	return p
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// firing are the alerts, each with its registry where it has one.
func (p *prometheus) firing() []string {
	response, err := http.Get("http://" + p.address + "/api/v1/alerts")
	if err != nil {
		return nil // it starts
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	if json.NewDecoder(response.Body).Decode(&answer) != nil {
		return nil
	}
	var firing []string
	for _, alert := range answer.Data.Alerts {
		if alert.State == "firing" {
			firing = append(firing, alert.Labels["alertname"]+" "+alert.Labels["registry"])
		}
	}
	return firing
}

func (p *prometheus) await(t *testing.T, alert string, fires bool) {
	t.Helper()
	require.Eventually(t, func() bool { return slices.Contains(p.firing(), alert) == fires }, 90*time.Second, 100*time.Millisecond, "%s: %v", alert, fires)
}

// Registries throttle, lose images, are away for a while. Each alert is silent, fires when its cause is there, and is
// silent again when it has gone. That the controller is away is told in TestWithoutAController.
func TestEachAlertFiresWhileItsCauseIsThere(t *testing.T) {
	t.Parallel()
	const count = 20
	p := startPrometheus(t)
	registry := newTroubled(t)
	published, _ := registry.publish(t, count, v1alpha1.MinCheckInterval)
	namespace := published.namespace
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	p.await(t, "ImageCatalogChecksOverdue ", false)
	for _, alert := range []string{"ImageCatalogRegistryAway ", "ImageCatalogRegistryThrottles ", "ImageCatalogImagesDeleted "} {
		require.NotContains(t, p.firing(), alert+registry.Host)
	}

	registry.Inject(faults.RetryAfter(http.StatusTooManyRequests, "10"))
	assert.Equal(t, "Throttled", checkPatiently(t, entries, "autosd-1").Outcome)
	p.await(t, "ImageCatalogRegistryThrottles "+registry.Host, true)
	registry.Inject()
	p.await(t, "ImageCatalogRegistryThrottles "+registry.Host, false)

	require.NoError(t, remote.Delete(registry.direct.Tag("0")))
	require.Eventually(t, func() bool { return checkPatiently(t, entries, "autosd-0").Outcome == "ImageDeleted" }, 2*time.Minute, time.Second)
	p.await(t, "ImageCatalogImagesDeleted "+registry.Host, true)
	p.await(t, "ImageCatalogImagesUnavailable ", true)

	registry.Inject(faults.Status(http.StatusServiceUnavailable))
	askAll(t, namespace)
	p.await(t, "ImageCatalogRegistryAway "+registry.Host, true)
	overdue(t, namespace, "autosd-2")
	p.await(t, "ImageCatalogChecksOverdue ", true)
	registry.Inject()
	p.await(t, "ImageCatalogRegistryAway "+registry.Host, false)
	p.await(t, "ImageCatalogChecksOverdue ", false)
}

// overdue has an entry's last check be long ago.
func overdue(t *testing.T, namespace, name string) {
	t.Helper()
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	require.NoError(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		entry, err := entries.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		long := metav1.NewTime(time.Now().Add(-4 * v1alpha1.DefaultCheckInterval))
		entry.Status.LastCheckedAt = &long
		_, err = entries.UpdateStatus(t.Context(), entry, metav1.UpdateOptions{})
		return err
	}))
}
