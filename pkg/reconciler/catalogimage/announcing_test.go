package catalogimage

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes/fake"
	clientgotesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/logging"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	catalogfake "imagecatalog.dev/catalog/pkg/client/clientset/versioned/fake"
)

// announced is a reconciliation that notes something, and whether its status could be stored.
type announced struct {
	*announcing
	kube *fake.Clientset
	logs *observer.ObservedLogs
	ctx  context.Context
}

func announce(t *testing.T, own, storing error) *announced {
	t.Helper()
	counted, err := newMetrics(noop.Meter{})
	require.NoError(t, err)
	kube := fake.NewClientset()
	core, logs := observer.New(zapcore.InfoLevel)
	a := &announcing{journal: &journal{}, metrics: counted, events: kube.CoreV1(), now: nowIs(now)}
	a.generated = reconciling{end: func(ctx context.Context) error {
		a.journal.begin(entry())
		a.journal.add(entry(), corev1.EventTypeNormal, eventRecovered, "it is back")
		a.journal.end(entry(), own)
		if err := errors.Join(a.tell(ctx, entry()), storing); err != nil {
			return err
		}
		return own
	}}
	return &announced{a, kube, logs, logging.WithLogger(t.Context(), zap.New(core).Sugar())}
}

// answer has the API server give this answer to Events, until it is switched off.
func (a *announced) answer(err error) (switched func(bool)) {
	on := true
	a.kube.PrependReactor("create", "events", func(clientgotesting.Action) (bool, runtime.Object, error) { return on, nil, err })
	return func(to bool) { on = to }
}

func (a *announced) stored(t *testing.T) []corev1.Event {
	t.Helper()
	list, err := a.kube.CoreV1().Events("radar").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	return list.Items
}

// An Event is there before the status is, once however often the status is tried. The audit line comes with the status.
func TestNotesAreAnnouncedOnce(t *testing.T) {
	own, foreign := errors.New("the labels could not be aligned"), errors.New("the status could not be stored")
	for title, test := range map[string]struct {
		event, storing error
		audited        int
	}{
		"stored":                   {nil, nil, 1},
		"stored, and due again":    {controller.NewRequeueAfter(interval), nil, 1},
		"stored, with another end": {own, nil, 1},
		"not stored":               {nil, foreign, 0},
		"not stored, and due":      {controller.NewRequeueAfter(interval), foreign, 0},
	} {
		a := announce(t, test.event, test.storing)
		for range 2 {
			_ = a.Reconcile(a.ctx, key) // its end is the generated reconciler's
			assert.Equal(t, test.audited, a.logs.FilterMessage("audit").Len(), title)
			assert.Len(t, a.stored(t), 1, title)
			assert.Empty(t, a.journal.pages, "%s: nothing is left for the next time", title)
			a.logs.TakeAll()
		}
	}
}

// The status of an entry is not stored in another one of its name, which would look as if it had been told of, too.
func TestAnEntryThatWasCreatedAgain(t *testing.T) {
	a := announce(t, nil, nil)
	a.journal.begin(entry(uid("u1")))
	catalog := catalogfake.NewSimpleClientset(entry(uid("u2")))
	client := statusClient{catalog, a.tell, func(*v1alpha1.CatalogImage) {}}
	_, err := client.ImagecatalogV1alpha1().CatalogImages("radar").UpdateStatus(t.Context(), entry(uid("u2"), observed), metav1.UpdateOptions{})
	require.EqualError(t, err, "radar/autosd was deleted and created again meanwhile")
	assert.Empty(t, catalog.Actions())
}

// A status that is as it was is not stored. What was noted is told all the same.
func TestNotesOfAnUnchangedStatus(t *testing.T) {
	a := announce(t, nil, nil)
	a.generated = reconciling{end: func(context.Context) error {
		a.journal.begin(entry())
		a.journal.add(entry(), corev1.EventTypeWarning, eventReferrersUnreadable, "forbidden")
		return nil
	}}
	require.NoError(t, a.Reconcile(a.ctx, key))
	assert.Len(t, a.stored(t), 1)

	a = announce(t, nil, nil)
	a.answer(errors.New("connection refused"))
	require.Error(t, a.Reconcile(a.ctx, key))
	assert.Empty(t, a.logs.All())
}

