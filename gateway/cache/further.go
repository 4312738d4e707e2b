package cache

import (
	"bytes"
	"time"

	"sluice/billing"
	"sluice/gateway/shared"
	"sluice/providers/dialect"
)

// Share has the store ask a level that replicas share for what it does not have,
// and tell it what it keeps; answers are in these dialects. It is called before
// the store is used. The Index knows nothing of that level: there, answers are
// found by their keys alone.
func (s *Store) Share(l *shared.Level, dialects ...*dialect.Dialect) {
	s.level, s.dialects = l, dialects
}

// Mark goes with what is asked for from now on; see PutFurther.
func (s *Store) Mark() shared.Mark {
	if s.level == nil {
		return shared.Mark{}
	}
	return s.level.Mark()
}

// Further is Get of the second level: what it finds is kept in memory, if Purges
// still is purges. whose stands for all that a key does not tell and replicas
// must have in common.
func (s *Store) Further(key Key, whose string, ttl time.Duration, now time.Time, purges int64) *Answer {
	if s.level == nil {
		return nil
	}
	values, ok := s.level.Get(furtherKey(key, whose))
	if !ok {
		return nil
	}
	a, at := s.decode(values[0], whose)
	if a == nil || a.Key != key || !a.Fresh(ttl, now) || a.Made.After(now.Add(time.Minute)) ||
		s.level.Purged(at, func(p shared.Purge) bool { q, ok := SelectionOf(p); return ok && q.fits(a) }) {
		s.level.Count(false)
		return nil
	}
	s.level.Count(true)
	s.Put(a, purges)
	return a
}

// PutFurther hands an answer on to the second level, which was asked for when
// Mark was mark.
func (s *Store) PutFurther(a *Answer, whose string, mark shared.Mark) {
	if s.level != nil {
		s.level.Put(mark, furtherKey(a.Key, whose), a.Until.Sub(a.Made), a.Size(), func() ([]byte, error) { return encode(a, whose, mark) })
	}
}

// SelectionOf is what a purge selects; false: nothing of models.
func SelectionOf(p shared.Purge) (q Selection, ok bool) {
	return Selection{Key: p.Key, Prefix: p.Prefix, Model: p.Model, Tag: p.Tag}, p.Host == ""
}

func furtherKey(key Key, whose string) string {
	return shared.Key("model", key.Name, key.Model, whose)
}

// version is that of the form of values; whoever changes head raises it.
const version = 1

// head is an answer in the second level, beside its body. Text that may be no
// UTF-8 is bytes.
type head struct {
	Mark    string    `json:"mark"` // how much of the log of purges was known
	Name    []byte    `json:"name"`
	Model   []byte    `json:"model"`
	Whose   []byte    `json:"whose"`
	Tags    [][]byte  `json:"tags"`
	Dialect string    `json:"dialect"`
	Size    int       `json:"size"` // of the body
	Target  []byte    `json:"target"`
	Cost    int64     `json:"cost"` // in billing.Nano
	Made    time.Time `json:"made"`
	Until   time.Time `json:"until"`
}

func encode(a *Answer, whose string, mark shared.Mark) ([]byte, error) {
	h := head{Mark: mark.ID.String(), Name: []byte(a.Key.Name), Model: []byte(a.Key.Model), Whose: []byte(whose), Dialect: a.Dialect.Name,
		Size: len(a.Body), Target: []byte(a.Target), Cost: int64(a.Cost), Made: a.Made, Until: a.Until}
	for _, tag := range a.Tags {
		h.Tags = append(h.Tags, []byte(tag))
	}
	return shared.Pack(version, &h, a.Body)
}

// decode reads an answer; nil: it is none, or another's.
func (s *Store) decode(value []byte, whose string) (a *Answer, at shared.ID) {
	var h head
	body, ok := shared.Unpack(value, version, &h)
	if !ok || len(body) != h.Size || h.Cost < 0 || string(h.Whose) != whose {
		return nil, at
	}
	if at, ok = shared.ParseID(h.Mark); !ok {
		return nil, at
	}
	a = &Answer{Key: Key{Name: string(h.Name), Model: string(h.Model)}, Body: bytes.Clone(body), Target: string(h.Target), Cost: billing.Nano(h.Cost), Made: h.Made, Until: h.Until}
	for _, tag := range h.Tags {
		a.Tags = append(a.Tags, string(tag))
	}
	for _, d := range s.dialects {
		if d.Name == h.Dialect {
			a.Dialect = d
			return a, at
		}
	}
	return nil, at // of a later version
}
