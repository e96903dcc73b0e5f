//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
)

// dice make permissions of all kinds that RBAC knows, most of which say something about entries.
type dice struct{ *rand.Rand }

func (d dice) of(choices ...string) string { return choices[d.IntN(len(choices))] }

func (d dice) some(choices ...string) []string {
	picked := []string{d.of(choices...)}
	for _, choice := range choices {
		if d.IntN(3) == 0 && !slices.Contains(picked, choice) {
			picked = append(picked, choice)
		}
	}
	return picked
}

func (d dice) rules() (rules []rbacv1.PolicyRule) {
	for range 1 + d.IntN(2) {
		rule := rbacv1.PolicyRule{
			APIGroups: d.some("imagecatalog.dev", "imagecatalog.dev", "*", ""),
			Resources: d.some("catalogimages", "catalogimages", "*", "catalogimages/status", "secrets"),
			Verbs:     d.some("get", "list", "watch", "create", "*"),
		}
		if d.IntN(3) == 0 {
			rule.ResourceNames = d.some("image-0", "image-1", "image-2")
		}
		rules = append(rules, rule)
	}
	return rules
}

// world is namespaces with entries, users with tokens, and random permissions.
type world struct {
	namespaces []string
	users      []account
}

type account struct{ namespace, name, token string }

func (a account) user() string { return "system:serviceaccount:" + a.namespace + ":" + a.name }

// subject is a user by one of the names that bindings have for them.
func (w *world) subject(d dice) rbacv1.Subject {
	u := w.users[d.IntN(len(w.users))]
	switch d.IntN(4) {
	case 0:
		return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: u.user()}
	case 1:
		return rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts:" + u.namespace}
	default:
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: u.namespace, Name: u.name}
	}
}

func newWorld(t *testing.T, d dice) *world {
	t.Helper()
	w := &world{}
	for n := range 5 {
		namespace := newNamespace(t)
		w.namespaces = append(w.namespaces, namespace)
		for image := range n { // the first has none
			entry := newEntry(fmt.Sprintf("image-%d", image), fmt.Sprintf("quay.io/acme/autosd:%d", image))
			_, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Create(t.Context(), entry, metav1.CreateOptions{})
			require.NoError(t, err)
		}
	}
	for n := range 8 {
		u := account{namespace: w.namespaces[n%3], name: fmt.Sprintf("user-%d", n)}
		u.token, _ = newToken(t, u.namespace, u.name)
		w.users = append(w.users, u)
	}
	for n := range 14 {
		w.permit(t, d, n)
	}
	return w
}

// permit makes a role and binds it: in a namespace, or, seldom, everywhere.
func (w *world) permit(t *testing.T, d dice, n int) {
	t.Helper()
	namespace := d.of(w.namespaces...)
	meta := metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", w.namespaces[0], n)}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name}
	subjects := []rbacv1.Subject{w.subject(d), w.subject(d)}
	var err error
	switch d.IntN(6) {
	case 0:
		ref.Name = d.of("view", "imagecatalog-publish", "no-such-role")
	case 1, 2:
		ref.Kind = "Role"
		_, err = kube.RbacV1().Roles(namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: d.rules()}, metav1.CreateOptions{})
	default:
		_, err = kube.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: d.rules()}, metav1.CreateOptions{})
		atEnd(t, func(ctx context.Context) error {
			return kube.RbacV1().ClusterRoles().Delete(ctx, meta.Name, metav1.DeleteOptions{})
		})
	}
	require.NoError(t, err)
	if ref.Kind == "ClusterRole" && d.IntN(5) == 0 {
		_, err = kube.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects[:1]}, metav1.CreateOptions{})
		atEnd(t, func(ctx context.Context) error {
			return kube.RbacV1().ClusterRoleBindings().Delete(ctx, meta.Name, metav1.DeleteOptions{})
		})
	} else {
		_, err = kube.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects}, metav1.CreateOptions{})
	}
	require.NoError(t, err)
}

// seen is what somebody sees: of each namespace, of each entry, and in all.
type seen struct {
	lists  map[string][]string // names by namespace; nil where it is forbidden
	gets   map[string]int      // status by namespace/name
	saying map[string]string   // why something is forbidden, by its path
	all    []string            // namespace/name
	total  int
	// faceted is how many entries a namespace has, and resolved which of them a resolution looks at; watched is all that a
	// watch begins with.
	faceted  map[string]int
	resolved map[string][]string
	watched  []string
}

func newSeen() seen {
	return seen{
		lists: map[string][]string{}, gets: map[string]int{}, saying: map[string]string{}, all: []string{},
		faceted: map[string]int{}, resolved: map[string][]string{}, watched: []string{},
	}
}

