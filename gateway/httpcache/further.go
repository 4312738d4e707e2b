package httpcache

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/shared"
)

// Share has the store ask a level that replicas share for what it does not have,
// and tell it what it keeps. It is called before the store is used.
func (s *Store) Share(l *shared.Level) { s.level = l }

// further is what a flight knows of the second level.
type further struct {
	mark shared.Mark
	turn []byte // what the resource was; see shared.Level.Change

	vary   []string // the request's headers by which answers are looked for first,
	values string   // and what they were
}

// Further asks the second level, for a flight of the caller's, for the entry at
// the first of the places that has one for a request. It is kept in memory. Where
// the answer has to be fetched after all, the flight's entry goes to that level.
func (s *Store) Further(f *Flight, vary []string, h *fasthttp.RequestHeader, places ...*Place) *Entry {
	if s.level == nil {
		return nil
	}
	mark := s.level.Mark() // before anything is read
	keys, given := []string{turnKey(places[0])}, ValuesOf(vary, h)
	for _, p := range places {
		keys = append(keys, entryKey(p, vary, given))
	}
	values, ok := s.level.Get(keys...)
	if !ok {
		return nil
	}
	f.further = further{mark, values[0], vary, given}
	for i, p := range places {
		e := s.valid(values[i+1], p, f.further.turn)
		if e != nil && e.Status == 0 { // it tells by which headers to look
			names := e.Vary
			list, ok := s.level.Get(entryKey(p, names, ValuesOf(names, h)))
			if !ok {
				return nil
			}
			if e = s.valid(list[0], p, f.further.turn); e != nil && !slices.Equal(e.Vary, names) {
				e = nil
			}
		}
		if e != nil && e.Status != 0 && e.Values == ValuesOf(e.Vary, h) {
			s.level.Count(true)
			s.put(e, f)
			return e
		}
	}
	s.level.Count(false)
	return nil
}

// valid reads an entry that is kept at a place; nil: there is none, or it must
// not be given any more.
func (s *Store) valid(value []byte, p *Place, turn []byte) *Entry {
	if value == nil {
		return nil
	}
	e, at, was := decode(value)
	if e == nil || e.Made.After(time.Now().Add(time.Minute)) || e.Space != p.Space || e.Host != p.Host || e.URI != p.URI || !bytes.Equal(was, turn) {
		return nil
	}
	e.Place = *p
	if s.level.Purged(at, func(q shared.Purge) bool { return covers(q, e) }) {
		return nil
	}
	return e
}

// covers tells whether a purge is of an entry.
func covers(p shared.Purge, e *Entry) bool {
	if p.Host != "" {
		return p.Host == e.Host && p.Key == e.URI
	}
	q, ok := SelectionOf(p)
	return ok && q.fits(e)
}

// SelectionOf is what a purge selects; false: nothing of routes.
func SelectionOf(p shared.Purge) (q Selection, ok bool) {
	return Selection{URI: p.Key, Prefix: p.Prefix, Tag: p.Tag}, p.Model == ""
}

// Changed forgets what is kept at a place, for whomever, in every replica: it has
// changed.
func (s *Store) Changed(p *Place) {
	if s.level != nil {
		s.level.Change(turnKey(p), p.Host, p.URI)
	}
	s.Forget(p) // last: what it was may have come from the other level just now
}

// Shared tells whether the store has a second level.
func (s *Store) Shared() bool { return s.level != nil }

// pass hands an entry on to the second level.
func (s *Store) pass(e *Entry, f *Flight) {
	ttl := e.Fresh - e.Terms.Age + max(e.Revalid, e.IfError)
	if e.Status == 0 || ttl <= 0 {
		return
	}
	if !slices.Equal(e.Vary, f.further.vary) {
		sign := &Entry{Place: e.Place, Vary: e.Vary, Tags: e.Tags}
		s.level.Put(f.further.mark, entryKey(&e.Place, f.further.vary, f.further.values), ttl, sign.Size(), func() ([]byte, error) { return encode(sign, f) })
	}
	s.level.Put(f.further.mark, entryKey(&e.Place, e.Vary, e.Values), ttl, e.Size(), func() ([]byte, error) { return encode(e, f) })
}

func entryKey(p *Place, vary []string, values string) string {
	return shared.Key("route", p.Space, p.Host, p.URI, strings.Join(vary, "\n"), values)
}

func turnKey(p *Place) string { return shared.Key("turn", p.Host, p.URI) }

// version is that of the form of values; whoever changes head raises it.
const version = 1

// head is an entry in the second level, beside its body. Text that may be no
// UTF-8 is bytes.
type head struct {
	Mark    string        `json:"mark"` // how much of the log of purges was known
	Turn    []byte        `json:"turn"`
	Space   []byte        `json:"space"`
	Host    []byte        `json:"host"`
	URI     []byte        `json:"uri"`
	Vary    []string      `json:"vary"`
	Values  []byte        `json:"values"`
	Tags    [][]byte      `json:"tags"`
	Status  int           `json:"status"` // 0: Vary alone is meant
	Header  [][2][]byte   `json:"header"`
	Size    int           `json:"size"` // of the body
	Made    time.Time     `json:"made"`
	Fresh   time.Duration `json:"fresh"`
	Age     time.Duration `json:"age"`
	Revalid time.Duration `json:"revalid"`
	IfError time.Duration `json:"if_error"`
	Must    bool          `json:"must"`
	Public  bool          `json:"public"`
}

func encode(e *Entry, f *Flight) ([]byte, error) {
	t := &e.Terms
	h := head{Mark: f.further.mark.ID.String(), Turn: f.further.turn, Space: []byte(e.Space), Host: []byte(e.Host), URI: []byte(e.URI), Vary: e.Vary,
		Values: []byte(e.Values), Status: e.Status, Size: len(e.Body), Made: e.Made,
		Fresh: t.Fresh, Age: t.Age, Revalid: t.Revalid, IfError: t.IfError, Must: t.Must, Public: t.Public}
	for _, tag := range e.Tags {
		h.Tags = append(h.Tags, []byte(tag))
	}
	for _, field := range e.Header {
		h.Header = append(h.Header, [2][]byte{[]byte(field.Name), []byte(field.Value)})
	}
	return shared.Pack(version, &h, e.Body)
}

// decode reads an entry, whose route is not told; nil: it is none.
func decode(value []byte) (e *Entry, at shared.ID, turn []byte) {
	var h head
	body, ok := shared.Unpack(value, version, &h)
	if !ok || len(body) != h.Size || h.Status != 0 && (h.Status < 200 || h.Status > 599) || min(h.Fresh, h.Age, h.Revalid, h.IfError) < 0 {
		return nil, at, nil
	}
	if at, ok = shared.ParseID(h.Mark); !ok {
		return nil, at, nil
	}
	e = &Entry{Place: Place{Space: string(h.Space), Host: string(h.Host), URI: string(h.URI)}, Vary: h.Vary, Values: string(h.Values), Status: h.Status, Body: bytes.Clone(body), Made: h.Made,
		Terms: Terms{Fresh: h.Fresh, Age: h.Age, Revalid: h.Revalid, IfError: h.IfError, Must: h.Must, Public: h.Public}}
	for _, tag := range h.Tags {
		e.Tags = append(e.Tags, string(tag))
	}
	for _, field := range h.Header {
		if len(field[0]) == 0 || bytes.ContainsAny(field[0], "\r\n\x00: ") || bytes.ContainsAny(field[1], "\r\n\x00") {
			return nil, at, nil
		}
		e.Header = append(e.Header, Field{string(field[0]), string(field[1])})
	}
	return e, at, h.Turn
}
