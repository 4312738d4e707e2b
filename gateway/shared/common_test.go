package shared

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// Whatever happens to replicas with one ledger, they never spend more than a hard
// budget, and in the end all of it: some are killed and start again, or cut off from
// Redis, the ledger is late or away, Redis loses what it had, and money is given back.
func TestRedisOneLedger(t *testing.T) {
	for round, what := range []string{"kill", "kill move", "kill move correct", "kill away correct", "kill cut correct", "move lose correct"} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, nil, billing.Budget{USD: 800_000, Per: billing.Period([]string{"total", "month", "30d"}[round%3]), Hard: true})
			all := []*member{w.member(), w.member(), w.member()}
			var running sync.WaitGroup
			ctx, cancel := context.WithCancel(t.Context())
			var refused atomic.Int64
			for i := range 12 {
				running.Go(func() {
					for ctx.Err() == nil {
						usd := 1 + mathrand.Int64N(300)
						if err := all[i%3].call(billing.Nano(usd), billing.Nano(mathrand.Int64N(usd+1)), time.Duration(mathrand.IntN(8))*time.Millisecond); err != nil {
							if err.Code == schema.CodeInsufficientQuota {
								refused.Add(1)
							}
							time.Sleep(time.Millisecond)
						}
					}
				})
			}
			chaos := strings.Fields(what)
			for end := time.Now().Add(6 * time.Second); time.Now().Before(end) && refused.Load() < 200; {
				time.Sleep(time.Duration(mathrand.IntN(60)) * time.Millisecond)
				m := all[mathrand.IntN(3)]
				_ = m.move()
				if mathrand.IntN(3) > 0 {
					continue
				}
				switch chaos[mathrand.IntN(len(chaos))] {
				case "kill":
					m.kill()
					m.pipe.mend()
					time.Sleep(time.Duration(mathrand.IntN(300)) * time.Millisecond)
					m.start()
				case "correct":
					m.correct(-billing.Nano(mathrand.Int64N(100)))
				case "away":
					w.ledger.away.Store(true)
					time.AfterFunc(time.Duration(mathrand.IntN(500))*time.Millisecond, func() { w.ledger.away.Store(false) })
				case "cut":
					m.pipe.cut()
					time.AfterFunc(time.Duration(mathrand.IntN(900))*time.Millisecond, m.pipe.mend)
				case "lose":
					w.lose()
				}
			}
			cancel()
			running.Wait()
			soon(t, "the ledger is there", func() bool { return !w.ledger.away.Load() })
			for _, m := range all {
				m.pipe.mend()
			}
			t.Logf("%d calls, %d refused, %d of %d spent", w.calls.Load(), refused.Load(), w.spent, w.most)
			w.spendRest(all[round%3])
			w.known(all...)
		})
	}
}

