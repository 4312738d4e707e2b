package shared

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// lookTime is how often memcached is asked for purges by other replicas, for it
// tells of nothing by itself, and told of changes at this one.
const lookTime = 250 * time.Millisecond

// calmTime bounds what no call waits for.
const calmTime = time.Second

// mostInMemcached bounds a value there, by its limit of 1 MiB for an item with
// its name.
const mostInMemcached = 1<<20 - 1024

// countName is of a number that is another one after each purge: who has seen it
// need not read the log, whose name is logName.
const countName = "sluice:purges:count"

var errLost = errors.New("it has lost the log of purges, or a part that was not read")

// inMemcached is a link to memcached, where the log of purges is one item: see
// journal. All names of values have the log's epoch before them, so that none is
// found any more where the log was lost.
type inMemcached struct {
	level       *Level
	quick, calm *memcache.Client // for what a call waits for, and all else
	end         context.CancelFunc
	epoch       string

	reading sync.Mutex // over the log
	seen    string     // the count, before the log was read last

	changing sync.Mutex
	changes  []Purge // that the log has not been told
	over     bool    // it takes no more of them
}

// followMemcached makes a link and is up until memcached is away, or has lost the
// log. up tells whether it was.
func (l *Level) followMemcached(ctx context.Context) (up bool, err error) {
	m := &inMemcached{level: l, quick: memcache.New(l.o.Memcached), calm: memcache.New(l.o.Memcached)}
	m.quick.Timeout, m.quick.MaxIdleConns = askTime, 64
	m.calm.Timeout = calmTime
	defer m.quick.Close()
	defer m.calm.Close()
	ctx, m.end = context.WithCancel(ctx)
	defer m.end()
	if m.seen, err = m.count(); err != nil {
		return false, err
	}
	j, err := m.open()
	if err != nil {
		return false, fmt.Errorf("cannot read the log of purges: %w", err)
	}
	m.epoch = j.epoch
	s := &session{m, m.end}
	defer m.close()
	defer l.session.CompareAndSwap(s, nil)
	if err := l.begin(ctx, s, j.records()); err != nil {
		return false, err
	}
	tick := time.NewTicker(lookTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return true, errLost
		case <-tick.C:
			if err := m.look(); err != nil {
				return true, err
			}
		}
	}
}

// open reads the log, which it begins where there is none.
func (m *inMemcached) open() (journal, error) {
	for range 2 {
		it, err := m.calm.Get(logName)
		if err == nil {
			if j, ok := parseJournal(it.Value); ok {
				return j, nil
			}
			return journal{}, fmt.Errorf("%q is none", it.Value[:min(len(it.Value), 64)])
		}
		if !errors.Is(err, memcache.ErrCacheMiss) {
			return journal{}, err
		}
		begun := journal{epoch: rand.Text()[:16], first: 1}
		if err := m.calm.Add(&memcache.Item{Key: logName, Value: begun.text()}); err != nil && !errors.Is(err, memcache.ErrNotStored) {
			return journal{}, err
		}
	}
	return journal{}, errors.New("it is not there after it was begun")
}

// count is what the count is, which begins with the time, so that it is not what
// it was before it was lost.
func (m *inMemcached) count() (string, error) {
	for range 2 {
		it, err := m.calm.Get(countName)
		if err == nil {
			return string(it.Value), nil
		}
		if !errors.Is(err, memcache.ErrCacheMiss) {
			return "", err
		}
		if err := m.calm.Add(m.firstCount()); err != nil && !errors.Is(err, memcache.ErrNotStored) {
			return "", err
		}
	}
	return "", errors.New("the count of purges is not there after it was begun")
}

func (m *inMemcached) firstCount() *memcache.Item {
	return &memcache.Item{Key: countName, Value: strconv.AppendInt(nil, time.Now().UnixNano(), 10)}
}

// look tells of changes, and hears of purges. It has the log stay: what nobody
// asks for is forgotten for want of room.
func (m *inMemcached) look() error {
	m.changing.Lock()
	changes := m.changes
	m.changes = nil
	m.changing.Unlock()
	if len(changes) > 0 {
		if _, err := m.log(changes...); err != nil {
			m.changing.Lock()
			m.changes = append(changes, m.changes...)
			m.changing.Unlock()
			return err
		}
	}
	if err := m.calm.Touch(logName, 0); errors.Is(err, memcache.ErrCacheMiss) {
		return errLost
	} else if err != nil {
		return err
	}
	now, err := m.count()
	if err != nil {
		return err
	}
	return m.know(now)
}

// close leaves what was not told to the next link.
func (m *inMemcached) close() {
	m.changing.Lock()
	left := m.changes
	m.changes, m.over = nil, true
	m.changing.Unlock()
	for _, p := range left {
		m.level.postpone(p)
	}
}

