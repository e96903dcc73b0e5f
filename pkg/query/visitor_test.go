package query

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/access"
	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

// rights is an API server to which a token is its user's name, and which says who may do what: "user verb namespace name".
type rights map[string]bool

var errAway = errors.New("no route to host")

func (r rights) review(_ context.Context, t *authenticationv1.TokenReview) (*authenticationv1.TokenReview, error) {
	switch {
	case t.Spec.Token == "away":
		return nil, errAway
	case t.Spec.Token == "expired" || r["expired "+t.Spec.Token]:
		return &authenticationv1.TokenReview{Status: authenticationv1.TokenReviewStatus{Error: "token has expired"}}, nil
	}
	return &authenticationv1.TokenReview{Status: authenticationv1.TokenReviewStatus{
		Authenticated: true, User: authenticationv1.UserInfo{Username: t.Spec.Token}}}, nil
}

func (r rights) judge(_ context.Context, s *authorizationv1.SubjectAccessReview) (*authorizationv1.SubjectAccessReview, error) {
	if s.Spec.User == "lost" {
		return nil, errAway
	}
	wants := s.Spec.ResourceAttributes
	allowed := r[strings.Join([]string{s.Spec.User, wants.Verb, wants.Namespace, wants.Name}, " ")]
	return &authorizationv1.SubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: allowed}}, nil
}

// creating makes a client of a function.
type creating[T any] func(context.Context, *T) (*T, error)

func (create creating[T]) Create(ctx context.Context, object *T, _ metav1.CreateOptions) (*T, error) {
	return create(ctx, object)
}

func (r rights) reviewer(anonymous bool) *access.Reviewer {
	return access.NewReviewer(creating[authenticationv1.TokenReview](r.review), creating[authorizationv1.SubjectAccessReview](r.judge),
		v1alpha1.Resource("catalogimages"), anonymous, zap.NewNop().Sugar())
}

// everybody may see everything without a token.
func everybody() *access.Reviewer {
	return rights{"system:anonymous list  ": true, "system:anonymous get  ": true, "system:anonymous watch  ": true}.reviewer(true)
}

// as asks with a token of that user.
func as(t *testing.T, user, address string) answer {
	t.Helper()
	return request(t, http.MethodGet, address, http.Header{"Authorization": {"Bearer " + user}})
}

func TestAListingHoldsWhatTheCallerMayList(t *testing.T) {
	catalog := indexOf(imagetest.Image("a", "one", 1), imagetest.Image("a", "two", 2), imagetest.Image("b", "three", 3), imagetest.Image("c", "four", 4, imagetest.Distro("autosd")))
	base := serverFor(t, catalog, rights{
		"root list  ": true,
		"ann list a ": true, "ann list c ": true, "ann list empty ": true,
		"bob get a one": true, "bob get  ": false,
	}.reviewer(false))
	for _, tc := range []struct {
		user, path string
		names      []string // nil: forbidden
	}{
		{"root", "/v1/images", []string{"four", "three", "two", "one"}},
		{"ann", "/v1/images", []string{"four", "two", "one"}},
		{"ann", "/v1/images?distro=autosd", []string{"four"}},
		{"ann", "/v1/images?namespace=a", []string{"two", "one"}},
		{"ann", "/v1/images?namespace=b", []string{}},
		{"ann", "/v1/namespaces/a/images", []string{"two", "one"}},
		{"ann", "/v1/namespaces/empty/images", []string{}},
		{"ann", "/v1/namespaces/b/images", nil},
		{"ann", "/v1/namespaces/nobody/images", nil},
		{"bob", "/v1/images", []string{}},
		{"bob", "/v1/namespaces/a/images", nil},
	} {
		t.Run(tc.user+tc.path, func(t *testing.T) {
			got := as(t, tc.user, base+tc.path)
			assert.Equal(t, "no-cache, private", got.header.Get("Cache-Control"))
			assert.Contains(t, got.header.Values("Vary"), "Authorization")
			if tc.names == nil {
				assert.Equal(t, http.StatusForbidden, got.status)
				return
			}
			page := decode[listing](t, got.body)
			names := []string{}
			for _, item := range page.Items {
				names = append(names, item.Name)
			}
			assert.Equal(t, tc.names, names)
			assert.Equal(t, len(names), page.Total)
		})
	}
}

func TestPagesAreJudgedOneByOne(t *testing.T) {
	catalog := catalogOf()
	for n := range 12 {
		catalog.store(imagetest.Image(string(rune('a'+n%3)), fmt.Sprintf("image-%02d", n), n))
	}
	base := serverFor(t, catalog.Index, rights{"ann list a ": true, "ann list c ": true, "bob list a ": true}.reviewer(false))
	first := decode[listing](t, as(t, "ann", base+"/v1/images?limit=3").body)
	assert.Equal(t, 8, first.Total)
	second := decode[listing](t, as(t, "ann", base+"/v1/images?limit=9&continue="+first.Continue).body)
	assert.Len(t, second.Items, 5)
	assert.Empty(t, second.Continue)

	second = decode[listing](t, as(t, "bob", base+"/v1/images?limit=9&continue="+first.Continue).body)
	assert.Equal(t, 4, second.Total, "a token grants nothing")
	for _, item := range second.Items {
		assert.Equal(t, "a", item.Namespace)
	}
}

