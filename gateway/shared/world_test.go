package shared

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"sluice/billing"
	"sluice/billing/lease"
	"sluice/providers/schema"
)

// oneLedger is what all replicas of a test write to.
type oneLedger struct {
	billing.Ledger // what is not called
	mu             sync.Mutex
	entries        []billing.Entry
	known          map[string]bool
	away           atomic.Bool
}

func (l *oneLedger) Append(_ context.Context, entries []billing.Entry) error {
	if l.away.Load() {
		return errors.New("away")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if !l.known[e.Call] {
			l.known[e.Call] = true
			l.entries = append(l.entries, e)
		}
	}
	return nil
}

func (l *oneLedger) Usage(_ context.Context, q billing.Query) (*billing.Report, error) {
	if l.away.Load() {
		return nil, errors.New("away")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var sum billing.Sums
	for i := range l.entries {
		e := &l.entries[i]
		if q.Team != "" && e.Team != q.Team || q.KeyID != "" && e.KeyID != q.KeyID || e.Time.Before(q.From) || !q.To.IsZero() && !e.Time.Before(q.To) ||
			q.Only.User != "" && e.User != q.Only.User {
			continue
		}
		sum.USD += e.Cost
		sum.InputTokens += e.Usage.Input
		if e.Attempt == 0 {
			sum.Calls++
		}
	}
	return &billing.Report{Rows: []billing.Row{{Sums: sum, Values: make([]string, len(q.GroupBy))}}}, nil
}

func (l *oneLedger) sum() (usd int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.entries {
		usd += int64(l.entries[i].Cost)
	}
	return usd
}

// world is replicas that have one ledger, and what they spend.
type world struct {
	t       *testing.T
	redis   rueidis.ClientOption
	ledger  *oneLedger
	now     func() time.Time
	team    string
	budgets []billing.Budget
	calls   atomic.Int64

	mu          sync.Mutex
	spent, most int64
}

func newWorld(t *testing.T, now func() time.Time, budgets ...billing.Budget) *world {
	w := &world{t: t, redis: testRedis(t), ledger: &oneLedger{known: map[string]bool{}}, now: now, team: rand.Text(), budgets: budgets}
	w.most = int64(budgets[0].USD)
	return w
}

// note adds to what all have spent, as records tell.
func (w *world) note(usd int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.spent += usd; w.spent > w.most {
		w.t.Errorf("%d of %d are spent", w.spent, w.most)
	}
}

// member is a replica, which may be killed and started again.
type member struct {
	*world
	name string
	pipe *pipe // to Redis

	mu     sync.Mutex
	owner  *billing.Owner // nil: it does not run
	book   *billing.Book
	ledger billing.Ledger
	lender *Lender
	spool  []billing.Entry // on disk
	stop   func()
	life   int
}

func (w *world) member() *member {
	m := &member{world: w, name: rand.Text(), pipe: startPipe(w.t, w.redis.InitAddress[0])}
	m.start()
	w.t.Cleanup(func() { m.kill() })
	return m
}

func (m *member) start() {
	redis := m.redis
	redis.InitAddress = []string{m.pipe.addr}
	lender := NewLender(redis, slog.New(slog.DiscardHandler))
	alive := new(atomic.Bool)
	alive.Store(true)
	leases := lease.New(lease.Options{Replica: m.name, Lost: lender.Lost, Up: func() bool { return alive.Load() && lender.Up() },
		Exchange: func(ctx context.Context, asks []lease.Ask) ([]lease.Answer, error) {
			if !alive.Load() {
				return nil, errDown
			}
			return lender.Lease(ctx, asks)
		}})
	book := billing.NewBook(nil, m.now)
	book.Share(leases, m.world.ledger)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context){lender.Run, leases.Run, book.Follow} {
		running.Go(func() { run(ctx) })
	}
	v, err := book.Rebuild([]billing.Team{{Name: m.team, Budgets: m.budgets}}, []billing.Key{{ID: m.team + "1", Team: m.team, Name: "ci"}})
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	m.ledger, m.book, m.lender = book.Noting(m.world.ledger), book, lender
	m.stop = func() { alive.Store(false); cancel(); running.Wait() }
	m.mu.Unlock()
	soon(m.t, "up", func() bool {
		if !leases.Up() {
			return false
		}
		young, err := lender.client.Do(ctx, lender.client.B().Exists().Key(youngName).Build()).AsBool()
		return err == nil && !young
	})
	for m.move() != nil { // what the last one has left
		time.Sleep(time.Millisecond)
	}
	if err := book.Restore(context.Background(), m.ledger); err != nil {
		m.t.Error(err)
	}
	m.mu.Lock()
	m.owner = v.Key(m.team + "1")
	m.life++
	m.mu.Unlock()
}

