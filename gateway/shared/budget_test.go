package shared

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/billing"
	"sluice/billing/lease"
	"sluice/providers/schema"
)

// owner makes a team with budgets, as a replica sees it.
func owner(t *testing.T, leases *lease.Broker, now func() time.Time, team string, budgets ...billing.Budget) *billing.Owner {
	t.Helper()
	_, o := book(t, leases, now, team, budgets...)
	return o
}

// book is owner with the book.
func book(t *testing.T, leases *lease.Broker, now func() time.Time, team string, budgets ...billing.Budget) (*billing.Book, *billing.Owner) {
	t.Helper()
	b := billing.NewBook(nil, now)
	b.Share(leases, nil)
	v, err := b.Rebuild([]billing.Team{{Name: team, Budgets: budgets}}, []billing.Key{{ID: team + "1", Team: team, Name: "ci"}})
	if err != nil {
		t.Fatal(err)
	}
	return b, v.Key(team + "1")
}

// spend makes a call that costs all that it holds.
func spend(o *billing.Owner, usd billing.Nano) *schema.Error {
	h, err := o.Hold(billing.Need{USD: usd, MinUSD: usd, Tokens: 1, MinTokens: 1, Requests: 1})
	if err == nil {
		h.Settle(billing.Charge{USD: usd, Tokens: 1}, time.Now())
	}
	return err
}

// Three replicas that hold, grow and settle at random never spend more than a
// hard budget of all, and in the end nearly all of it.
func TestRedisBudget(t *testing.T) {
	o, team := testRedis(t), rand.Text()
	const limit = 1_000_000
	budgets := []billing.Budget{{USD: limit, Per: billing.PeriodTotal, Hard: true}, {Requests: 100_000, Per: "30d", Hard: true}}
	var spent, refused atomic.Int64
	var calls sync.WaitGroup
	for range 3 {
		caller := owner(t, lend(t, o), nil, team, budgets...)
		for range 10 {
			calls.Go(func() {
				for refused.Load() < 60 && !t.Failed() {
					h, err := caller.Hold(billing.Need{USD: 1 + billing.Nano(mathrand.Int64N(5000)), MinUSD: 1, Tokens: 10, Requests: 1})
					if err != nil {
						if err.Code == schema.CodeInsufficientQuota {
							refused.Add(1)
						}
						time.Sleep(time.Millisecond)
						continue
					}
					time.Sleep(time.Duration(mathrand.Int64N(int64(2 * time.Millisecond))))
					if mathrand.IntN(4) == 0 {
						_ = h.Grow(billing.Need{USD: 100})
					}
					cost := billing.Nano(mathrand.Int64N(int64(h.USD()) + 1))
					if now := spent.Add(int64(cost)); now > limit {
						t.Errorf("%d of %d are spent", now, limit)
					}
					h.Settle(billing.Charge{USD: cost, Tokens: 5}, time.Now())
				}
			})
		}
	}
	calls.Wait()
	if spent.Load() < limit*95/100 {
		t.Errorf("only %d of %d are spent", spent.Load(), limit)
	}
	late := owner(t, lend(t, o), nil, team, budgets...)
	for left := int64(limit) - spent.Load(); left > 0; {
		part := max(left/2, 1)
		soon(t, "the rest may be spent", func() bool { return spend(late, billing.Nano(part)) == nil })
		left -= part
	}
	if err := spend(late, 1); err == nil || err.Code != schema.CodeInsufficientQuota {
		t.Errorf("beyond the budget: %v", err)
	}
	if s := late.Budgets(time.Now())[0]; s.Spent != limit || s.Remaining != 0 {
		t.Errorf("%+v", s)
	}
}

