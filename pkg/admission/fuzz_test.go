package admission

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apimachineryvalidation "k8s.io/apimachinery/pkg/util/validation"
	"knative.dev/pkg/webhook"
	kjson "sigs.k8s.io/json"

	"imagecatalog.dev/catalog/pkg/apis/catalog/fuzzer"
	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
)

// documents that are worth beginning with.
var documents = []string{
	`{}`, `null`, `[]`, `{"spec":{"image":"a/b"}}`, `{"metadata":null,"spec":{"image":"a/b"}}`, `{"metadata":[],"spec":{}}`,
	`{"metadata":{"name":"x","labels":{"imagecatalog.dev/channel":"dev","arch.imagecatalog.dev/x":""}},"spec":{"image":"a/b","channel":"prod"}}`,
	`{"metadata":{"annotations":{"imagecatalog.dev/creator":"bob"}},"spec":{"image":"a/b"}}`,
	`{"metadata":{"deletionTimestamp":"2026-02-28T23:59:59Z","finalizers":["a/b"]},"spec":{"image":7}}`,
	`{"spec":{"image":"a/b","metadata":{"bootc":null,"targets":[null,{"name":"qemu"}]}}}`,
	`{"spec":{"image":"a/b","Image":"c/d","IMAGE":7}}`, `{"spec":{"image":"a/b","checkInterval":"1h0m"},"status":{"observedGeneration":1e30}}`,
	`{"spec":{"image":"a/b","tags":["x","x"],"source":{"kind":"TaskRun","name":"y"},"lifecycle":{"state":"Recalled"}}}`,
	`{"spec":{"image":"a/b"},"status":{"image":"index.docker.io/a/b:latest","platforms":[{"os":"linux","architecture":"arm64"},{"os":1}]}}`,
}

// headed makes a document an entry of that name, if it is an object at all.
func headed(document string) []byte {
	var object map[string]any
	if json.Unmarshal([]byte(document), &object) != nil || object == nil {
		return []byte(document)
	}
	object["apiVersion"], object["kind"] = "imagecatalog.dev/v1alpha1", "CatalogImage"
	metadata, _ := object["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		if _, ok := object["metadata"]; !ok {
			object["metadata"] = metadata
		}
	}
	metadata["name"] = "autosd"
	complete, err := json.Marshal(object)
	if err != nil {
		return []byte(document)
	}
	return complete
}

// FuzzDocuments sends texts that are JSON, and some that are none, through schema and webhook.
func FuzzDocuments(f *testing.F) {
	for _, after := range documents {
		f.Add("", after)
		for _, before := range documents {
			f.Add(before, after)
		}
	}
	var server *apiServer
	f.Fuzz(func(t *testing.T, before, after string) {
		if server == nil {
			server = newAPIServer(t)
		}
		if before == "" {
			server.creates(t, headed(after))
			return
		}
		server.updates(t, headed(before), headed(after))
	})
}

// FuzzEntries does it with entries that are mostly right.
func FuzzEntries(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	var server *apiServer
	f.Fuzz(func(t *testing.T, seed uint64) {
		if server == nil {
			server = newAPIServer(t)
		}
		server.writes(t, seed)
	})
}

// TestEnoughIsAdmittedAndEnoughRefused keeps FuzzEntries from proving nothing.
func TestEnoughIsAdmittedAndEnoughRefused(t *testing.T) {
	server := newAPIServer(t)
	const writes = 600
	created, updated := 0, 0
	for seed := range uint64(writes) {
		c, u := server.writes(t, seed)
		if c {
			created++
		}
		if u {
			updated++
		}
	}
	t.Logf("of %d writes, %d creates and %d updates are admitted", writes, created, updated)
	for verb, admitted := range map[string]int{"create": created, "update": updated} {
		assert.Greater(t, admitted, writes/5, verb)
		assert.Less(t, admitted, writes*4/5, verb)
	}
}

// writes creates an arbitrary entry, and updates another with a changed one.
func (s *apiServer) writes(t *testing.T, seed uint64) (created, updated bool) {
	t.Helper()
	entries := fuzzer.New(s.props, seed)
	one := entries.Object("imagecatalog.dev/v1alpha1", "CatalogImage", "autosd")
	two := entries.Mutated(one)
	return s.creates(t, encoded(t, one)), s.updates(t, encoded(t, one), encoded(t, two))
}

