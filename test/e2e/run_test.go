//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// newestEntry is the entry that the last run of the pipeline published.
func newestEntry(t *testing.T) *v1alpha1.CatalogImage {
	t.Helper()
	list, err := catalog.ImagecatalogV1alpha1().CatalogImages(demoNamespace).List(t.Context(), metav1.ListOptions{
		LabelSelector: "target.imagecatalog.dev/raspberry-pi",
	})
	require.NoError(t, err)
	require.NotEmpty(t, list.Items)
	newest := &list.Items[0]
	for n := range list.Items {
		if newest.CreationTimestamp.Before(&list.Items[n].CreationTimestamp) {
			newest = &list.Items[n]
		}
	}
	return newest
}

func TestRunShowsTheWholeWayOfAnImage(t *testing.T) {
	entry := newestEntry(t)
	row := regexp.MustCompile(`(?m)^` + demoNamespace + ` +` + regexp.QuoteMeta(entry.Name) + ` +Available +amd64,arm64 `)
	assert.Regexp(t, row, runOutput)
}

func TestRunShowsThatASignatureIsFound(t *testing.T) {
	entry := newestEntry(t)
	unsigned := strings.Index(runOutput, entry.Name+"  Verified=False  "+entry.Status.Digest+": demo: the image has no signature")
	signed := strings.Index(runOutput, entry.Name+"  Verified=True  by demo (policy demo-is-signed)")
	assert.Positive(t, unsigned, runOutput)
	assert.Greater(t, signed, unsigned, runOutput)
	assert.True(t, entry.Status.GetCondition(v1alpha1.ConditionVerified).IsTrue())
}

func TestWhatRunSaysToTryNextWorks(t *testing.T) {
	_, next, found := strings.Cut(runOutput, "Try next:\n")
	require.True(t, found, runOutput)
	commands := strings.Split(strings.TrimRight(next, "\n"), "\n")
	require.Len(t, commands, 3)
	for _, line := range commands {
		out := mustCommand(t, "bash", "-c", line)
		assert.Contains(t, out, "bookworm", line)
	}
}

func TestNoBinaryLacksARight(t *testing.T) {
	for _, deployment := range []string{"controller", "webhook", "query"} {
		log := mustCommand(t, "kubectl", "--namespace", "image-catalog", "logs", "deployment/"+deployment)
		assert.NotEmpty(t, log)
		assert.NotContains(t, strings.ToLower(log), "forbidden", deployment)
	}
}

func TestTheEntrySaysWhatTheRegistryHas(t *testing.T) {
	entry := newestEntry(t)
	assert.Equal(t, v1alpha1.PhaseAvailable, entry.Status.Phase)
	assert.True(t, entry.IsReady())
	assert.Equal(t, entry.Spec.Digest, entry.Status.Digest)
	assert.Equal(t, "application/vnd.oci.image.index.v1+json", entry.Status.MediaType)
	assert.Positive(t, entry.Status.SizeBytes)
	require.Len(t, entry.Status.Platforms, 2)
	assert.Equal(t, "amd64", entry.Status.Platforms[0].Architecture)
	assert.Equal(t, "arm64", entry.Status.Platforms[1].Architecture)
	assert.Equal(t, "system:serviceaccount:"+demoNamespace+":pipeline", entry.Annotations["imagecatalog.dev/creator"])
}

// queryClient asks the query server by its Service, as the account that `make run` makes for reading.
type queryClient struct {
	client      *http.Client
	base, token string
}

func newQueryClient(t *testing.T) *queryClient {
	t.Helper()
	service, err := kube.CoreV1().Services("image-catalog").Get(t.Context(), "query", metav1.GetOptions{})
	require.NoError(t, err)
	published, err := kube.CoreV1().ConfigMaps("image-catalog").Get(t.Context(), "query-ca", metav1.GetOptions{})
	require.NoError(t, err)
	token, err := kube.CoreV1().ServiceAccounts(demoNamespace).CreateToken(t.Context(), "reader", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(published.Data["ca.crt"])))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "query.image-catalog.svc"}} // no proxy
	t.Cleanup(transport.CloseIdleConnections)
	return &queryClient{&http.Client{Transport: transport}, "https://" + service.Spec.ClusterIP, token.Status.Token}
}

// get gives the status and the body of an answer.
func (c *queryClient) get(ctx context.Context, path string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func askQuery(t *testing.T, query string) (names []string) {
	t.Helper()
	status, body, err := newQueryClient(t).get(t.Context(), "/v1/images?"+query)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, "%s", body)
	var page struct {
		Items []struct{ Name string }
	}
	require.NoError(t, json.Unmarshal(body, &page))
	for _, item := range page.Items {
		names = append(names, item.Name)
	}
	return names
}

func TestTheQueryServerListsTheEntry(t *testing.T) {
	name := newestEntry(t).Name
	for _, finds := range []string{"", "architecture=aarch64", "target=raspberry-pi&channel=dev", "phase=Available&namespace=" + demoNamespace} {
		assert.Contains(t, askQuery(t, finds), name, finds)
	}
	for _, misses := range []string{"architecture=riscv64", "target=beaglebone", "channel=prod", "phase=Failed", "namespace=default"} {
		assert.NotContains(t, askQuery(t, misses), name, misses)
	}
}

func TestPodsRunRestricted(t *testing.T) {
	for _, name := range []string{"image-catalog", demoNamespace} {
		namespace, err := kube.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		assert.Equal(t, "restricted", namespace.Labels["pod-security.kubernetes.io/enforce"])
	}
	pods, err := kube.CoreV1().Pods("image-catalog").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	accounts := map[string]bool{}
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodRunning {
			accounts[pod.Spec.ServiceAccountName] = true
		}
	}
	assert.Equal(t, map[string]bool{"controller": true, "webhook": true, "query": true}, accounts, "each binary has its own service account")
}

func TestABadApplyIsRefusedWithAdvice(t *testing.T) {
	out, err := command(t, `{apiVersion: imagecatalog.dev/v1alpha1, kind: CatalogImage, metadata: {name: bad, namespace: `+demoNamespace+`}, spec: {image: "UPPER/case"}}`,
		"kubectl", "apply", "--filename", "-")
	require.Error(t, err)
	assert.Contains(t, out, "spec.image")
	assert.Contains(t, out, "write a reference such as quay.io/acme/autosd:rpi4-1.2")
}

func TestADuplicateApplyNamesTheEntry(t *testing.T) {
	entry := newestEntry(t)
	manifest := strings.NewReplacer("IMAGE", entry.Spec.Image, "DIGEST", entry.Spec.Digest, "NAMESPACE", demoNamespace).
		Replace(`{apiVersion: imagecatalog.dev/v1alpha1, kind: CatalogImage, metadata: {name: copy, namespace: NAMESPACE}, spec: {image: "IMAGE", digest: "DIGEST"}}`)
	out, err := command(t, manifest, "kubectl", "apply", "--filename", "-")
	require.Error(t, err)
	assert.Contains(t, out, `already, as "`+entry.Name+`"`)
}
