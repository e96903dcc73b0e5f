//go:build controlplane

package controlplane

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/query/index"
	"imagecatalog.dev/catalog/test/plane"
)

// replicas are both replicas of the query server, as one who may see some namespaces asks them.
type replicas struct {
	client    *http.Client
	processes [2]*plane.Process
	addresses [2]string
	token     string
}

func startReplicas(t *testing.T, namespaces ...string) *replicas {
	t.Helper()
	r := &replicas{
		client:    startQuery(t),
		processes: [2]*plane.Process{installed.Query, installed.QueryPeer},
		addresses: [2]string{installed.QueryAddress, installed.QueryPeerAddress},
	}
	require.NoError(t, installed.QueryPeer.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, installed.QueryPeer.Kill()) })
	require.NoError(t, installed.QueryPeer.AwaitReady(t.Context()))
	r.token, _ = newToken(t, namespaces[0], "someone")
	for _, namespace := range namespaces {
		for _, role := range []string{"view", "edit"} {
			require.NoError(t, kubectl(t.Context(), "", "create", "rolebinding", role, "--namespace", namespace,
				"--clusterrole", "imagecatalog-"+role, "--serviceaccount", namespaces[0]+":someone"))
		}
		for _, address := range r.addresses {
			require.Eventually(t, func() bool {
				page, err := r.page(t.Context(), address, "/v1/namespaces/"+namespace+"/images?limit=1")
				return err == nil && page.status == http.StatusOK
			}, revocation, pause, "a new right is heard of")
		}
	}
	return r
}

// page is a page of a listing, or the problem that came instead.
type page struct {
	status          int
	header          http.Header
	Items           []json.RawMessage
	Total           int
	ResourceVersion string
	Continue        string
	Detail          string
}

// unjudged is what a replica says to whom the API server took more than 5 seconds to judge.
const unjudged = "The API server does not say who may see what"

// page asks a replica, and again who was not judged in time.
func (r *replicas) page(ctx context.Context, address, path string) (p page, err error) {
	for began := time.Now(); ; {
		p, err = r.pageAtOnce(ctx, address, path)
		if err != nil || p.status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, unjudged) || time.Since(began) > patience {
			return p, err
		}
		time.Sleep(pause)
	}
}

func (r *replicas) pageAtOnce(ctx context.Context, address, path string) (p page, err error) {
	response, err := open(ctx, r.client, address, r.token, path)
	if err != nil {
		return p, err
	}
	defer response.Body.Close()
	p.status, p.header = response.StatusCode, response.Header
	return p, json.NewDecoder(response.Body).Decode(&p)
}

// walk asks for one page after the other, each of another replica. A replica that has not come so far says so, and is asked again.
func (r *replicas) walk(ctx context.Context, first int, path string, values url.Values) (all page, err error) {
	for turn := first; ; turn++ {
		next, err := r.page(ctx, r.addresses[turn%2], path+"?"+values.Encode())
		for err == nil && next.status == http.StatusServiceUnavailable && next.header.Get("Retry-After") != "" {
			time.Sleep(pause)
			next, err = r.page(ctx, r.addresses[turn%2], path+"?"+values.Encode())
		}
		switch {
		case err != nil:
			return all, err
		case next.status != http.StatusOK:
			return all, fmt.Errorf("page %d of %s: %d %s", turn-first, values, next.status, next.Detail)
		case turn > first && (next.Total != all.Total || next.ResourceVersion != all.ResourceVersion):
			return all, fmt.Errorf("page %d of %s has the total %d at version %s, the page before %d at %s",
				turn-first, values, next.Total, next.ResourceVersion, all.Total, all.ResourceVersion)
		}
		next.Items = append(all.Items, next.Items...)
		all = next
		if values.Set("continue", next.Continue); next.Continue == "" {
			return all, nil
		}
	}
}

// questions are queries, with what says the same of an item.
func questions(namespaces []string) map[string]func(index.Item) bool {
	all := func(index.Item) bool { return true }
	return map[string]func(index.Item) bool{
		"":                             all,
		"sort=name":                    all,
		"sort=-name":                   all,
		"sort=size":                    all,
		"sort=-checked":                all,
		"channel=stage":                func(i index.Item) bool { return i.Channel == "stage" },
		"q=BOARD":                      func(i index.Item) bool { return i.DisplayName == "boards" },
		"labelSelector=team%3Dphones":  func(i index.Item) bool { return i.DisplayName == "phones" },
		"namespace=" + namespaces[1]:   func(i index.Item) bool { return i.Namespace == namespaces[1] },
		"phase=Unavailable&sort=-size": func(i index.Item) bool { return i.Phase == "Unavailable" },
	}
}