// A token that names what the caller may not see does not tell whether it is there.
func TestATokenTellsNothingOfWhatIsHidden(t *testing.T) {
	base := serverFor(t, indexOf(imagetest.Image("a", "one", 1), imagetest.Image("hidden", "two", 2)), rights{"ann list a ": true}.reviewer(false))
	ask := func(name string) answer {
		made := token{Query: identify(nil), Version: 100, Key: imagetest.Epoch.Unix() + 120, Namespace: "hidden", Name: name}
		return as(t, "ann", base+"/v1/images?continue="+made.String())
	}
	assert.Equal(t, http.StatusOK, ask("two").status)
	assert.Equal(t, ask("two").body, ask("three").body)
}

func TestGetNeedsTheRightToGetThatName(t *testing.T) {
	base := serverFor(t, indexOf(imagetest.Image("a", "one", 1), imagetest.Image("a", "two", 2)), rights{
		"ann get a ": true, "bob get a one": true, "bob get a gone": true, "eve list  ": true,
	}.reviewer(false))
	for who, want := range map[string]int{
		"ann one": 200, "ann two": 200, "ann gone": 404,
		"bob one": 200, "bob two": 403, "bob gone": 404, "bob never": 403,
		"eve one": 403, "eve gone": 403,
	} {
		user, name, _ := strings.Cut(who, " ")
		assert.Equal(t, want, as(t, user, base+"/v1/namespaces/a/images/"+name).status, who)
	}
	got := decode[Problem](t, as(t, "bob", base+"/v1/namespaces/a/images/two").body)
	assert.Equal(t, `catalogimages.imagecatalog.dev "two" is forbidden: User "bob" cannot get resource "catalogimages" in API group "imagecatalog.dev" in the namespace "a"`, got.Detail)
	got = decode[Problem](t, as(t, "bob", base+"/v1/namespaces/a/images").body)
	assert.Equal(t, `catalogimages.imagecatalog.dev is forbidden: User "bob" cannot list resource "catalogimages" in API group "imagecatalog.dev" in the namespace "a"`, got.Detail)
}

func TestWhoDoesNotSayWhoTheyAre(t *testing.T) {
	base := serverFor(t, indexOf(imagetest.Image("a", "one", 1)), rights{"ann list  ": true, "ann get  ": true}.reviewer(false))
	for _, path := range []string{"/v1/images", "/v1/namespaces/a/images", "/v1/namespaces/a/images/one"} {
		for credentials, want := range map[string]struct {
			status            int
			challenge, detail string
		}{
			"":                {401, `Bearer realm="imagecatalog.dev"`, "Say who you are: `kubectl create token"},
			"Basic YTpi":      {401, `Bearer realm="imagecatalog.dev", error="invalid_request"`, "one bearer token"},
			"Bearer":          {401, `Bearer realm="imagecatalog.dev", error="invalid_request"`, "one bearer token"},
			"Bearer expired":  {401, `Bearer realm="imagecatalog.dev", error="invalid_token"`, "(token has expired): `kubectl create token"},
			"Bearer away":     {503, "", "Try again in a moment."},
			"Bearer lost":     {503, "", "Try again in a moment."},
			"bearer   ann":    {200, "", ""},
			"Bearer stranger": {map[bool]int{true: 200, false: 403}[path == "/v1/images"], "", ""},
		} {
			header := http.Header{}
			if credentials != "" {
				header.Set("Authorization", credentials)
			}
			got := request(t, http.MethodGet, base+path, header)
			require.Equal(t, want.status, got.status, "%s %q: %s", path, credentials, got.body)
			assert.Equal(t, want.challenge, got.header.Get("WWW-Authenticate"))
			if want.status == http.StatusServiceUnavailable {
				assert.Equal(t, "1", got.header.Get("Retry-After"))
			}
			if want.detail != "" {
				assert.Contains(t, decode[Problem](t, got.body).Detail, want.detail)
			}
		}
	}
	got := request(t, http.MethodGet, base+"/v1/images", http.Header{"Authorization": {"Bearer ann", "Bearer bob"}})
	assert.Equal(t, http.StatusUnauthorized, got.status, "which of the two would be a guess")
	for _, path := range []string{"/healthz", "/readyz"} {
		assert.Equal(t, http.StatusOK, request(t, http.MethodGet, base+path, nil).status, "for the kubelet")
	}
}