func (s *apiServer) creates(t *testing.T, document []byte) bool {
	t.Helper()
	submitted, stored, err := s.create(document)
	if err != nil {
		assert.NotContains(t, err.Error(), "PATCH", "a patch of ours that does not apply: %s", document)
		return false
	}
	isAsPromised(t, submitted, stored)
	return true
}

// updates writes over what is in etcd, which may be anything: a schema may have been another one.
func (s *apiServer) updates(t *testing.T, before, after []byte) bool {
	t.Helper()
	old, err := s.decode(before, true)
	if err != nil {
		return false // the API server itself cannot read it
	}
	old.SetNamespace("radar")
	old.SetName("autosd")
	old.SetResourceVersion("7")
	old.SetUID("the-one")
	submitted, stored, err := s.update(old, after)
	if err != nil {
		assert.NotContains(t, err.Error(), "PATCH", "a patch of ours that does not apply: %s", after)
		return false
	}
	if old.GetDeletionTimestamp() != nil && !readable(old) {
		return true // it may lose its finalizers, and go
	}
	if !hasImage(old) && reflect.DeepEqual(old.Object["spec"], stored.Object["spec"]) {
		return true // what is stored is not judged again
	}
	isAsPromised(t, submitted, stored)
	return true
}

func readable(object *unstructured.Unstructured) bool {
	document, err := object.MarshalJSON()
	return err == nil && json.Unmarshal(document, &v1alpha1.CatalogImage{}) == nil
}

// hasImage says whether the spec names an image.
func hasImage(object *unstructured.Unstructured) bool {
	var entry v1alpha1.CatalogImage
	document, err := object.MarshalJSON()
	if err != nil || json.Unmarshal(document, &entry) != nil {
		return false
	}
	_, err = entry.Spec.Reference()
	return err == nil
}

// isAsPromised holds an admitted entry against what the catalog promises and the controller does with it.
func isAsPromised(t *testing.T, submitted, stored *unstructured.Unstructured) {
	t.Helper()
	document, err := stored.MarshalJSON()
	require.NoError(t, err)
	assert.Equal(t, submitted.Object["spec"], stored.Object["spec"], "the spec is never rewritten: %s", document)

	var entry v1alpha1.CatalogImage
	strict, err := kjson.UnmarshalStrict(document, &entry)
	require.NoError(t, err, "the controller cannot read it: %s", document)
	require.Empty(t, strict, "the controller does not know it all: %s", document)
	again := entry.DeepCopy()
	assert.Equal(t, &entry, again)
	var decoded v1alpha1.CatalogImageSpec
	require.NoError(t, json.Unmarshal(encoded(t, entry.Spec), &decoded))
	assert.Equal(t, encoded(t, entry.Spec), encoded(t, decoded), "the spec does not survive Go: %s", document)

	ref, err := entry.Spec.Reference()
	require.NoError(t, err, "%s", document)
	wanted, err := claim.Of(&entry)
	require.NoError(t, err)
	assert.Equal(t, claim.Claim{Namespace: "radar", Holder: entry.Name, UID: entry.UID, Identity: ref.Name()}, wanted)
	interval := entry.Spec.Interval()
	assert.True(t, interval >= v1alpha1.MinCheckInterval && interval <= v1alpha1.MaxCheckInterval, "%s: %s", interval, document)
	hasFacetLabels(t, &entry)
}

func hasFacetLabels(t *testing.T, entry *v1alpha1.CatalogImage) {
	t.Helper()
	for key, value := range entry.FacetLabels() {
		assert.Empty(t, apimachineryvalidation.IsQualifiedName(key), key)
		assert.Empty(t, apimachineryvalidation.IsValidLabelValue(value), key)
		assert.Contains(t, entry.Labels, key)
		assert.Equal(t, value, entry.Labels[key], key)
	}
	assert.Empty(t, entry.FacetLabelChanges(), "labels of the catalog's that do not follow from the entry: %v", entry.Labels)
}