// What a replica that is gone has spent stays spent, what it held comes back when
// its term is over; when it is there again, what its ledger says counts once.
func TestRedisBudgetGone(t *testing.T) {
	o, team, name := testRedis(t), rand.Text(), rand.Text()
	p := startPipe(t, o.InitAddress[0])
	through := o
	through.InitAddress = []string{p.addr}
	const term = 2 * time.Second
	budget := billing.Budget{USD: 100, Per: billing.PeriodTotal, Hard: true}
	lent, gone := lendFor(t, through, name, term)
	first := owner(t, lent, nil, team, budget)
	lent, _ = lendFor(t, o, rand.Text(), term)
	other := owner(t, lent, nil, team, budget)
	if err := spend(first, 30); err != nil {
		t.Fatal(err)
	}
	running, err := first.Hold(billing.Need{USD: 50, MinUSD: 50, Requests: 1})
	if err != nil {
		t.Fatal(err)
	}
	p.cut()
	soon(t, "down", func() bool { return !gone.Up() })
	if err := spend(other, 40); err == nil || err.Code != schema.CodeInsufficientQuota {
		t.Errorf("of 100, 80 are spent or held, and 40 more: %v", err)
	}
	if err := spend(first, 40); err == nil || err.Code != schema.CodeUnavailable || err.Status != 503 {
		t.Errorf("more than is the replica's own, without Redis: %v", err)
	}
	soon(t, "what was held comes back", func() bool { return spend(other, 40) == nil })
	if err := spend(other, 40); err == nil {
		t.Error("what was spent came back")
	}
	running.Settle(billing.Charge{USD: 10}, time.Now())

	lent, _ = lendFor(t, o, name, term)
	ledger, again := book(t, lent, nil, team, budget)
	ledger.Correct(&billing.Entry{KeyID: team + "1", Team: team, Cost: 40, Time: time.Now()}) // what its ledger says
	if err := spend(again, 21); err == nil {
		t.Error("110 of 100 are spent")
	}
	soon(t, "the last 20 may be spent", func() bool { return spend(again, 20) == nil })
}

// What the window before has left over is that of all replicas.
func TestRedisCarryOver(t *testing.T) {
	o, team := testRedis(t), rand.Text()
	budget := billing.Budget{USD: 100, Per: billing.PeriodHour, Hard: true, CarryOver: true}
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	a, b := owner(t, lend(t, o), now, team, budget), owner(t, lend(t, o), now, team, budget)
	use := func(o *billing.Owner, usd billing.Nano) bool {
		h, err := o.Hold(billing.Need{USD: usd, MinUSD: usd, Requests: 1})
		if err == nil {
			h.Settle(billing.Charge{USD: usd}, now())
		}
		return err == nil
	}
	if !use(a, 60) || !use(b, 10) {
		t.Fatal("refused within the budget")
	}
	if use(b, 40) {
		t.Error("110 of 100 are spent")
	}
	ahead.Add(int64(time.Hour)) // 30 are left over
	if use(a, 131) || !use(a, 100) || use(b, 31) {
		t.Error("more is carried over than was left")
	}
	soon(t, "what was left over may be spent", func() bool { return use(b, 30) })
	if use(a, 1) || use(b, 1) {
		t.Error("131 of 130 are spent")
	}
}

// Where Redis loses its data, replicas that do nothing tell what they have spent.
func TestRedisBudgetLost(t *testing.T) {
	o, team := testRedis(t), rand.Text()
	budget := billing.Budget{USD: 100_000, Per: billing.PeriodTotal, Hard: true}
	lent, lender := lendFor(t, o, rand.Text(), time.Hour) // so that nothing is told for its time
	if err := spend(owner(t, lent, nil, team, budget), 61_803); err != nil {
		t.Fatal(err)
	}
	redis := lender.client
	budgets := func() []string {
		names, err := redis.Do(t.Context(), redis.B().Keys().Pattern(budgetName+"*").Build()).AsStrSlice()
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	told := func() bool {
		return slices.ContainsFunc(budgets(), func(name string) bool {
			sums, err := redis.Do(t.Context(), redis.B().Hvals().Key(name).Build()).AsStrSlice()
			return err == nil && len(sums) == 1 && strings.HasPrefix(sums[0], "61803 ")
		})
	}
	soon(t, "it is told", told)
	if err := redis.Do(t.Context(), redis.B().Del().Key(append(budgets(), markName)...).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	soon(t, "it is told anew", told)
	if err := spend(owner(t, lend(t, o), nil, team, budget), 38_198); err == nil || err.Code != schema.CodeInsufficientQuota {
		t.Errorf("100,001 of 100,000 are spent: %v", err)
	}
}
