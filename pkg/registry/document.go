package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The types of this file are the parts of OCI's and Docker's documents that a Description needs. Lists and maps stop
// growing while they are decoded: three bytes of JSON can be a struct of more than a hundred, so that a check after
// decoding would come too late.

const (
	// MaxLayers is how many layers an image, or manifests an index, may list. Container runtimes stop at about 128 layers;
	// artifacts may have more files.
	MaxLayers = 4096
	// MaxFacts is how many annotations or labels a document may have. Images of build tools have a few dozen.
	MaxFacts = 1024
	// MaxFactBytes is the longest annotation or label, name and value together, that is kept. Longer ones are the records
	// of build tools: they are left out, not refused.
	MaxFactBytes = 4096
	// MaxNameBytes is the longest media type, artifact type, operating system, architecture or variant: 127 bytes on each
	// side of the slash (RFC 6838, section 4.2).
	MaxNameBytes = 255
	// maxPartBytes, 4 TiB, keeps sums of sizes from overflowing: 2^21 parts of this size would be needed, and MaxManifests
	// times MaxLayers is about the most there are.
	maxPartBytes = 1 << 42
)

type imageManifest struct {
	ArtifactType string           `json:"artifactType"`
	Config       descriptor       `json:"config"`
	Layers       list[descriptor] `json:"layers"`
	Annotations  facts            `json:"annotations"`
}

type indexManifest struct {
	ArtifactType string           `json:"artifactType"`
	Manifests    list[descriptor] `json:"manifests"`
	Annotations  facts            `json:"annotations"`
}

type configuration struct {
	platform
	Created time.Time `json:"created"`
	Config  struct {
		Labels facts `json:"Labels"`
	} `json:"config"`
}

type descriptor struct {
	MediaType   types.MediaType `json:"mediaType"`
	Digest      v1.Hash         `json:"digest"`
	Size        int64           `json:"size"`
	Platform    *platform       `json:"platform"`
	Annotations struct {
		ReferenceType *string `json:"vnd.docker.reference.type"`
		Title         string  `json:"org.opencontainers.image.title"`
	} `json:"annotations"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant"`
}

// isAttestation recognises what BuildKit stores in an index beside the images: it is marked with an annotation and has
// the platform unknown/unknown.
func (d *descriptor) isAttestation() bool {
	const unknown = "unknown"
	return d.Annotations.ReferenceType != nil || (d.Platform != nil && d.Platform.OS == unknown && d.Platform.Architecture == unknown)
}

// check demands a digest, a possible size and names of a sane length.
func (d *descriptor) check(field string) error {
	switch {
	case d.Digest.Hex == "":
		return faultf(Malformed, "its %s has no digest", field)
	case d.Size < 0 || d.Size > maxPartBytes:
		return faultf(Malformed, "its %s cannot have %d bytes", field, d.Size)
	}
	if err := checkName(field+".mediaType", string(d.MediaType)); err != nil {
		return err
	}
	if d.Platform != nil {
		return d.Platform.check(field + ".platform.")
	}
	return nil
}

func (p *platform) check(prefix string) error {
	if err := checkName(prefix+"architecture", p.Architecture); err != nil {
		return err
	}
	if err := checkName(prefix+"os", p.OS); err != nil {
		return err
	}
	return checkName(prefix+"variant", p.Variant)
}

func checkName(field, value string) error {
	if len(value) > MaxNameBytes {
		return faultf(Malformed, "its %s has %d bytes, and %d is the most", field, len(value), MaxNameBytes)
	}
	return nil
}

// list keeps at most one element more than MaxLayers, by which who checks it knows that there are too many.
type list[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *list[T]) UnmarshalJSON(data []byte) error {
	*l = nil
	stream, err := enter(data, '[')
	if stream == nil {
		return err
	}
	for stream.More() && len(*l) <= MaxLayers {
		var element T
		if err := stream.Decode(&element); err != nil {
			return err
		}
		*l = append(*l, element)
	}
	return nil
}

func checkParts(field string, parts list[descriptor]) error {
	if len(parts) > MaxLayers {
		return faultf(TooLarge, "more than %d %s", MaxLayers, field)
	}
	for i := range parts {
		if err := parts[i].check(fmt.Sprintf("%s[%d]", field, i)); err != nil {
			return err
		}
	}
	return nil
}

// facts are annotations or labels, without those longer than MaxFactBytes; one more than MaxFacts says that there are
// too many.
type facts map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (f *facts) UnmarshalJSON(data []byte) error {
	*f = nil
	stream, err := enter(data, '{')
	if stream == nil {
		return err
	}
	*f = facts{}
	for stream.More() && len(*f) <= MaxFacts {
		key, err := stream.Token()
		if err != nil {
			return err
		}
		var value string
		if err := stream.Decode(&value); err != nil {
			return err
		}
		f.put(key.(string), value) // the data is valid JSON, and a name in an object a string
	}
	return nil
}

// put lets the last of several values of one name count, as JSON decoders do.
func (f *facts) put(key, value string) {
	delete(*f, key)
	if len(key)+len(value) <= MaxFactBytes {
		(*f)[key] = value
	}
}

func (f facts) check(field string) error {
	if len(f) > MaxFacts {
		return faultf(TooLarge, "more than %d %s", MaxFacts, field)
	}
	return nil
}

// enter opens a list or an object to read one element at a time; null is neither, and gives nil.
func enter(data []byte, opening json.Delim) (*json.Decoder, error) {
	stream := json.NewDecoder(bytes.NewReader(data))
	token, err := stream.Token()
	switch {
	case err != nil || token == nil:
		return nil, err
	case token != opening:
		return nil, fmt.Errorf("there is no %q where a list or an object begins", opening.String())
	}
	return stream, nil
}
