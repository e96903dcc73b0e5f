package registry

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slow sends pieces of a body, each after a pause.
type slow struct {
	request *http.Request
	pieces  []string
	pause   time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	select {
	case <-s.request.Context().Done():
		return 0, s.request.Context().Err()
	case <-time.After(s.pause):
	}
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.pieces[0])
	s.pieces = s.pieces[1:]
	return n, nil
}

func watched(t *testing.T, code int, pause time.Duration, pieces ...string) (*http.Response, error) {
	t.Helper()
	return get(t, &watch{by(func(request *http.Request) (*http.Response, error) {
		response := answering(code, "")
		response.Body = io.NopCloser(&slow{request, pieces, pause})
		return response, nil
	}), stallTime})
}

func TestABodyThatComesInDripsIsGivenUp(t *testing.T) {
	drip := strings.Repeat("drip ", 100)
	for title, test := range map[string]struct {
		pause  time.Duration
		pieces []string
	}{
		"nothing comes":          {time.Hour, []string{"never"}},
		"a byte a second":        {time.Second, strings.Split(drip, "")},
		"and then nothing comes": {29 * time.Second, []string{"half", "never"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			response, err := watched(t, http.StatusOK, test.pause, test.pieces...)
			require.NoError(t, err)
			began := time.Now()
			_, err = io.ReadAll(response.Body)
			require.ErrorIs(t, err, errStalled, title)
			assert.Equal(t, stallTime, time.Since(began), title)
			assert.Equal(t, RegistryUnavailable, reasonFor(err))
			assert.False(t, saysNothing(err), "it counts against the host")
		})
	}
}

func TestALargeBodyMayTakeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pieces []string
		for range 100 {
			pieces = append(pieces, strings.Repeat("x", stallBytes/2))
		}
		response, err := watched(t, http.StatusOK, 14*time.Second, pieces...)
		require.NoError(t, err)
		for range 100 {
			_, err := io.ReadFull(response.Body, make([]byte, stallBytes/2))
			require.NoError(t, err)
			time.Sleep(time.Hour) // the reader's own time does not count
		}
		_, err = response.Body.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	})
}

func TestAnErrorIsReadWholeAndBounded(t *testing.T) {
	response, err := watched(t, http.StatusNotFound, 0, slices.Repeat([]string{strings.Repeat("x", 256)}, 2*maxErrorBytes/256)...)
	require.NoError(t, err)
	for range 2 { // failureOf leaves it to be read again
		assert.Equal(t, NotFound, reasonFor(failureOf(response)))
	}
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Len(t, body, maxErrorBytes)

	synctest.Test(t, func(t *testing.T) {
		_, err := watched(t, http.StatusNotFound, time.Hour, "never")
		assert.ErrorIs(t, err, errStalled)
	})
}