// newHandler is the webhook as HTTP serves it.
func newHandler(t *testing.T) http.Handler {
	t.Helper()
	ctx, defaulting := quietController(t, NewDefaulting)
	_, validating := quietController(t, NewValidation)
	_, configuring := quietController(t, NewConfigValidation)
	handler, err := webhook.New(ctx, []any{defaulting, validating, configuring})
	require.NoError(t, err)
	handler.InformersHaveSynced()
	return handler
}

var paths = []string{"/defaulting", "/validation", "/config-validation", "/", "/other"}

func post(t *testing.T, path, body string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	return request
}

// FuzzReviews sends arbitrary bodies to the webhook.
func FuzzReviews(f *testing.F) {
	review := func(request *admissionv1.AdmissionRequest) string {
		document, err := json.Marshal(admissionv1.AdmissionReview{Request: request})
		require.NoError(f, err)
		return string(document)
	}
	good := document("autosd", `"team": "radar"`, `"image": "quay.io/acme/autosd:1"`)
	for path := range uint8(len(paths)) {
		for _, body := range []string{"", "null", "[]", "{", `{"request":{}}`, `{"request":{"operation":"UPDATE"}}`, `{"request":{"operation":"DELETE"}}`,
			review(request(admissionv1.Create, "", good)),
			review(request(admissionv1.Update, good, good)), review(request(admissionv1.Delete, good, "")), review(request(admissionv1.Create, good, "")),
			review(request(admissionv1.Update, "", good)), review(request(admissionv1.Update, `[]`, `7`)), review(request(admissionv1.Connect, "null", `null`)),
			strings.Replace(review(request(admissionv1.Create, "", good)), "imagecatalog.dev", "", 1),
			strings.Replace(review(request(admissionv1.Create, "", good)), "CatalogImage", "ConfigMap", 1),
			strings.Replace(review(request(admissionv1.Create, "", policyDocument("", goodSpec))), "CatalogImage", "CatalogPolicy", 1),
			strings.Replace(review(request(admissionv1.Update, policyDocument("", badSpec), policyDocument("", `"validations": [{"expression": "["}]`))), "CatalogImage", "CatalogPolicy", 1),
			`{"request":{"kind":{"version":"v1","kind":"ConfigMap"},"operation":"CREATE","object":{"metadata":{"name":"config-logging"},"data":{"a":1}}}}`,
			`{"request":{"kind":{"version":"v1","kind":"ConfigMap"},"operation":"UPDATE","object":{"metadata":{"name":"config-observability"},"data":{"metrics-protocol":"x"}}}}`,
		} {
			f.Add(path, body)
		}
	}
	var handler http.Handler
	f.Fuzz(func(t *testing.T, path uint8, body string) {
		if handler == nil {
			handler = newHandler(t)
		}
		if withoutRequest(body) {
			return // see TestAReviewWithoutARequestEndsAlone
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, post(t, paths[int(path)%len(paths)], body))
		assert.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, answer.Code, "%s", answer.Body)
		assert.NotEmpty(t, answer.Body.String())
		if answer.Code == http.StatusOK {
			var review admissionv1.AdmissionReview
			require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &review), "%s", answer.Body)
			require.NotNil(t, review.Response)
			assert.True(t, review.Response.Allowed || review.Response.Result.Message != "", "a refusal says why")
		}
	})
}

// withoutRequest says whether a body is a review that asks nothing. No API server sends one; knative's handler panics.
func withoutRequest(body string) bool {
	var review admissionv1.AdmissionReview
	return json.NewDecoder(strings.NewReader(body)).Decode(&review) == nil && review.Request == nil
}

func TestAReviewWithoutARequestEndsAlone(t *testing.T) {
	server := httptest.NewUnstartedServer(newHandler(t))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	send := func(body string) error {
		response, err := server.Client().Do(post(t, server.URL+"/validation", body))
		if err == nil {
			assert.Equal(t, http.StatusOK, response.StatusCode)
			err = response.Body.Close()
		}
		return err
	}
	assert.Error(t, send(`{}`), "the connection is closed; with an answer, FuzzReviews may ask this too")
	assert.NoError(t, send(`{"request": {"operation": "CREATE"}}`), "the webhook lives on")
}