// A window that begins, the one before, and what that has left over are those of
// all, though replicas start again and Redis loses what it had.
func TestRedisOneLedgerTurns(t *testing.T) {
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	w := newWorld(t, now, billing.Budget{USD: 100, Per: billing.PeriodHour, Hard: true, CarryOver: true})
	a, b, c := w.member(), w.member(), w.member()
	use := func(m *member, usd billing.Nano) bool { return m.call(usd, usd, 0) == nil }
	if !use(a, 60) || !use(b, 10) || use(c, 40) {
		t.Fatal("not what there is")
	}
	if a.move() != nil || b.move() != nil {
		t.Fatal("the ledger is away")
	}
	b.kill()
	ahead.Add(int64(time.Hour)) // 30 are left over
	w.most, w.spent = 130, 0
	if use(a, 131) || !use(a, 80) {
		t.Error("not what was left over")
	}
	b.start()
	if use(b, 51) || !use(b, 20) {
		t.Error("not what is left after a start")
	}
	for range 20 { // what was spent in the window before stays the same, however often it is told
		if use(a, 1000) || use(c, 1000) {
			t.Error("more than there is")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !use(b, 2) || !use(c, 2) {
		t.Error("less is left over than was")
	}
	w.lose()
	soon(t, "it is known that Redis has lost it", func() bool { return use(c, 6) })
	if use(a, 21) || use(b, 21) || use(c, 21) {
		t.Error("more than is left when all was lost")
	}
	soon(t, "the rest may be spent", func() bool { return use(c, 20) })
	if use(a, 1) || use(b, 1) {
		t.Error("131 of 130 are spent")
	}
	ahead.Add(int64(time.Hour)) // nothing is left over
	w.most, w.spent = 100, 0
	soon(t, "another window", func() bool { return use(b, 100) })
	if use(a, 1) || use(c, 1) {
		t.Error("101 of 100 are spent")
	}
}

// What leaves a rolling window comes back to all.
func TestRedisOneLedgerRolls(t *testing.T) {
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	w := newWorld(t, now, billing.Budget{USD: 100, Per: "1d", Hard: true})
	a, b := w.member(), w.member()
	use := func(m *member, usd billing.Nano) bool { return m.call(usd, usd, 0) == nil }
	if !use(a, 60) || a.move() != nil {
		t.Fatal("not what there is")
	}
	a.kill()
	a.start() // of what it has spent the ledger alone tells
	ahead.Add(int64(time.Hour))
	soon(t, "it is known what is left an hour later", func() bool { return use(b, 30) })
	if use(a, 11) || use(b, 11) || b.move() != nil {
		t.Error("101 of 100 are spent")
	}
	ahead.Add(int64(24 * time.Hour)) // and a moment: the first 60 have left it
	w.spent = 30
	soon(t, "what was spent comes back", func() bool {
		return !use(b, 1000) && use(a, 70) // who asks says how it stands
	})
	if use(a, 1) || use(b, 1) {
		t.Error("more than was spent comes back")
	}
}

// A limit of all is exact beside it, and a budget that is changed, or made while
// calls run, holds for all.
func TestRedisOneLedgerChanges(t *testing.T) {
	w := newWorld(t, nil, billing.Budget{USD: 100, Per: billing.PeriodMonth, Hard: true})
	a, b := w.member(), w.member()
	use := func(m *member, usd billing.Nano) bool { return m.call(usd, usd, 0) == nil }
	change := func(m *member, budgets ...billing.Budget) {
		v, err := m.book.Rebuild([]billing.Team{{Name: w.team, Budgets: budgets}}, []billing.Key{{ID: w.team + "1", Team: w.team, Name: "ci"}})
		if err == nil {
			err = m.move()
		}
		if err == nil {
			err = m.book.Restore(t.Context(), m.ledger)
		}
		if err != nil {
			t.Fatal(err)
		}
		m.owner = v.Key(w.team + "1")
	}
	if !use(a, 40) || !use(b, 40) || use(a, 40) {
		t.Fatal("not what there is")
	}
	more := billing.Budget{USD: 150, Per: billing.PeriodMonth, Hard: true}
	w.most = 150
	change(a, more)
	change(b, more)
	soon(t, "more may be spent", func() bool { return use(a, 40) })
	if use(b, 40) {
		t.Error("160 of 150 are spent")
	}
	calls := billing.Budget{Requests: 5, Per: billing.PeriodTotal, Hard: true} // of which there were three
	change(a, more, calls)
	change(b, more, calls)
	if err := a.move(); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*member{a, b} { // what was on its way may have counted twice
		soon(t, "two more may be made", func() bool { return use(m, 1) })
	}
	if use(a, 1) || use(b, 1) {
		t.Error("more than five requests are made")
	}
}

// A replica that is gone for long, of which the ledger has all, is forgotten: what
// it has spent is the ledger's to tell.
func TestRedisOneLedgerForgets(t *testing.T) {
	w := newWorld(t, nil, billing.Budget{USD: 100, Per: billing.PeriodTotal, Hard: true})
	a, gone, held := w.member(), rand.Text()+".x.1", rand.Text()+".x.1"
	if err := a.call(10, 10, 0); err != nil {
		t.Fatal(err)
	}
	soon(t, "it is in the ledger", func() bool { return a.move() == nil })
	w.ledger.entries = append(w.ledger.entries, billing.Entry{Call: "x", Team: w.team, KeyID: w.team + "1", Cost: 30, Time: time.Now()})
	redis := a.lender.client
	var key string
	soon(t, "the budget is in Redis", func() bool {
		names, _ := redis.Do(t.Context(), redis.B().Keys().Pattern(budgetName+"*").Build()).AsStrSlice()
		for _, name := range names {
			if fields, _ := redis.Do(t.Context(), redis.B().Hgetall().Key(name).Build()).AsStrMap(); slicesOf(fields, a.name+".") {
				key = name
			}
		}
		return key != ""
	})
	old := fmt.Sprint(time.Now().Add(-2 * time.Hour).UnixMicro())
	if err := redis.Do(t.Context(), redis.B().Hset().Key(key).FieldValue().FieldValue(gone, "20 20 "+old+" 20 0").FieldValue(held, "10 10 "+old+" 5 0").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	_ = a.call(1000, 0, 0)
	soon(t, "it is forgotten", func() bool {
		fields, err := redis.Do(t.Context(), redis.B().Hgetall().Key(key).Build()).AsStrMap()
		return err == nil && fields[gone] == "" && fields[held] != ""
	})
	w.spent = 40
	if a.call(61, 61, 0) == nil {
		t.Error("what it has spent is forgotten too")
	}
	soon(t, "what is left may be spent", func() bool { return a.call(60, 60, 0) == nil })
	if a.call(1, 1, 0) == nil {
		t.Error("more than is left is spent")
	}
}

// slicesOf tells whether a slice of a replica is among fields.
func slicesOf(fields map[string]string, owner string) bool {
	for name := range fields {
		if strings.HasPrefix(name, owner) {
			return true
		}
	}
	return false
}
