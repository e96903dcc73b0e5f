package v1alpha1

import "strings"

// The bounds of a status. Whoever writes one keeps to them, because the API server refuses a status beyond its schema
// as a whole. The verbs that take a message or a user clip it themselves.
const (
	// MaxLayers is how many layers are listed: as many as a container runtime mounts. LayerCount counts all.
	MaxLayers = 128
	// MaxPlatforms is how many platforms are listed.
	MaxPlatforms = 64
	// MaxArtifacts is how many files of an artifact are listed.
	MaxArtifacts = 64
	// MaxReferrers is how many referrers are listed.
	MaxReferrers = 64
	// MaxHistory is how many digests of the past are kept.
	MaxHistory = 16
	// MaxAccessReadings is of how many replicas of the query server is kept what they have counted.
	MaxAccessReadings = 32
	// MaxReplica is the longest name that a replica of the query server has for itself, in characters.
	MaxReplica = 64
	// MaxPullSecrets is how many secrets an entry may name; of those of its service account as many are used.
	MaxPullSecrets = 16
	// MaxName is the longest digest, media type, artifact type, architecture, operating system or variant, in characters.
	MaxName = 255
	// MaxMessage is the longest message of a condition, in characters.
	MaxMessage = 2048
	// MaxUser is the longest name of a user, in characters.
	MaxUser = 1024
)

// clip shortens a text to so many characters, and ends it with an ellipsis then. What is no UTF-8 is replaced: JSON
// would do that on the way to the API server, and the stored text would differ from the written one for ever.
func clip(text string, length int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if runes := []rune(text); len(runes) > length {
		return string(runes[:length-1]) + "…"
	}
	return text
}