// kill ends a replica that says nothing any more: what runs is recorded nowhere.
func (m *member) kill() {
	m.mu.Lock()
	stop := m.stop
	m.owner, m.stop = nil, nil
	m.life++
	m.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// move brings the spool into the ledger.
func (m *member) move() error {
	m.mu.Lock()
	list, ledger := m.spool, m.ledger
	m.spool = nil
	m.mu.Unlock()
	err := ledger.Append(context.Background(), list)
	if err != nil {
		m.mu.Lock()
		m.spool = append(list, m.spool...)
		m.mu.Unlock()
	}
	return err
}

// call makes a call that holds so much, and costs up to that.
func (m *member) call(usd, cost billing.Nano, takes time.Duration) *schema.Error {
	m.mu.Lock()
	owner, life := m.owner, m.life
	m.mu.Unlock()
	if owner == nil {
		return &schema.Error{Code: schema.CodeUnavailable}
	}
	at := m.clock()
	h, err := owner.Hold(billing.Need{USD: usd, MinUSD: usd, Tokens: 1, MinTokens: 1, Requests: 1})
	if err != nil {
		return err
	}
	time.Sleep(takes)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life != life {
		return nil // it was killed meanwhile
	}
	h.Settle(billing.Charge{USD: cost, Tokens: 1}, at)
	m.note(int64(cost))
	m.spool = append(m.spool, billing.Entry{Call: fmt.Sprint(m.calls.Add(1)), Time: at, Team: m.team, KeyID: m.team + "1", Cost: cost, Usage: schema.Usage{Input: 1}})
	return nil
}

func (w *world) clock() time.Time {
	if w.now == nil {
		return time.Now()
	}
	return w.now()
}

// correct gives money back, or takes more, as the admin API does.
func (m *member) correct(usd billing.Nano) {
	e := billing.Entry{Call: fmt.Sprint("c", m.calls.Add(1)), Attempt: billing.Correction, Time: m.clock(), Team: m.team, KeyID: m.team + "1", Cost: usd}
	m.mu.Lock()
	ledger, book := m.ledger, m.book
	m.mu.Unlock()
	if ledger.Append(context.Background(), []billing.Entry{e}) == nil {
		m.note(int64(usd))
		book.Correct(&e)
	}
}

// lose has Redis lose all that it knows of budgets.
func (w *world) lose() {
	c, err := rueidis.NewClient(w.redis)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	names, err := c.Do(w.t.Context(), c.B().Keys().Pattern(budgetName+"*").Build()).AsStrSlice()
	if err == nil {
		err = c.Do(w.t.Context(), c.B().Del().Key(append(names, markName)...).Build()).Error()
	}
	if err != nil {
		w.t.Error(err)
	}
}

// known waits until all replicas know what was spent, as the ledger has it.
func (w *world) known(all ...*member) {
	w.t.Helper()
	for _, m := range all {
		soon(w.t, "its spool is empty", func() bool { return m.move() == nil })
	}
	for i, m := range all {
		var got int64
		for range 300 {
			_ = m.call(1_000_000_000, 0, 0) // who asks is told
			if got = m.owner.Budgets(w.clock())[0].Spent; got == w.spent {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got != w.spent || w.ledger.sum() != w.spent {
			w.t.Errorf("replica %d knows of %d, the ledger of %d, spent are %d", i, got, w.ledger.sum(), w.spent)
		}
	}
}

// spendRest spends all that is left, to the last.
func (w *world) spendRest(m *member) {
	w.t.Helper()
	for left := w.most - w.spent; left > 0; {
		part := billing.Nano(max(left/2, 1))
		soon(w.t, fmt.Sprintf("of %d left, %d may be spent", left, part), func() bool { return m.call(part, part, 0) == nil })
		left -= int64(part)
	}
	if err := m.call(1, 1, 0); err == nil || err.Code != schema.CodeInsufficientQuota {
		w.t.Errorf("beyond the budget: %v", err)
	}
}
