package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"strings"
)

// A pack is sums of one UTC day in a compact form, sorted by dim, tagset, user
// and hour:
//
//	version, runs…, users…, where the users begin (4 bytes)
//
// A run is all rows of a dim: the difference from the dim before, the run's
// length, and its rows, so that a report passes over dims that it does not ask
// for. A row is its tagset, the number of its user, its hour of the day, a mask
// that tells which sums are not zero, and these. Numbers are varints, sums
// zigzag ones; users are texts with their length before them, in the order of
// their first use.
const packVersion = 1

// packRow is one row of a pack; what the pack does not tell apart is zero.
type packRow struct {
	packKey
	sums sums
}

type packKey struct {
	dim, tagset int64
	user        string
	hour        int64 // of the day
}

// compare orders rows as packs have them.
func (k *packKey) compare(o *packKey) int {
	switch {
	case k.dim != o.dim:
		return cmp.Compare(k.dim, o.dim)
	case k.tagset != o.tagset:
		return cmp.Compare(k.tagset, o.tagset)
	case k.user != o.user:
		return strings.Compare(k.user, o.user)
	}
	return cmp.Compare(k.hour, o.hour)
}

// packer writes a pack. Rows must come in order, none twice.
type packer struct {
	out   []byte
	run   []byte // the rows of dim
	dim   int64
	last  int64 // dim before
	users map[string]uint64
	names []string
}

func newPacker() *packer {
	return &packer{out: []byte{packVersion}, users: map[string]uint64{}}
}

// add adds a row; one whose sums are all zero says nothing and is left out.
func (p *packer) add(k *packKey, s *sums) {
	if *s == (sums{}) {
		return
	}
	if k.dim != p.dim {
		p.endRun()
		p.dim = k.dim
	}
	user, ok := p.users[k.user]
	if !ok {
		user = uint64(len(p.names))
		p.users[k.user] = user
		p.names = append(p.names, k.user)
	}
	p.run = binary.AppendUvarint(p.run, uint64(k.tagset))
	p.run = binary.AppendUvarint(p.run, user)
	p.run = append(p.run, byte(k.hour))
	var mask uint64
	for i, n := range s {
		if n != 0 {
			mask |= 1 << i
		}
	}
	p.run = binary.AppendUvarint(p.run, mask)
	for ; mask != 0; mask &= mask - 1 {
		p.run = binary.AppendVarint(p.run, s[bits.TrailingZeros64(mask)])
	}
}

func (p *packer) endRun() {
	if len(p.run) == 0 {
		return
	}
	p.out = binary.AppendUvarint(p.out, uint64(p.dim-p.last))
	p.out = binary.AppendUvarint(p.out, uint64(len(p.run)))
	p.out = append(p.out, p.run...)
	p.run, p.last = p.run[:0], p.dim
}

// bytes is the pack.
func (p *packer) bytes() []byte {
	p.endRun()
	at := len(p.out)
	for _, name := range p.names {
		p.out = binary.AppendUvarint(p.out, uint64(len(name)))
		p.out = append(p.out, name...)
	}
	return binary.LittleEndian.AppendUint32(p.out, uint32(at))
}

// errPack is what bytes that are no pack give.
var errPack = errors.New("not a pack of sums")

// unpacker reads a pack: nextDim, then nextRow until that is false, and so on.
// The sums of a row are decoded by addTo, and passed over without it.
type unpacker struct {
	pack  []byte
	at    int // what is read next, but for the row's sums
	run   int // where the dim's rows end
	runs  int // where the last dim's do
	users [][]byte
	texts []string // of users that were asked for

	dim, tagset, hour int64
	user              uint32 // in users
	mask              uint64 // of the row's sums if they are yet to be passed over, at at
	added             int    // where they end, if addTo was there; else 0
	err               error
}

// open begins to read a pack, which must stay as it is meanwhile. What was read
// before is forgotten.
func (u *unpacker) open(pack []byte) error {
	*u = unpacker{users: u.users[:0], texts: u.texts[:0]}
	if len(pack) < 5 || pack[0] != packVersion {
		return errPack
	}
	end := len(pack) - 4
	at := int(binary.LittleEndian.Uint32(pack[end:]))
	if at < 1 || at > end {
		return errPack
	}
	u.pack, u.at, u.run, u.runs = pack, 1, 1, at
	for names := pack[at:end]; len(names) > 0; {
		n, size := binary.Uvarint(names)
		if size <= 0 || n > uint64(len(names)-size) {
			return errPack
		}
		u.users = append(u.users, names[size:size+int(n)])
		names = names[size+int(n):]
	}
	return nil
}

// userText is a user by number.
func (u *unpacker) userText(i uint32) string {
	for len(u.texts) < len(u.users) {
		u.texts = append(u.texts, "")
	}
	if u.texts[i] == "" {
		u.texts[i] = string(u.users[i])
	}
	return u.texts[i]
}

