//go:build controlplane

package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	certresources "knative.dev/pkg/webhook/certificates/resources"

	"imagecatalog.dev/catalog/test/plane"
)

// revocation is how long a revoked right may be seen: 10 seconds by the query server, 10 more for a token by the API
// server, and something for a busy machine.
const revocation = 2 * time.Minute

// queried is an answer of the query server, of a listing or not.
type queried struct {
	status   int
	header   http.Header
	Items    []struct{ Namespace, Name string }
	Total    int
	Continue string
	Detail   string // of a problem

	Facets map[string]struct {
		Values []struct {
			Value string
			Count int
		}
	}
	RunnersUp []struct{ Namespace, Name string }
}

// startQuery has the query server running, and gives a client for it.
func startQuery(t *testing.T) *http.Client {
	t.Helper()
	if !installed.Query.Running() {
		require.NoError(t, installed.Query.Start(t.Context()))
	}
	require.NoError(t, installed.Query.AwaitReady(t.Context()))
	client, err := installed.QueryClient(t.Context())
	require.NoError(t, err)
	return client
}

func ask(t *testing.T, client *http.Client, token, path string) queried {
	t.Helper()
	answer, err := tryAsk(t.Context(), client, token, path)
	require.NoError(t, err)
	return answer
}

func tryAsk(ctx context.Context, client *http.Client, token, path string) (answer queried, err error) {
	response, err := open(ctx, client, installed.QueryAddress, token, path)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	answer.status, answer.header = response.StatusCode, response.Header
	return answer, json.NewDecoder(response.Body).Decode(&answer)
}

// open asks a replica; whoever does reads the answer and closes it.
func open(ctx context.Context, client *http.Client, address, token, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+path, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return client.Do(request)
}

// walk is a listing of several pages.
func walk(t *testing.T, client *http.Client, token, path string, limit int) (all queried) {
	t.Helper()
	for next := ""; ; {
		page := ask(t, client, token, fmt.Sprintf("%s?limit=%d%s", path, limit, next))
		page.Items = append(all.Items, page.Items...)
		all = page
		if page.Continue == "" {
			return all
		}
		next = "&continue=" + url.QueryEscape(page.Continue)
	}
}

// newToken is a token of a new service account, with what revokes it.
func newToken(t *testing.T, namespace, account string) (token string, revoke func()) {
	t.Helper()
	core := kube.CoreV1()
	_, err := core.ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{})
	require.NoError(t, err)
	bound, err := core.Secrets(namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: account + "-token"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	made, err := core.ServiceAccounts(namespace).CreateToken(t.Context(), account, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Secret", APIVersion: "v1", Name: bound.Name, UID: bound.UID},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	return made.Status.Token, func() {
		require.NoError(t, core.Secrets(namespace).Delete(t.Context(), bound.Name, metav1.DeleteOptions{}))
	}
}

// What the query server does needs no controller: TestWithoutAController has all this, one after the other.
func queryServerAlone(t *testing.T) {
	t.Run("it reads a list first", readsAListFirst)
	t.Run("who is nobody sees nothing", whoIsNobodySeesNothing)
	t.Run("who is nobody sees what everybody may, where that is switched on", whoIsNobodySeesWhatEverybodyMay)
	t.Run("it shows what kubectl shows", showsWhatKubectlShows)
	t.Run("what is revoked is soon gone", whatIsRevokedIsSoonGone)
	t.Run("a quiet catalog is the same at each replica", aQuietCatalogIsTheSame)
	t.Run("everybody may read its CA", everybodyMayReadItsCA)
	t.Run("an API server that is away is no verdict", anAbsentAPIServerIsNoVerdict)
}

// Whoever has a token can check whom they send it to, and reads nothing else there.
func everybodyMayReadItsCA(t *testing.T) {
	startQuery(t)
	token, _ := newToken(t, newNamespace(t), "nobody")
	config := rest.AnonymousClientConfig(installed.Config)
	config.BearerToken = token
	nobody, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	maps := nobody.CoreV1().ConfigMaps(plane.SystemNamespace)
	published, err := maps.Get(t.Context(), "query-ca", metav1.GetOptions{})
	require.NoError(t, err)
	secret, err := kube.CoreV1().Secrets(plane.SystemNamespace).Get(t.Context(), "query-certs", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"ca.crt": string(secret.Data[certresources.CACert])}, published.Data)

	_, err = maps.Get(t.Context(), "config-registries", metav1.GetOptions{})
	assert.True(t, apierrors.IsForbidden(err), "%v", err)
	_, err = maps.List(t.Context(), metav1.ListOptions{})
	assert.True(t, apierrors.IsForbidden(err), "%v", err)
	_, err = maps.Update(t.Context(), published, metav1.UpdateOptions{})
	assert.True(t, apierrors.IsForbidden(err), "%v", err)

	edited := published.DeepCopy()
	edited.Data = map[string]string{"ca.crt": "another"}
	_, err = kube.CoreV1().ConfigMaps(plane.SystemNamespace).Update(t.Context(), edited, metav1.UpdateOptions{})
	require.NoError(t, err)
	assert.Eventually(t, func() bool {
		mended, err := maps.Get(t.Context(), "query-ca", metav1.GetOptions{})
		return err == nil && mended.Data["ca.crt"] == published.Data["ca.crt"]
	}, patience, pause, "what an administrator did to it does not stay")
}