// know reads the log, if it may tell more than was read: the count was this after
// something else was.
func (m *inMemcached) know(count string) error {
	m.reading.Lock()
	defer m.reading.Unlock()
	if count != "" && count == m.seen {
		return nil
	}
	now, err := m.count() // before the log: who writes it raises the count afterwards
	if err != nil {
		return err
	}
	it, err := m.calm.Get(logName)
	if errors.Is(err, memcache.ErrCacheMiss) {
		m.end()
		return errLost
	} else if err != nil {
		return err
	}
	j, ok := parseJournal(it.Value)
	if err := m.take(j, ok); err != nil {
		return err
	}
	m.seen = now
	return nil
}

// take carries out what a log tells that was not known.
func (m *inMemcached) take(j journal, ok bool) error {
	known := m.level.history.known().N
	if !ok || j.epoch != m.epoch || j.first > known+1 {
		m.end()
		return errLost
	}
	for _, r := range j.records() {
		if r.id.N > known {
			m.level.apply(r)
		}
	}
	return nil
}

// mostTries bounds how often a log is written anew because another replica was
// faster.
const mostTries = 100

// log writes purges into the log, and gives the id of the last.
func (m *inMemcached) log(list ...Purge) (ID, error) {
	m.reading.Lock()
	defer m.reading.Unlock()
	for range mostTries {
		it, err := m.calm.Get(logName)
		if errors.Is(err, memcache.ErrCacheMiss) {
			m.end()
			return ID{}, errLost
		} else if err != nil {
			return ID{}, err
		}
		j, ok := parseJournal(it.Value)
		if err := m.take(j, ok); err != nil { // before it is made shorter
			return ID{}, err
		}
		j.add(list)
		it.Value = j.text()
		err = m.calm.CompareAndSwap(it)
		if errors.Is(err, memcache.ErrCASConflict) {
			continue
		} else if err != nil {
			return ID{}, err
		}
		if err := m.take(j, true); err != nil {
			return ID{}, err
		}
		return ID{N: j.first + uint64(len(j.purges)) - 1}, m.raise()
	}
	return ID{}, errors.New("other replicas write into the log of purges all the time")
}

// raise makes the count another one.
func (m *inMemcached) raise() error {
	for range 2 {
		_, err := m.calm.Increment(countName, 1)
		if !errors.Is(err, memcache.ErrCacheMiss) {
			return err
		}
		if err = m.calm.Add(m.firstCount()); !errors.Is(err, memcache.ErrNotStored) {
			return err
		}
	}
	return errors.New("the count of purges comes and goes")
}

func (m *inMemcached) name(key string) string { return m.epoch + ":" + key }

// within waits for a question as long as ctx allows: the client has a bound for
// each step alone.
func within[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	type reply struct {
		is  T
		err error
	}
	told := make(chan reply, 1)
	go func() {
		is, err := ask()
		told <- reply{is, err}
	}()
	select {
	case r := <-told:
		return r.is, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// get asks for the count with the values, in the order of names: a purge that was
// told before is known when they are judged.
func (m *inMemcached) get(ctx context.Context, keys []string) ([][]byte, error) {
	return within(ctx, func() ([][]byte, error) {
		names := make([]string, 1, 1+len(keys))
		names[0] = countName
		for _, key := range keys {
			names = append(names, m.name(key))
		}
		items, err := m.quick.GetMulti(names)
		if err != nil {
			return nil, err
		}
		count := ""
		if it := items[countName]; it != nil {
			count = string(it.Value)
		}
		if err := m.know(count); err != nil {
			return nil, err
		}
		values := make([][]byte, len(keys))
		for i, name := range names[1:] {
			if it := items[name]; it != nil {
				values[i] = it.Value
			}
		}
		return values, nil
	})
}

func (m *inMemcached) put(ctx context.Context, list []item) (kept int) {
	for _, it := range list {
		if ctx.Err() != nil {
			break
		}
		if len(it.value) > mostInMemcached {
			continue
		}
		if m.calm.Set(&memcache.Item{Key: m.name(it.key), Value: it.value, Expiration: seconds(it.ttl)}) == nil {
			kept++
		}
	}
	return kept
}

// seconds is a time as memcached takes it: 0 would be for ever, and an answer says
// itself how long it is good.
func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

func (m *inMemcached) tell(ctx context.Context, p Purge) (id ID, replicas int64, err error) {
	id, err = m.record(ctx, p)
	return id, -1, err
}

func (m *inMemcached) record(ctx context.Context, p Purge) (ID, error) {
	return within(ctx, func() (ID, error) { return m.log(p) })
}

// change has the log told a little later, with others: they come far more often
// than purges.
func (m *inMemcached) change(ctx context.Context, turn string, p Purge) error {
	_, err := within(ctx, func() (struct{}, error) {
		return struct{}{}, m.quick.Set(&memcache.Item{Key: m.name(turn), Value: []byte(rand.Text()), Expiration: seconds(longest)})
	})
	if err != nil {
		return err
	}
	m.changing.Lock()
	defer m.changing.Unlock()
	switch {
	case m.over:
		return errLost
	case len(m.changes) >= mostPending:
		m.changes = append(m.changes[:0], Purge{})
	case !slices.Contains(m.changes, p):
		m.changes = append(m.changes, p)
	}
	return nil
}
