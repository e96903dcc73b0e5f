package index

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

// past is an API server that tells what happened.
type past struct {
	events []watch.Event
	err    error
	asked  metav1.ListOptions
}

func (p *past) WatchWithContext(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
	p.asked = options
	told := watch.NewFakeWithOptions(watch.FakeOptions{ChannelSize: len(p.events)})
	for _, event := range p.events {
		told.Action(event.Type, event.Object)
	}
	told.Stop()
	return told, p.err
}

func at(kind watch.EventType, version int) watch.Event {
	image := imagetest.Image("a", "gone", 1)
	image.ResourceVersion = strconv.Itoa(version)
	return watch.Event{Type: kind, Object: image}
}

func TestTheLastChangeInAList(t *testing.T) {
	expired := watch.Event{Type: watch.Error, Object: &metav1.Status{Code: http.StatusGone}}
	for title, test := range map[string]struct {
		events []watch.Event
		err    error
		want   uint64 // 0: it is not known
	}{
		"nothing has gone":               {[]watch.Event{at(watch.Bookmark, 1000)}, nil, 20},
		"an entry has gone":              {[]watch.Event{at(watch.Deleted, 30), at(watch.Bookmark, 1002)}, nil, 30},
		"the last of the list":           {[]watch.Event{at(watch.Deleted, 1000), at(watch.Bookmark, 1000)}, nil, 1000},
		"one came and went":              {[]watch.Event{at(watch.Added, 30), at(watch.Modified, 31), at(watch.Deleted, 32), at(watch.Bookmark, 1000)}, nil, 32},
		"something happens since":        {[]watch.Event{at(watch.Deleted, 30), at(watch.Added, 1001)}, nil, 30},
		"it was told to a part":          {[]watch.Event{at(watch.Deleted, 30), at(watch.Bookmark, 999)}, nil, 0},
		"nothing was told":               {nil, nil, 0},
		"the API server does not know":   {[]watch.Event{expired}, nil, 0},
		"the API server does not answer": {nil, errors.New("no route to host"), 0},
	} {
		t.Run(title, func(t *testing.T) {
			server := &past{events: test.events, err: test.err}
			last, known := lastChange(t.Context(), server, gap{20, 1000})
			assert.Equal(t, test.want, last)
			assert.Equal(t, test.want > 0, known)
			assert.Equal(t, "20", server.asked.ResourceVersion)
		})
	}
}

// Two replicas read a list, one after the other: of a catalog in which nothing happens they have the same version.
func TestReplicasOfAQuietCatalogHaveOneVersion(t *testing.T) {
	for title, test := range map[string]struct {
		happens func(*catalog)
		version uint64
	}{
		"nothing happens":           {func(*catalog) {}, 30},
		"only the list comes again": {func(c *catalog) { require.NoError(t, c.Replace([]any{listed()}, "2000")) }, 30},
		"something happens": {func(c *catalog) {
			c.version = 1000
			c.store(imagetest.Image("a", "two", 2))
		}, 1001},
	} {
		t.Run(title, func(t *testing.T) {
			c := &catalog{New(), t, 0}
			require.NoError(t, c.Replace([]any{listed()}, "1000"))
			assert.EqualValues(t, 1000, c.Latest().Version, "until it is known better")
			test.happens(c)
			ctx, stop := context.WithCancel(t.Context())
			settled := make(chan struct{})
			go func() {
				defer close(settled)
				c.settle(ctx, &past{events: []watch.Event{at(watch.Deleted, 30), at(watch.Bookmark, 1000)}})
			}()
			eventually(t, func() bool { return len(c.first) == 0 && c.floor() != 1000 })
			stop()
			<-settled
			assert.Equal(t, test.version, c.Latest().Version)
			for _, version := range []uint64{30, 31, 1000} {
				then, err := c.At(version)
				require.NoError(t, err)
				assert.Equal(t, 1, then.Len())
			}
			_, err := c.At(29)
			require.ErrorIs(t, err, ErrGone)
		})
	}
}

// listed is an entry that was changed long before it was listed.
func listed() *v1alpha1.CatalogImage {
	image := imagetest.Image("a", "one", 1)
	image.ResourceVersion = "20"
	return image
}

func (c *catalog) floor() uint64 {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.history.floor
}

func TestAListOfWhichSomethingIsForgottenStaysAsItIs(t *testing.T) {
	c := newCatalog(t, imagetest.Image("a", "one", 1))
	c.settleAt(50, 99)
	assert.EqualValues(t, 100, c.Latest().Version)
	_, err := c.At(50)
	require.ErrorIs(t, err, ErrGone)
}