// The query server of an API server that does not stream lists.
func readsAListFirst(t *testing.T) {
	namespace := newNamespace(t)
	_, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).
		Create(t.Context(), newEntry("autosd", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	require.NoError(t, err)
	client := startQuery(t)
	token, _ := newToken(t, namespace, "reader")
	require.NoError(t, kubectl(t.Context(), "", "create", "rolebinding", "view", "--namespace", namespace, "--clusterrole", "imagecatalog-view", "--serviceaccount", namespace+":reader"))
	require.Eventually(t, func() bool {
		return ask(t, client, token, "/v1/namespaces/"+namespace+"/images/autosd").status == http.StatusOK
	}, patience, pause)
}

func whoIsNobodySeesNothing(t *testing.T) {
	client, namespace := startQuery(t), newNamespace(t)
	newToken(t, namespace, "reader")
	made, err := kube.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), "reader", &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"https://elsewhere.example"}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	for token, challenge := range map[string]string{
		"":                `Bearer realm="imagecatalog.dev"`,
		"made.up.one":     `Bearer realm="imagecatalog.dev", error="invalid_token"`,
		made.Status.Token: `Bearer realm="imagecatalog.dev", error="invalid_token"`, // for somebody else
	} {
		for _, path := range []string{"/v1/images", "/v1/namespaces/default/images", "/v1/namespaces/default/images/one"} {
			answer := ask(t, client, token, path)
			assert.Equal(t, http.StatusUnauthorized, answer.status)
			assert.Equal(t, challenge, answer.header.Get("WWW-Authenticate"))
			assert.Contains(t, answer.Detail, "kubectl create token")
		}
	}
}

func whoIsNobodySeesWhatEverybodyMay(t *testing.T) {
	public, private := createConstant(t), createConstant(t)
	require.NoError(t, installed.QueryOpen.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, installed.QueryOpen.Kill()) })
	require.NoError(t, installed.QueryOpen.AwaitReady(t.Context()))
	client, err := installed.QueryClient(t.Context())
	require.NoError(t, err)
	nobody := func(path string) page {
		answer, err := (&replicas{client: client}).page(t.Context(), installed.QueryOpenAddress, path)
		require.NoError(t, err)
		return answer
	}
	assert.Equal(t, http.StatusForbidden, nobody("/v1/namespaces/"+public+"/images").status, "nothing until somebody grants it")
	require.NoError(t, kubectl(t.Context(), "", "create", "rolebinding", "everybody", "--namespace", public,
		"--clusterrole", "imagecatalog-view", "--group", "system:unauthenticated"))
	require.Eventually(t, func() bool { return nobody("/v1/namespaces/"+public+"/images").status == http.StatusOK }, revocation, pause)
	assert.Equal(t, http.StatusForbidden, nobody("/v1/namespaces/"+private+"/images").status)
	assert.Equal(t, http.StatusOK, nobody("/v1/namespaces/"+public+"/images/autosd-1").status)
	assert.Equal(t, http.StatusForbidden, nobody("/v1/namespaces/"+private+"/images/autosd-1").status)
	require.Eventually(t, func() bool { return nobody("/v1/images").Total == constantEntries }, revocation, pause)

	response, err := client.Post("https://"+installed.QueryOpenAddress+"/v1/namespaces/"+public+"/images/autosd-1/recall", "application/json", http.NoBody)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "nothing is written for nobody")
}

// The query server loses sight of the API server: whom it knows it serves for a while, nobody is let in or sent away for it.
func anAbsentAPIServerIsNoVerdict(t *testing.T) {
	namespace := newNamespace(t)
	token, _ := newToken(t, namespace, "reader")
	stranger, _ := newToken(t, namespace, "stranger")
	if installed.Query.Running() {
		require.NoError(t, installed.Query.Kill())
	}
	way, err := installed.NewGateway(installed.Query)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, installed.Query.Kill()) })
	client := startQuery(t)
	require.Equal(t, http.StatusOK, ask(t, client, token, "/v1/images").status)
	way.Close()
	answer := ask(t, client, stranger, "/v1/images")
	assert.Equal(t, http.StatusServiceUnavailable, answer.status)
	assert.NotEmpty(t, answer.header.Get("Retry-After"))
	require.Eventually(t, func() bool {
		status := ask(t, client, token, "/v1/images").status
		require.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, status)
		return status == http.StatusServiceUnavailable
	}, revocation, pause, "what was known ends")
}

// Each request of it comes by a connection of its own, from a client that trusts the old CA and the next.
func TestTheQueryServersCertificateChangesWithoutARefusedRequest(t *testing.T) {
	client := startQuery(t)
	token, _ := newToken(t, newNamespace(t), "reader")
	key, certificate, ca, err := certresources.CreateCerts(t.Context(), "query", systemNamespace, time.Now().Add(time.Hour))
	require.NoError(t, err)
	transport, ok := client.Transport.(*http.Transport)
	require.True(t, ok)
	transport.DisableKeepAlives = true
	require.True(t, transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(ca))

	done := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				answer, err := tryAsk(t.Context(), client, token, "/v1/images")
				assert.NoError(t, err)
				assert.Equal(t, http.StatusOK, answer.status)
			}
		}
	})
	put := func(name string, content []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(installed.QueryCertificates, name), content, 0o600))
	}
	put("server-cert.pem", certificate) // for a moment with the key of another
	put("server-key.pem", key)
	require.Eventually(t, func() bool { return bytes.Equal(served(t, client), certificate) }, patience, pause)
	close(done)
	asking.Wait()
	require.NoError(t, installed.Query.Kill()) // its next start serves what is in the Secret
}

// served is the certificate that a new connection is given, as PEM.
func served(t *testing.T, client *http.Client) []byte {
	t.Helper()
	response, err := client.Get("https://" + installed.QueryAddress + "/healthz")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: response.TLS.PeerCertificates[0].Raw})
}