// throughKubernetes is what a client of the API server sees with the token.
func (w *world) throughKubernetes(ctx context.Context, u account) (s seen, err error) {
	s = newSeen()
	clients, err := versioned.NewForConfig(&rest.Config{Host: config.Host, TLSClientConfig: rest.TLSClientConfig{CAData: config.CAData, CAFile: config.CAFile}, BearerToken: u.token, QPS: -1})
	if err != nil {
		return s, err
	}
	for _, namespace := range w.namespaces {
		entries := clients.ImagecatalogV1alpha1().CatalogImages(namespace)
		list, err := entries.List(ctx, metav1.ListOptions{})
		switch {
		case apierrors.IsForbidden(err):
			s.lists[namespace], s.saying[namespace] = nil, err.Error()
		case err != nil:
			return s, err
		default:
			s.lists[namespace] = []string{}
			for _, item := range list.Items {
				s.lists[namespace] = append(s.lists[namespace], item.Name)
				s.all = append(s.all, namespace+"/"+item.Name)
			}
			s.entail(namespace)
		}
		switch watch, err := entries.Watch(ctx, metav1.ListOptions{}); {
		case err == nil:
			watch.Stop()
			for image := range slices.Index(w.namespaces, namespace) { // so many has newWorld made
				s.watched = append(s.watched, fmt.Sprintf("%s/image-%d", namespace, image))
			}
		case !apierrors.IsForbidden(err):
			return s, err
		}
		for n := range 4 {
			name := fmt.Sprintf("image-%d", n)
			path := namespace + "/" + name
			switch _, err := entries.Get(ctx, name, metav1.GetOptions{}); {
			case err == nil:
				s.gets[path] = http.StatusOK
			case apierrors.IsNotFound(err):
				s.gets[path] = http.StatusNotFound
			case apierrors.IsForbidden(err):
				s.gets[path], s.saying[path] = http.StatusForbidden, err.Error()
			default:
				return s, err
			}
		}
	}
	slices.Sort(s.all)
	slices.Sort(s.watched)
	s.total = len(s.all)
	return s, nil
}

// entail is what facets and resolutions must show of a namespace that may be listed.
func (s *seen) entail(namespace string) {
	if names := slices.Sorted(slices.Values(s.lists[namespace])); len(names) > 0 {
		s.faceted[namespace], s.resolved[namespace] = len(names), names
	}
}

// throughQuery is what the query server shows with the token.
func (w *world) throughQuery(t *testing.T, client *http.Client, u account) seen {
	t.Helper()
	s := newSeen()
	for _, namespace := range w.namespaces {
		list := ask(t, client, u.token, "/v1/namespaces/"+namespace+"/images?limit=500")
		s.lists[namespace] = nil
		if list.status == http.StatusForbidden {
			s.saying[namespace] = list.Detail
		} else {
			require.Equal(t, http.StatusOK, list.status)
			s.lists[namespace] = []string{}
			for _, item := range list.Items {
				s.lists[namespace] = append(s.lists[namespace], item.Name)
			}
			slices.Sort(s.lists[namespace])
		}
		for n := range 4 {
			path := fmt.Sprintf("%s/image-%d", namespace, n)
			got := ask(t, client, u.token, fmt.Sprintf("/v1/namespaces/%s/images/image-%d", namespace, n))
			s.gets[path] = got.status
			if got.status == http.StatusForbidden {
				s.saying[path] = got.Detail
			}
		}
	}
	all := walk(t, client, u.token, "/v1/images", 3)
	for _, item := range all.Items {
		if slices.Contains(w.namespaces, item.Namespace) { // other tests leave entries of theirs
			s.all = append(s.all, item.Namespace+"/"+item.Name)
		}
	}
	slices.Sort(s.all)
	s.total = all.Total - (len(all.Items) - len(s.all))
	w.askFurther(t, client, u, &s)
	return s
}

// askFurther looks at the same entries in the other ways that the query server has.
func (w *world) askFurther(t *testing.T, client *http.Client, u account, s *seen) {
	t.Helper()
	for _, value := range ask(t, client, u.token, "/v1/facets").Facets["namespace"].Values {
		if slices.Contains(w.namespaces, value.Value) {
			s.faceted[value.Value] = value.Count
		}
	}
	for _, namespace := range w.namespaces {
		for _, passedOver := range ask(t, client, u.token, "/v1/resolve?namespace="+namespace).RunnersUp {
			s.resolved[namespace] = append(s.resolved[namespace], passedOver.Name)
		}
		slices.Sort(s.resolved[namespace])
	}
	r := &replicas{client: client, token: u.token}
	require.NoError(t, r.watch(t.Context(), installed.QueryAddress, "/v1/images?watch=true", "", func(e told) bool {
		if item := e.item(); slices.Contains(w.namespaces, item.Namespace) {
			s.watched = append(s.watched, item.Namespace+"/"+item.Name)
		}
		return e.Type != "BOOKMARK"
	}))
	slices.Sort(s.watched)
}

