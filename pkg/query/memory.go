package query

import "sync"

// maxKept is the capacity, in bytes, up to which the memory of an answer is used again.
const maxKept = 64 << 10

// kept is memory of answers that were sent. It may be used again because the server speaks HTTP/1.1 alone: with HTTP/2, an
// answer to a client that went away may still be read after Write has returned.
var kept = sync.Pool{New: func() any { return new([]byte) }}

// inMemory does something with an answer that is appended to nothing, and is gone afterwards.
func inMemory(encode func(to []byte) []byte, do func(answer []byte) error) error {
	memory := kept.Get().(*[]byte)
	*memory = encode((*memory)[:0])
	err := do(*memory)
	if cap(*memory) <= maxKept {
		kept.Put(memory)
	}
	return err
}