// nextDim goes to the next dim, past what is left of this one; false: there is
// none, or err is set.
func (u *unpacker) nextDim() bool {
	if u.run >= u.runs || u.err != nil {
		return false
	}
	delta, at := uvarint(u.pack, u.run)
	length, at := uvarint(u.pack, at)
	if at < 0 || at > u.runs || length > uint64(u.runs-at) {
		return u.fail()
	}
	u.dim += int64(delta)
	u.at, u.run, u.mask, u.added = at, at+int(length), 0, 0
	return true
}

func (u *unpacker) fail() bool {
	u.err = errPack
	return false
}

// nextRow reads the next row of the dim.
func (u *unpacker) nextRow() bool {
	if u.mask != 0 {
		if u.added == 0 {
			u.added = skipVarints(u.pack, u.at, bits.OnesCount64(u.mask))
		}
		if u.added < 0 || u.added > u.run {
			return u.fail()
		}
		u.at = u.added
	}
	if u.at >= u.run || u.err != nil {
		u.mask = 0
		return false
	}
	tagset, at := uvarint(u.pack, u.at)
	user, at := uvarint(u.pack, at)
	if at < 0 || at >= u.run || user >= uint64(len(u.users)) {
		return u.fail()
	}
	u.tagset, u.user, u.hour = int64(tagset), uint32(user), int64(u.pack[at])
	u.mask, u.at = uvarint(u.pack, at+1)
	if u.at < 0 || u.at > u.run || u.mask >= 1<<nSums || u.hour > 23 {
		return u.fail()
	}
	u.added = 0
	return true
}

// addTo adds the row's sums; that they are damaged shows at the next row.
func (u *unpacker) addTo(s *sums) {
	b, at := u.pack, u.at
	for mask := u.mask; mask != 0; mask &= mask - 1 {
		var v uint64
		x := uint64(more) // as uvarint does it: a call costs as much as the rest
		if at <= len(b)-8 {
			x = binary.LittleEndian.Uint64(b[at:])
		}
		switch last := ^x & more; {
		case x&0x80 == 0:
			v = x & 0x7f
			at++
		case x&0x8000 == 0:
			v = x&0x7f | x>>1&0x3f80
			at += 2
		case last != 0:
			v = compact(x, last)
			at += bits.TrailingZeros64(last)>>3 + 1
		default:
			if v, at = uvarintSlow(b, at); at < 0 {
				u.added = -1
				return
			}
		}
		s[bits.TrailingZeros64(mask)] += int64(v>>1) ^ -int64(v&1) // zigzag
	}
	u.added = at
}

// next goes to the next row of whatever dim.
func (u *unpacker) next() bool {
	for !u.nextRow() {
		if !u.nextDim() {
			return false
		}
	}
	return true
}

func (u *unpacker) key() packKey { return packKey{u.dim, u.tagset, u.userText(u.user), u.hour} }

// merged goes through the rows of some packs, in order; rows with the same key
// are added up.
type merged struct {
	from []*unpacker // those with a row
	keys []packKey   // of these
	row  packRow
}

func mergePacks(packs [][]byte) (*merged, error) {
	m := &merged{}
	for _, p := range packs {
		u := &unpacker{}
		if err := u.open(p); err != nil {
			return nil, err
		}
		if u.next() {
			m.from, m.keys = append(m.from, u), append(m.keys, u.key())
		}
		if u.err != nil {
			return nil, u.err
		}
	}
	return m, nil
}

// next makes row the next one; false: there is none.
func (m *merged) next() (bool, error) {
	if len(m.from) == 0 {
		return false, nil
	}
	least := 0
	for i := range m.keys {
		if m.keys[i].compare(&m.keys[least]) < 0 {
			least = i
		}
	}
	m.row = packRow{packKey: m.keys[least]}
	for i := 0; i < len(m.from); i++ {
		for u := m.from[i]; m.keys[i] == m.row.packKey; m.keys[i] = u.key() {
			u.addTo(&m.row.sums)
			if u.next() {
				continue
			}
			if u.err != nil {
				return false, u.err
			}
			m.from, m.keys = slices.Delete(m.from, i, i+1), slices.Delete(m.keys, i, i+1)
			i--
			break
		}
	}
	return true, nil
}

// repack makes one pack of some.
func repack(packs [][]byte) ([]byte, error) {
	one, err := repackShards(packs, 1)
	if err != nil {
		return nil, err
	}
	return one[0], nil
}

// repackShards makes n packs of some, by the users that shardOf puts into each.
func repackShards(packs [][]byte, n int) ([][]byte, error) {
	m, err := mergePacks(packs)
	if err != nil {
		return nil, err
	}
	to := make([]*packer, n)
	for i := range to {
		to[i] = newPacker()
	}
	shards := map[string]int{}
	for {
		ok, err := m.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		at := 0
		if n > 1 {
			known := false
			if at, known = shards[m.row.user]; !known {
				at = shardOf(m.row.user)
				shards[m.row.user] = at
			}
		}
		to[at].add(&m.row.packKey, &m.row.sums)
	}
	out := make([][]byte, n)
	for i, p := range to {
		out[i] = p.bytes()
	}
	return out, nil
}