// Whatever the permissions are, the query server shows what the API server shows, and forbids what it forbids in its
// words. The reviews are of the same moment only when nothing changes, so a difference has some time to vanish.
func showsWhatKubectlShows(t *testing.T) {
	client := startQuery(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newWorld(t, dice{rand.New(rand.NewPCG(seed, 0))})
	kinds := map[string]int{}
	for _, u := range w.users {
		var want, got seen
		assert.EventuallyWithT(t, func(c *assert.CollectT) {
			var err error
			want, err = w.throughKubernetes(t.Context(), u)
			require.NoError(c, err)
			got = w.throughQuery(t, client, u)
			assert.Equal(c, want, got)
		}, revocation, pause, u.user())
		for _, status := range got.gets {
			kinds[fmt.Sprint("get ", status)]++
		}
		for _, list := range got.lists {
			kinds[fmt.Sprint("list ", list != nil)]++
		}
	}
	t.Log(kinds)
	assert.Positive(t, kinds["list true"], "seed %d permits nothing, and so shows nothing", seed)
	assert.Positive(t, kinds["list false"], "seed %d forbids nothing, and so shows nothing", seed)
}

// openWatch gives how a watch ends that has told what there is.
func openWatch(t *testing.T, client *http.Client, token, path string) <-chan error {
	t.Helper()
	begun, ended := make(chan struct{}), make(chan error, 1)
	begin := sync.OnceFunc(func() { close(begun) })
	go func() {
		defer begin()
		ended <- (&replicas{client: client, token: token}).watch(t.Context(), installed.QueryAddress, path, "", func(e told) bool {
			if e.Type == "BOOKMARK" {
				begin()
			}
			return true
		})
	}()
	<-begun
	require.Empty(t, ended)
	return ended
}

func whatIsRevokedIsSoonGone(t *testing.T) {
	client := startQuery(t)
	namespace := newNamespace(t)
	_, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Create(t.Context(), newEntry("autosd", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	require.NoError(t, err)
	reader, _ := newToken(t, namespace, "reader")
	leaver, revoke := newToken(t, namespace, "leaver")
	sees := func(token string) []int {
		return []int{
			ask(t, client, token, "/v1/images").Total,
			ask(t, client, token, "/v1/namespaces/"+namespace+"/images").status,
			ask(t, client, token, "/v1/namespaces/"+namespace+"/images/autosd").status,
		}
	}
	for binding, account := range map[string]string{"view": "reader", "stays": "leaver"} {
		require.NoError(t, kubectl(t.Context(), "", "create", "rolebinding", binding, "--namespace", namespace, "--clusterrole", "imagecatalog-view",
			"--serviceaccount", namespace+":"+account))
	}
	for _, token := range []string{reader, leaver} {
		require.Eventually(t, func() bool { return slices.Equal(sees(token), []int{1, http.StatusOK, http.StatusOK}) }, revocation, pause)
	}
	const ofAll = "/v1/images?watch=true"
	ofOne := "/v1/namespaces/" + namespace + "/images?watch=true"
	ends := map[<-chan error]string{
		openWatch(t, client, reader, ofAll): `"status":410,"detail":"What you may see has changed`,
		openWatch(t, client, reader, ofOne): `"status":403`,
		openWatch(t, client, leaver, ofAll): `"status":401`,
		openWatch(t, client, leaver, ofOne): `"status":401`,
	}
	require.NoError(t, kubectl(t.Context(), "", "delete", "rolebinding", "view", "--namespace", namespace))
	revoke()
	require.Eventually(t, func() bool { return slices.Equal(sees(reader), []int{0, http.StatusForbidden, http.StatusForbidden}) }, revocation, pause)
	require.Eventually(t, func() bool {
		return slices.Equal(sees(leaver), []int{0, http.StatusUnauthorized, http.StatusUnauthorized})
	}, revocation, pause)
	for ended, want := range ends {
		select {
		case err := <-ended:
			assert.ErrorContains(t, err, want)
		case <-time.After(revocation):
			assert.Fail(t, "a watch goes on that ends with "+want)
		}
	}
}
