package query

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"

	"imagecatalog.dev/catalog/pkg/client/clientset/versioned/fake"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

func FuzzQuery(f *testing.F) {
	catalog := catalogOf()
	for n := range 30 {
		catalog.store(imagetest.Image("a", fmt.Sprintf("image-%d", n), n, imagetest.Distro("autosd")))
	}
	token := token{Query: identify(url.Values{"distro": {"autosd"}}), Version: 120, Namespace: "a", Name: "image-0"}.String()
	for _, raw := range []string{"", "limit=3", "distro=autosd&continue=" + token, "a=1&a=2", "%", ";", "phase=Available&limit=0", "tag=%00", "watch=true&resourceVersion=100", "q=a+b&sort=-size&fields=name", "labelSelector=a+in+(b)"} {
		f.Add("/v1/images", raw, "text/plain;q=1")
		f.Add("/v1/namespaces/a/images", raw, "")
	}
	f.Add("/v1/namespaces/a%2Fb/images/../x", "", ",;/=*")
	for _, filter := range []string{
		"q=image", "target=qemu", "architecture=x86_64&distro=autosd&channel=prod", "series=quay.io/acme/autosd", "labelSelector=a!%3Db,c", "digest=" + imagetest.Digest,
		"image=nginx%40" + imagetest.Digest, "latest=true&namespace=a", "tag=nightly", "verified=true",
	} {
		for _, path := range []string{"/v1/facets", "/v1/resolve", "/v1/images"} {
			f.Add(path, filter, "")
		}
		f.Add("/v1/images", filter+"&watch=true&fields=name,digest", "application/json")
		f.Add("/v1/images", filter+"&sort=-checked&limit=1", "")
	}
	f.Add("/v1/namespaces/a/images/image-0", "fields=name,layers", "")
	handler := handlerOf(f, catalog.Index)
	f.Fuzz(func(t *testing.T, path, raw, accept string) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // so that a watch ends
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		r.URL = &url.URL{Path: path, RawQuery: raw}
		r.Header.Set("Accept", accept)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		if recorder.Code >= http.StatusInternalServerError && recorder.Code != http.StatusServiceUnavailable {
			t.Errorf("%d for %q?%q: %s", recorder.Code, path, raw, recorder.Body)
		}
		if strings.HasSuffix(recorder.Header().Get("Content-Type"), "/json") && !json.Valid(recorder.Body.Bytes()) {
			t.Errorf("not JSON: %s", recorder.Body)
		}
	})
}

func FuzzWrites(f *testing.F) {
	entry := `{"apiVersion":"imagecatalog.dev/v1alpha1","kind":"CatalogImage","metadata":{"name":"one","namespace":"a"},"spec":{"image":"quay.io/acme/autosd:1"}}`
	for _, body := range []string{"", "{}", "null", "[", entry, entry + entry, strings.Replace(entry, "spec", "status", 1), `{"reason":"x","successor":"two"}`, `{"reason":"\ud800"}`} {
		f.Add("", "dryRun=true", body)
		f.Add("/one/verify", "timeout=1ns", body)
		f.Add("/one/recall", "", body)
	}
	store := &stored{Clientset: fake.NewSimpleClientset()}
	handler, err := newHandler(catalogOf(imagetest.Image("a", "one", 1)).Index, everybody(), newGates(), func(string) (catalogclient.CatalogImagesGetter, error) {
		return store.ImagecatalogV1alpha1(), nil
	}, newStopping(), noop.Meter{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, path, raw, body string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body))
		r.URL = &url.URL{Path: images + path, RawQuery: raw}
		r.Header = http.Header{"Authorization": {"Bearer ann"}, "Content-Type": {"application/json"}}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		if recorder.Code >= http.StatusInternalServerError && recorder.Code != http.StatusServiceUnavailable {
			t.Errorf("%d for %q?%q with %q: %s", recorder.Code, path, raw, body, recorder.Body)
		}
		if recorder.Body.Len() > 0 && !json.Valid(recorder.Body.Bytes()) {
			t.Errorf("not JSON: %s", recorder.Body)
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add(token{Query: 7, Version: 1, Namespace: "a", Name: "b"}.String())
	f.Add("e30")
	f.Fuzz(func(t *testing.T, text string) {
		read, err := parseToken(text, 7)
		if err == nil && read.String() != text {
			t.Errorf("%q has another spelling", text)
		}
	})
}
