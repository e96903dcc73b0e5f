package param_test

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/param"
)

type values struct {
	image   string
	content bool
	timeout time.Duration
	count   int
	tags    param.List
	targets param.List
}

func parse(args ...string) (values, error) {
	got := values{}
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&got.image, "image-url", "default/image", "")
	fs.BoolVar(&got.content, "content", false, "")
	fs.DurationVar(&got.timeout, "timeout", time.Minute, "")
	fs.IntVar(&got.count, "count", 1, "")
	fs.Var(&got.tags, "tags", "")
	fs.Var(&got.targets, "targets", "")
	err := param.Parse(fs, args)
	return got, err
}

func TestParse(t *testing.T) {
	defaults := values{image: "default/image", timeout: time.Minute, count: 1}
	tests := map[string]struct {
		args []string
		want func(*values)
	}{
		"nothing":                         {nil, func(*values) {}},
		"scalars":                         {[]string{"--image-url=a.io/b:c", "--content=true", "--timeout=2m", "--count=3"}, func(v *values) { v.image, v.content, v.timeout, v.count = "a.io/b:c", true, 2*time.Minute, 3 }},
		"empty scalars keep the defaults": {[]string{"--image-url=", "--content=", "--timeout="}, func(*values) {}},
		"a scalar may be anything":        {[]string{"--image-url=--tags=x y"}, func(v *values) { v.image = "--tags=x y" }},
		"lists":                           {[]string{"--image-url=i", "--tags", "a", "b c", "--targets", "x=y"}, func(v *values) { v.image, v.tags, v.targets = "i", param.List{"a", "b c"}, param.List{"x=y"} }},
		"empty lists":                     {[]string{"--tags", "--targets"}, func(*values) {}},
		"empty elements":                  {[]string{"--tags", "", "a", "", "--targets", ""}, func(v *values) { v.tags = param.List{"a"} }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := defaults
			test.want(&want)
			got, err := parse(test.args...)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

// What a stranger writes into an element of a list never sets another flag.
func TestParseRefusesFlagsInLists(t *testing.T) {
	for _, element := range []string{
		"--image-url=evil.io/x", "--image-url", "-image-url=evil.io/x", "--content=true", "--tags=--x", "--tags", "--targets",
		"--unknown", "--", "-", "-h", "--help",
	} {
		for _, elements := range [][]string{{element}, {"a", element}, {element, "b"}} {
			args := append([]string{"--image-url=good.io/x", "--tags"}, elements...)
			got, err := parse(append(args, "--targets", "qemu")...)
			var wrong *param.Error
			require.ErrorAs(t, err, &wrong, "elements %q", elements)
			assert.Contains(t, []string{"TAGS", "TARGETS"}, wrong.Param)
			assert.Equal(t, "good.io/x", got.image)
			assert.False(t, got.content)
		}
	}
}

func TestParseErrors(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"bool":              {[]string{"--content=maybe"}, `param CONTENT: "maybe" is not understood; write "true" or "false"`},
		"duration":          {[]string{"--timeout=soon"}, `param TIMEOUT: "soon" is not understood; write a duration such as "90s" or "2m"`},
		"number":            {[]string{"--count=many"}, `param COUNT: "many" is not understood; write a whole number`},
		"unknown":           {[]string{"--image-ulr=x"}, `param IMAGE_ULR: the argument "--image-ulr=x" is no param of this task; see --help for those there are`},
		"bare word":         {[]string{"x"}, `param X: the argument "x" is no param of this task; see --help for those there are`},
		"one dash":          {[]string{"-image-url=x"}, `param IMAGE_URL: the argument "-image-url=x" is no param of this task; see --help for those there are`},
		"scalar without =":  {[]string{"--image-url", "x"}, `param IMAGE_URL: the argument "--image-url" has the wrong form; write --image-url=VALUE`},
		"list with =":       {[]string{"--tags=a"}, `param TAGS: the argument "--tags=a" has the wrong form; write --tags VALUE...`},
		"scalar twice":      {[]string{"--image-url=a", "--image-url=b"}, `param IMAGE_URL: it is given twice; write no element that begins with "-" into a list`},
		"element with dash": {[]string{"--tags", "-x"}, `param TAGS: the element "-x" begins with "-"; write elements that begin with a letter or digit`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parse(test.args...)
			require.EqualError(t, err, test.want)
		})
	}
}

func TestParseHelp(t *testing.T) {
	for _, arg := range []string{"-h", "--help"} {
		_, err := parse(arg)
		require.ErrorIs(t, err, flag.ErrHelp)
	}
}

func TestName(t *testing.T) {
	assert.Equal(t, "IMAGE_URL", param.Name("image-url"))
}

// Whatever the elements are, either they arrive as they are or nothing is accepted.
func FuzzParseElements(f *testing.F) {
	f.Add("a", "--targets")
	f.Add("--tags=--x", "-")
	f.Fuzz(func(t *testing.T, first, second string) {
		got, err := parse("--image-url=good.io/x", "--tags", first, second, "--targets", "qemu")
		assert.Equal(t, "good.io/x", got.image)
		if err == nil {
			assert.Equal(t, strings.Fields("qemu"), []string(got.targets))
			for _, tag := range got.tags {
				assert.Contains(t, []string{first, second}, tag)
			}
		}
	})
}
