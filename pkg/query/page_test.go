package query

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"golang.org/x/sync/errgroup"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

func manyImages(n int) []*v1alpha1.CatalogImage {
	var images []*v1alpha1.CatalogImage
	for i := range n {
		architecture := []v1alpha1.Facet{"arm64", "amd64"}[i%2]
		images = append(images, imagetest.Image(fmt.Sprintf("team-%d", i%50), fmt.Sprintf("autosd-%d", i), i,
			imagetest.Distro("autosd"), imagetest.Architecture(architecture), imagetest.Available()))
	}
	return images
}

func TestPagesThatAreSentAtATimeAreNotMixed(t *testing.T) {
	base := serverOf(t, indexOf(manyImages(200)...))
	var group errgroup.Group
	for n := range 50 {
		address := fmt.Sprintf("%s/v1/namespaces/team-%d/images?limit=%d", base, n, 1+n%4)
		want := request(t, http.MethodGet, address, nil).body
		group.Go(func() error {
			for range 50 {
				if got, err := bodyOf(t.Context(), address); err != nil || got != want {
					return fmt.Errorf("%s gave %q (%w), not %q", address, got, err, want)
				}
			}
			return nil
		})
	}
	assert.NoError(t, group.Wait())
}

// bodyOf is request for goroutines, which must not end the test.
func bodyOf(ctx context.Context, address string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// nowhere takes an answer as net/http does, and sends it to nobody.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header            { return n.header }
func (n *nowhere) Write(body []byte) (int, error) { return len(body), nil }
func (n *nowhere) WriteHeader(int)                {}

// BenchmarkAnswers is what an answer costs without sending it.
func BenchmarkAnswers(b *testing.B) {
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	reviewer := rights{"bench list  ": true, "bench get  ": true}.reviewer(false)
	server, err := NewServer(indexOf(manyImages(1000)...), reviewer, nil, meters.Meter("bench"))
	require.NoError(b, err)
	for name, target := range map[string]string{
		"all": "/v1/images", "filtered": "/v1/images?architecture=arm64&distro=autosd", "text": "/v1/images?q=autosd-5",
		"get": "/v1/namespaces/team-1/images/autosd-1",
	} {
		b.Run(name, func(b *testing.B) {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, target, nil)
			require.NoError(b, err)
			r.Header.Set("Authorization", "Bearer bench")
			b.ReportAllocs()
			for b.Loop() {
				server.http.Handler.ServeHTTP(&nowhere{http.Header{}}, r)
			}
		})
	}
}
