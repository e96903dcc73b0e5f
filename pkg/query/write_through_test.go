package query

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	k8stesting "k8s.io/client-go/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/client/clientset/versioned/fake"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

// stored is an API server's store to which everybody may write, and which says who did.
type stored struct {
	*fake.Clientset
	mutex  sync.Mutex
	tokens []string
}

func (s *stored) clients(token string) (catalogclient.CatalogImagesGetter, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.tokens = append(s.tokens, token)
	return s.ImagecatalogV1alpha1(), nil
}

func writableServer(t *testing.T, catalog *catalog, store *stored) string {
	t.Helper()
	handler, err := newHandler(catalog.Index, rights{"ann list  ": true}.reviewer(true), newGates(), store.clients, newStopping(), noop.Meter{})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func send(t *testing.T, method, address, body string, header http.Header) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	r.Header = http.Header{"Authorization": {"Bearer ann"}, "Content-Type": {"application/json"}}
	for key, values := range header {
		r.Header[key] = values
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{r.URL, response.StatusCode, response.Header, response.ContentLength, string(read)}
}

const images = "/v1/namespaces/a/images"

func TestWhatIsAddedIsWrittenAsTheCaller(t *testing.T) {
	store := &stored{Clientset: fake.NewSimpleClientset()}
	base := writableServer(t, catalogOf(), store)
	got := send(t, http.MethodPost, base+images, `{"metadata":{"name":"one"},"spec":{"image":"quay.io/acme/autosd:1"}}`, nil)
	assert.Equal(t, http.StatusCreated, got.status, got.body)
	assert.Equal(t, images+"/one", got.header.Get("Location"))
	assert.Contains(t, got.body, `"image":"quay.io/acme/autosd:1"`)
	assert.Equal(t, []string{"ann"}, store.tokens)
	one, err := store.ImagecatalogV1alpha1().CatalogImages("a").Get(t.Context(), "one", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, "quay.io/acme/autosd:1", one.Spec.Image)

	got = send(t, http.MethodPost, base+images+"/one/recall", `{"reason":"the Wi-Fi driver","successor":"two"}`, nil)
	assert.Equal(t, http.StatusOK, got.status, got.body)
	one, err = store.ImagecatalogV1alpha1().CatalogImages("a").Get(t.Context(), "one", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, &v1alpha1.Lifecycle{State: v1alpha1.LifecycleRecalled, Reason: "the Wi-Fi driver", Successor: "two"}, one.Spec.Lifecycle)

	assert.Equal(t, http.StatusNoContent, send(t, http.MethodDelete, base+images+"/one", "", nil).status)
	got = send(t, http.MethodDelete, base+images+"/one", "", nil)
	assert.Equal(t, http.StatusNotFound, got.status)
	assert.Contains(t, decode[Problem](t, got.body).Detail, `"one" not found`)
}

func TestBadWritesAreRefused(t *testing.T) {
	base := writableServer(t, catalogOf(), &stored{Clientset: fake.NewSimpleClientset()})
	good := `{"metadata":{"name":"one"},"spec":{"image":"a"}}`
	for _, tc := range []struct {
		method, path, body string
		header             http.Header
		status             int
		detail             string
	}{
		{"POST", images, good, http.Header{"Content-Type": {"application/yaml"}}, 415, "Send JSON"},
		{"POST", images, good, http.Header{"Authorization": nil}, 401, "Nothing is written for somebody unknown"},
		{"POST", images, "{", nil, 400, "not what is wanted"},
		{"POST", images, `{"metadata":{"name":"one"},"spec":{"image":"a","imag":"b"}}`, nil, 400, `unknown field "spec.imag"`},
		{"POST", images, `{"spec":{"image":"a","image":"b"}}`, nil, 400, `duplicate field "spec.image"`},
		{"POST", images, `{"kind":"Pod","apiVersion":"v1"}`, nil, 400, "send a CatalogImage of imagecatalog.dev/v1alpha1"},
		{"POST", images, `{"metadata":{"name":"one","namespace":"b"},"spec":{"image":"a"}}`, nil, 400, `names the namespace "b"`},
		{"POST", images, `{"metadata":{"name":"one"},"spec":{"image":"a"},"status":{"phase":"Available"}}`, nil, 400, "leave it out"},
		{"POST", images, strings.Repeat(" ", maxBody+1), nil, 413, "longer than 256 KiB"},
		{"POST", images + "?dryRun=All", good, nil, 400, "allowed is true"},
		{"POST", images + "/one/recall", `{"reason":" "}`, nil, 400, "Say why"},
		{"POST", images + "/one/recall", `{"because":"x"}`, nil, 400, `unknown field "because"`},
		{"POST", images + "/one/verify?timeout=1h", "", nil, 400, "up to 2m"},
		{"POST", images + "/one/verify", "", nil, 404, "not found"},
		{"DELETE", images + "/one?force=true", "", nil, 400, "unknown here"},
		{"PUT", images + "/one", "", nil, 405, "allowed are DELETE, GET, HEAD, OPTIONS"},
	} {
		got := send(t, tc.method, base+tc.path, tc.body, tc.header)
		assert.Equal(t, tc.status, got.status, "%s %s %s", tc.method, tc.path, tc.body)
		assert.Contains(t, decode[Problem](t, got.body).Detail, tc.detail)
	}
}

func TestWhatTheAPIServerSaysIsPassedOn(t *testing.T) {
	store := &stored{Clientset: fake.NewSimpleClientset()}
	var refusal error
	store.PrependReactor("delete", "catalogimages", func(k8stesting.Action) (bool, runtime.Object, error) { return true, nil, refusal })
	base := writableServer(t, catalogOf(), store)
	refusal = apierrors.NewForbidden(v1alpha1.Resource("catalogimages"), "one", errors.New("User \"ann\" cannot delete"))
	got := send(t, http.MethodDelete, base+images+"/one", "", nil)
	assert.Equal(t, http.StatusForbidden, got.status)
	assert.Contains(t, decode[Problem](t, got.body).Detail, `cannot delete`)
	refusal = apierrors.NewTooManyRequests("slow down", 7)
	got = send(t, http.MethodDelete, base+images+"/one", "", nil)
	assert.Equal(t, http.StatusTooManyRequests, got.status)
	assert.Equal(t, "7", got.header.Get("Retry-After"))
	refusal = apierrors.NewUnauthorized("Unauthorized")
	got = send(t, http.MethodDelete, base+images+"/one", "", nil)
	assert.Equal(t, http.StatusUnauthorized, got.status)
	assert.Equal(t, `Bearer realm="imagecatalog.dev", error="invalid_token"`, got.header.Get("WWW-Authenticate"))
	refusal = &apierrors.StatusError{ErrStatus: metav1.Status{Message: "of no code"}}
	assert.Equal(t, http.StatusServiceUnavailable, send(t, http.MethodDelete, base+images+"/one", "", nil).status)
	refusal = errors.New("no route to host")
	got = send(t, http.MethodDelete, base+images+"/one", "", nil)
	assert.Equal(t, http.StatusServiceUnavailable, got.status)
	assert.NotContains(t, got.body, "no route")
}

// Whatever the server itself can do, a write is done with the token of whoever asks, or not at all; and it ends before the time
// that an answer has.
func TestAWriteHasTheCallersTokenAlone(t *testing.T) {
	var asked []*http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
	}))
	t.Cleanup(server.Close)
	own := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(own, []byte("mounted"), 0o600))
	clients := ClientsOf(&rest.Config{
		Host: server.URL, BearerToken: "own", BearerTokenFile: own, Username: "root", Password: "root",
		Impersonate: rest.ImpersonationConfig{UserName: "system:admin"},
	})
	for _, token := range []string{"ann", "bob"} {
		client, err := clients(token)
		require.NoError(t, err)
		require.NoError(t, client.CatalogImages("a").Delete(t.Context(), "one", metav1.DeleteOptions{}))
	}
	require.Len(t, asked, 2)
	for n, token := range []string{"ann", "bob"} {
		assert.Equal(t, []string{"Bearer " + token}, asked[n].Header.Values("Authorization"))
		assert.NotContains(t, asked[n].Header, "Impersonate-User")
		patience, err := time.ParseDuration(asked[n].URL.Query().Get("timeout"))
		require.NoError(t, err)
		assert.Less(t, patience, writeTimeout)
	}
}