// The status waits for an API server that may take the Event later, and not for one that never will.
func TestWhatAnEventIsAnswered(t *testing.T) {
	events := schema.GroupResource{Resource: "events"}
	terminating := apierrors.NewForbidden(events, "", errors.New("radar is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	forbidden := apierrors.NewForbidden(events, "", errors.New("exceeded quota"))
	for title, test := range map[string]struct {
		answer error
		waits  bool
		logged int
	}{
		"it is there":               {apierrors.NewAlreadyExists(events, "autosd.1"), false, 0},
		"the namespace is gone":     {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "radar"), false, 0},
		"the namespace goes":        {terminating, false, 0},
		"forbidden":                 {forbidden, true, 0},
		"invalid":                   {apierrors.NewInvalid(schema.GroupKind{Kind: "Event"}, "autosd.1", nil), false, 1},
		"too many requests":         {apierrors.NewTooManyRequests("later", 1), true, 0},
		"no answer of the server":   {apierrors.NewServerTimeout(events, "create", 1), true, 0},
		"a failure of the server":   {apierrors.NewInternalError(errors.New("etcd")), true, 0},
		"no connection to a server": {errors.New("connection refused"), true, 0},
	} {
		a := announce(t, nil, nil)
		a.answer(test.answer)
		err := a.Reconcile(a.ctx, key)
		if test.waits {
			assert.ErrorContains(t, err, "writing the Event Recovered of radar/autosd: ", title)
		} else {
			assert.NoError(t, err, title)
		}
		assert.Equal(t, test.logged, a.logs.FilterMessage("Writing an Event").Len(), title)
		assert.Equal(t, !test.waits, a.logs.FilterMessage("audit").Len() == 1, title)
	}
}

// An API server that starts forbids for a while what it has yet to read the roles for. What is forbidden for longer stays so.
func TestEventsThatAreForbidden(t *testing.T) {
	a := announce(t, nil, nil)
	forbid := a.answer(apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", errors.New("exceeded quota")))
	later := func(by time.Duration) {
		at := a.now().Add(by)
		a.now = nowIs(at)
	}
	require.Error(t, a.Reconcile(a.ctx, key))
	later(forbiddenPatience - 1)
	require.Error(t, a.Reconcile(a.ctx, key))
	later(1)
	require.NoError(t, a.Reconcile(a.ctx, key))
	assert.Equal(t, 1, a.logs.FilterMessage("Writing an Event").Len())

	forbid(false)
	require.NoError(t, a.Reconcile(a.ctx, key))
	assert.Len(t, a.stored(t), 1)
	forbid(true)
	require.Error(t, a.Reconcile(a.ctx, key), "its time begins anew")
	later(forbiddenPatience)
	require.NoError(t, a.Reconcile(a.ctx, key))
	gone := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "radar"}}
	a.namespaces().OnDelete(cache.DeletedFinalStateUnknown{Key: "radar", Obj: gone})
	require.Error(t, a.Reconcile(a.ctx, key), "another namespace of that name")
}

func TestTheEventOfANote(t *testing.T) {
	n := note{entry(uid("u1")), corev1.EventTypeWarning, eventDrift, "ä" + strings.Repeat("é", maxEventMessage)}
	event := n.event("began", now)
	assert.Equal(t, corev1.ObjectReference{
		APIVersion: "imagecatalog.dev/v1alpha1", Kind: "CatalogImage", Namespace: "radar", Name: "autosd", UID: "u1",
	}, event.InvolvedObject)
	assert.Equal(t, "ä"+strings.Repeat("é", maxEventMessage/2-1), event.Message)
	assert.Equal(t, "radar", event.Namespace)
	assert.Equal(t, now, event.FirstTimestamp.Time)
	assert.Equal(t, now, event.LastTimestamp.Time)
	assert.EqualValues(t, 1, event.Count)
	assert.Equal(t, event.Source.Component, event.ReportingController)
}

func TestNamesOfEvents(t *testing.T) {
	named := func(change func(*note), stored ...option) string {
		n := note{entry(uid("u1")), corev1.EventTypeNormal, eventDrift, "moved"}
		change(&n)
		return n.eventName(fingerprint(entry(stored...).Status))
	}
	same := func(*note) {}
	before := named(same)
	assert.Regexp(t, `^autosd\.[0-9a-f]{16}$`, before)
	assert.Equal(t, before, named(same), "a repeat")
	assert.Equal(t, before, named(same, func(i *v1alpha1.CatalogImage) {
		i.GetConditionSet().Manage(&i.Status).InitializeConditions()
	}), "what knative does first")
	for title, other := range map[string]string{
		"the same from another status": named(same, checked(0)),
		"of another entry":             named(func(n *note) { n.entry = entry(uid("u2")) }),
		"another reason":               named(func(n *note) { n.reason = eventUpdated }),
		"another message":              named(func(n *note) { n.message = "moved elsewhere" }),
	} {
		assert.NotEqual(t, before, other, title)
	}
	published := func(image string) func(*note) {
		return func(n *note) { n.reason, n.message = eventPublished, image }
	}
	assert.Equal(t, named(published("1")), named(published("2")), "an entry that was changed before it was stored that it is published")
	for _, name := range []string{strings.Repeat("a", 253), strings.Repeat("a.", 126) + "b", strings.Repeat("a-", 126) + "b"} {
		long := named(func(n *note) { n.entry.Name = name })
		assert.Empty(t, validation.IsDNS1123Subdomain(long), long)
	}
}
