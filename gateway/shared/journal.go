package shared

import (
	"bytes"
	"fmt"
	"strconv"
)

// mostJournal bounds a journal in memcached, in bytes.
const mostJournal = 128 << 10

// journal is the log of purges as one item of memcached: a line that tells its
// epoch and the number of the first purge, and a line for each. It is changed by
// compare and swap, so that it has all of them, in an order that all replicas
// see, up to its bound.
type journal struct {
	epoch  string // another one for each that was begun
	first  uint64 // the number of purges[0], from 1
	purges []Purge
	lines  [][]byte // purges, as they are written
}

func parseJournal(text []byte) (j journal, ok bool) {
	head, rest, ok := bytes.Cut(text, []byte{'\n'})
	epoch, first, both := bytes.Cut(head, []byte{' '})
	n, err := strconv.ParseUint(string(first), 10, 63)
	if !ok || !both || len(epoch) == 0 || err != nil || n == 0 {
		return j, false
	}
	j = journal{epoch: string(epoch), first: n}
	for line := range bytes.SplitSeq(rest, []byte{'\n'}) {
		if len(line) > 0 {
			j.purges, j.lines = append(j.purges, parseOwn(string(line))), append(j.lines, line)
		}
	}
	return j, true
}

func (j *journal) text() []byte {
	head := fmt.Appendf(nil, "%s %d\n", j.epoch, j.first)
	for _, line := range j.lines {
		head = append(append(head, line...), '\n')
	}
	return head
}

// add puts purges at the end, and takes as many away at the front as there is no
// room for. One that is too long stands for all.
func (j *journal) add(list []Purge) {
	for _, p := range list {
		line := []byte(p.text())
		if len(line) > mostJournal/2 {
			p = Purge{}
			line = []byte(p.text())
		}
		j.purges, j.lines = append(j.purges, p), append(j.lines, line)
	}
	size := 0
	for i := len(j.lines) - 1; i >= 0; i-- {
		if size += len(j.lines[i]) + 1; size > mostJournal || len(j.lines)-i >= mostRecords {
			j.first += uint64(i) + 1
			j.purges, j.lines = j.purges[i+1:], j.lines[i+1:]
			break
		}
	}
}

// records are the purges by their numbers, after what was before them.
func (j *journal) records() []record {
	list := []record{{id: ID{N: j.first - 1}, beginning: true}}
	for i, p := range j.purges {
		list = append(list, record{id: ID{N: j.first + uint64(i)}, purge: p})
	}
	return list
}
