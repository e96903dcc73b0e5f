package index

// ids gives entries their places in the sets: small numbers, so that the sets are dense.
type ids struct {
	next   uint32
	vacant []uint32
}

func (i *ids) take() uint32 {
	if last := len(i.vacant) - 1; last >= 0 {
		id := i.vacant[last]
		i.vacant = i.vacant[:last]
		return id
	}
	i.next++
	return i.next - 1
}

func (i *ids) giveBack(id uint32) { i.vacant = append(i.vacant, id) }
