package registry

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckRedirect(t *testing.T) {
	tests := []struct {
		from, to string
		hops     int
		want     string
	}{
		{"https://quay.io/v2/", "https://cdn.example/blob", 1, ""},
		{"https://quay.io/v2/", "https://cdn.example/blob", maxRedirects, ""},
		{"https://quay.io/v2/", "https://cdn.example/blob", maxRedirects + 1, "more than 5 redirects"},
		{"https://quay.io/v2/", "http://cdn.example/blob", 1, "it redirects to cdn.example, out of HTTPS"},
		{"https://quay.io/v2/", "https://user:secret@cdn.example/blob", 1, "it redirects to an address with a user name in it"},
		{"http://10.0.0.1/v2/", "http://10.0.0.2/blob", 1, ""},
	}
	for _, test := range tests {
		from, err := url.Parse(test.from)
		require.NoError(t, err)
		to, err := url.Parse(test.to)
		require.NoError(t, err)
		before := make([]*http.Request, test.hops)
		before[0] = &http.Request{URL: from}
		err = checkRedirect(&http.Request{URL: to}, before)
		if test.want == "" {
			assert.NoError(t, err, "to %s", test.to)
		} else {
			assert.EqualError(t, err, test.want)
		}
	}
}
