package plane

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shell runs a script that notes in the log that it was started.
func shell(t *testing.T, script string) *running {
	t.Helper()
	r := &running{path: "/bin/sh", args: []string{"-c", "echo started; " + script}, log: filepath.Join(t.TempDir(), "log")}
	require.NoError(t, r.run())
	return r
}

func (r *running) starts(t *testing.T) int {
	t.Helper()
	said, err := os.ReadFile(r.log)
	require.NoError(t, err)
	return strings.Count(string(said), "started")
}

func TestWhoIsKeptWaitingIsStartedAgain(t *testing.T) {
	once := filepath.Join(t.TempDir(), "once")
	r := shell(t, "test ! -e "+once+" || exit 1; touch "+once+"; echo '"+keptWaiting+"'; exit 1")
	<-r.ended
	assert.Equal(t, 2, r.starts(t), "the second end had another reason, whatever the first said")
}

func TestWhoEndsByItselfIsNotStartedAgain(t *testing.T) {
	r := shell(t, "echo panic; exit 2")
	<-r.ended
	assert.Equal(t, 1, r.starts(t))
}

func TestWhoIsToldToEndIsNotStartedAgain(t *testing.T) {
	r := shell(t, "echo '"+keptWaiting+"'; exec sleep 60")
	require.NoError(t, r.end(syscall.SIGKILL))
	<-r.ended
	assert.LessOrEqual(t, r.starts(t), 1)
}