func TestACheckIsWaitedFor(t *testing.T) {
	one := imagetest.Image("a", "one", 1)
	catalog, store := catalogOf(one), &stored{Clientset: fake.NewSimpleClientset(one)}
	base := writableServer(t, catalog, store)
	got := send(t, http.MethodPost, base+images+"/one/verify?timeout=10ms", "", nil)
	assert.Equal(t, http.StatusAccepted, got.status)
	first := decode[verification](t, got.body)
	assert.False(t, first.Finished)

	store.PrependReactor("patch", "catalogimages", func(k8stesting.Action) (bool, runtime.Object, error) {
		go func() { // as the controller does
			for _, at := range []string{first.RequestedAt, time.Now().UTC().Add(time.Minute).Format(time.RFC3339Nano)} {
				checked := imagetest.Image("a", "one", 1, imagetest.Available())
				checked.Status.CheckRequest = &v1alpha1.CheckRequest{RequestedAt: at, Outcome: "Resolved"}
				catalog.store(checked)
			}
		}()
		return true, one, nil
	})
	got = send(t, http.MethodPost, base+images+"/one/verify", "", nil)
	assert.Equal(t, http.StatusOK, got.status)
	second := decode[verification](t, got.body)
	assert.True(t, second.Finished)
	assert.Equal(t, "Available", second.Phase)
	assert.NotEqual(t, first.RequestedAt, second.Result.RequestedAt, "the outcome of an earlier request is none of this one")
}