// Whatever happens to the replicas, whoever asks them takes them for one. No other test asks them meanwhile, and these share
// the machine with those that only wait.
func TestTwoQueryServersAreOne(t *testing.T) {
	t.Parallel()
	t.Run("a walk over both is one snapshot", walkIsOneSnapshot)
	t.Run("a watch goes on at the other", watchGoesOn)
	t.Run("one is killed under load", killUnderLoad)
	t.Run("one stops under load", stopUnderLoad)
}

// While 50 writers change the catalog, a walk shows it as it was at its first page, although another replica gives each page.
func walkIsOneSnapshot(t *testing.T) {
	const lasts = 8 * time.Second
	namespaces := []string{newNamespace(t), newNamespace(t), newNamespace(t)}
	r := startReplicas(t, namespaces...)
	churning := newChurn(t, namespaces...)

	var history chronicle
	begun, watched := make(chan uint64, 1), make(chan error, 1)
	begin := sync.OnceFunc(func() { begun <- history[len(history)-1].version() })
	go func() {
		watched <- r.watch(t.Context(), r.addresses[0], "/v1/images?watch=true", "", func(e told) bool {
			history = append(history, e)
			if e.Type == "BOOKMARK" {
				begin()
			}
			return e.item().Name != marker
		})
	}()
	since := <-begun

	walks := map[string]chan page{}
	for question := range questions(namespaces) {
		values, err := url.ParseQuery(question)
		require.NoError(t, err)
		values.Set("limit", "17")
		done := make(chan page, 1000)
		walks[question] = done
		go func() {
			defer close(done)
			for first, end := 0, time.Now().Add(lasts); time.Now().Before(end) || first < 8; first++ {
				values.Del("continue")
				all, err := r.walk(t.Context(), first, "/v1/images", values)
				if !assert.NoError(t, err) {
					return
				}
				done <- all
				time.Sleep(pause)
			}
		}()
	}
	made := map[string][]page{}
	for question, done := range walks {
		for all := range done {
			made[question] = append(made[question], all)
		}
	}
	churning.stop(t)
	mark(t, namespaces[0])
	require.NoError(t, <-watched)

	for question, matches := range questions(namespaces) {
		compared := 0
		for _, all := range made[question] {
			version, err := strconv.ParseUint(all.ResourceVersion, 10, 64)
			require.NoError(t, err)
			if version < since {
				continue // the other replica, before the watch began
			}
			compared++
			assertSnapshot(t, question, history.at(version), matches, all)
		}
		t.Logf("%d walks of %q", compared, question)
		assert.Greater(t, compared, 3, "too few to say anything of %q", question)
	}
}

// Each replica starts at another time, while nothing happens in the catalog, but elsewhere in the cluster: a walk goes on at the
// other one at once, whichever it began at.
func aQuietCatalogIsTheSame(t *testing.T) {
	namespace := createConstant(t)
	r := startReplicas(t, namespace)
	for _, replica := range r.processes {
		require.NoError(t, replica.Kill())
		require.NoError(t, replica.Start(t.Context()))
		require.NoError(t, replica.AwaitReady(t.Context()))
		_, err := kube.CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "another-"}}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	path := "/v1/namespaces/" + namespace + "/images?limit=30"
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		for n, address := range r.addresses {
			first, err := r.page(t.Context(), address, path)
			require.NoError(c, err)
			second, err := r.page(t.Context(), r.addresses[1-n], path+"&continue="+first.Continue)
			require.NoError(c, err)
			require.Equal(c, http.StatusOK, second.status, second.Detail)
			assert.Len(c, second.Items, constantEntries-30)
		}
	}, 20*time.Second, pause)
}

// assertSnapshot asserts that a walk has exactly what matches of a catalog, once each, in order.
func assertSnapshot(t *testing.T, question string, snapshot map[string]told, matches func(index.Item) bool, all page) {
	t.Helper()
	var want, got []string
	for _, event := range snapshot {
		if matches(event.item()) {
			want = append(want, string(event.Object))
		}
	}
	var names []string
	for _, raw := range all.Items {
		got = append(got, string(raw))
		names = append(names, told{Object: raw}.item().Name)
	}
	require.Len(t, got, all.Total, "%q at %s: the total is that of the first page", question, all.ResourceVersion)
	switch question {
	case "sort=name":
		require.True(t, slices.IsSorted(names))
	case "sort=-name":
		require.True(t, slices.IsSortedFunc(names, func(a, b string) int { return cmp.Compare(b, a) }))
	}
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got, "%q at %s", question, all.ResourceVersion)
}
