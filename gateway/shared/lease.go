package shared

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"sluice/billing/lease"
)

//go:embed lease.lua
var leaseText string

var leaseScript = rueidis.NewLuaScript(leaseText)

var errDown = errors.New("the shared Redis is not in use")

// leaseTime bounds a question. It is long, for where one is not answered, more
// calls come than should; they do not wait so long.
const leaseTime = time.Second

// leaseName is what the names of limits begin with, budgetName those of budgets.
const (
	leaseName  = "sluice:limit:"
	budgetName = "sluice:budget:"
	// markName is of what is lost when all is: see Lender.Lost. youngName is there
	// for a while after, until every replica has said how it stands.
	markName  = "sluice:mark"
	youngName = "sluice:young"
)

// youngTime is longer than it takes until a replica looks, and tells what it holds.
const youngTime = 2 * againTime

var markScript = rueidis.NewLuaScript(`if redis.call('SETNX', KEYS[1], ARGV[1]) == 1 then
	redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
end
return redis.call('GET', KEYS[1])`)

// Lender asks Redis for permits of limits and parts of budgets. It has a connection
// of its own, so that it does not wait for what is kept, and is down until Run has
// made that.
type Lender struct {
	redis  rueidis.ClientOption
	log    *slog.Logger
	client rueidis.Client // set before up
	up     atomic.Bool
	mark   atomic.Pointer[string] // that Redis had; nil: it was not looked for
	lost   atomic.Int64
	odd    atomic.Bool // it has refused what was asked last, as was logged
}

// NewLender makes a lender, of what ParseURL gives.
func NewLender(redis rueidis.ClientOption, log *slog.Logger) *Lender {
	return &Lender{redis: bounded(redis), log: log}
}

// Up tells whether Redis was there when it was last asked.
func (l *Lender) Up() bool { return l.up.Load() }

// Lost counts how often Redis may have lost what it was told.
func (l *Lender) Lost() int64 { return l.lost.Load() }

// Run looks every second whether Redis is there, until ctx ends.
func (l *Lender) Run(ctx context.Context) {
	told := false // that it is not
	tick := time.NewTicker(againTime)
	defer tick.Stop()
	for {
		switch err := l.look(ctx); {
		case err == nil && !l.up.Load():
			told = false
			l.lost.Add(1) // it may have what it had long ago
			l.up.Store(true)
			l.log.Info("replicas share limits and hard budgets", "redis", l.redis.InitAddress[0], "database", l.redis.SelectDB)
		case err != nil && ctx.Err() == nil:
			if l.up.Store(false); !told {
				told = true
				l.log.Warn("the shared Redis cannot be used: replicas have limits of their own, and no more of hard budgets than they have been given", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			if l.up.Store(false); l.client != nil {
				l.client.Close()
			}
			return
		case <-tick.C:
		}
	}
}

// look asks Redis whether it is there, may be written to, and still knows what it
// was told; the client makes connections anew.
func (l *Lender) look(ctx context.Context) (err error) {
	if l.client == nil {
		if l.client, err = rueidis.NewClient(l.redis); err != nil {
			l.client = nil // and not one that is none
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTime)
	defer cancel()
	mark, err := markScript.Exec(ctx, l.client, []string{markName, youngName},
		[]string{rand.Text(), strconv.FormatInt(youngTime.Milliseconds(), 10)}).ToString()
	if err != nil {
		return err
	}
	if was := l.mark.Swap(&mark); was == nil || *was != mark {
		l.lost.Add(1)
	}
	return nil
}

// arguments are those of the script.
type arguments []string

func (a *arguments) add(numbers ...int64) {
	for _, n := range numbers {
		*a = append(*a, strconv.FormatInt(n, 10))
	}
}

// ask adds what is asked of one pool or slice, and tells its key.
func (a *arguments) ask(q *lease.Ask) (key string) {
	if b := q.Slice; b != nil {
		former := ""
		if b.Carry > 0 {
			former = budgetName + b.Former
		}
		*a = append(*a, "slice", b.Replica, former)
		a.add(b.Spent, b.Base, b.Need, b.Extra, b.Limit, b.Carry, b.Before, number(b.InUse), b.Kept.Milliseconds(), b.Span.Microseconds(), b.Term.Microseconds())
		a.common(&b.Common)
		return budgetName + q.Name
	}
	*a = append(*a, "pool")
	a.add(q.Width.Microseconds(), q.Slots, q.Limit, q.Burst, q.Need, q.Least, q.Extra, int64(len(q.Back)))
	for _, c := range q.Back {
		a.add(c.Slot, c.By)
	}
	return leaseName + q.Name
}

// common adds what is said of a ledger of all replicas, if there is one.
func (a *arguments) common(c *lease.Common) {
	if !c.Shared {
		a.add(0)
		return
	}
	a.add(1)
	*a = append(*a, c.Owner)
	a.add(c.Claim, c.ClaimBefore, c.Turn, number(c.Sure), number(c.Reading != nil))
	if r := c.Reading; r != nil {
		a.add(r.Version, r.Base, r.Before, number(r.Exact))
	}
}

func number(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// Lease takes and gives back permits of limits and parts of budgets, all in one
// command.
func (l *Lender) Lease(ctx context.Context, asks []lease.Ask) ([]lease.Answer, error) {
	if !l.Up() {
		return nil, errDown
	}
	keys, args := make([]string, len(asks)), make(arguments, 0, 1+14*len(asks))
	mark := ""
	if m := l.mark.Load(); m != nil {
		mark = *m
	}
	args = append(args, mark)
	for i := range asks {
		keys[i] = args.ask(&asks[i])
	}
	within, cancel := context.WithTimeout(ctx, leaseTime)
	defer cancel()
	list, err := leaseScript.Exec(within, l.client, keys, args).AsIntSlice()
	if err != nil {
		l.failed(ctx, err)
		return nil, err
	}
	l.odd.Store(false)
	const figures = 10
	if len(list) != figures*len(asks) {
		return nil, fmt.Errorf("the script gave %d numbers for %d questions", len(list), len(asks))
	}
	answers := make([]lease.Answer, len(asks))
	for i := range answers {
		n := list[figures*i:]
		in := func(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
		if asks[i].Slice != nil {
			base := lease.Base{Version: n[4], Claims: n[5], ClaimsBefore: n[6], Open: n[7]&1 > 0, Exact: n[7]&2 > 0, Taken: n[7]&4 > 0, Young: n[7]&8 > 0, Age: in(n[8]), Turn: n[9]}
			answers[i] = lease.Answer{Room: n[3], Slice: lease.Share{Ceiling: n[0], Others: n[1], Before: n[2], Base: base}}
			continue
		}
		answers[i] = lease.Answer{Counted: n[0], Free: n[1], Slot: n[2], Left: in(n[3]), Room: n[4], Wait: in(n[5]), Full: in(n[6])}
	}
	return answers, nil
}

// failed notes that a question failed. Where Redis does not answer, it is let
// alone until it is found again.
func (l *Lender) failed(ctx context.Context, err error) {
	const then = ": replicas have limits of their own, and no more of hard budgets than they have been given"
	_, answered := rueidis.IsRedisErr(err)
	switch {
	case answered && !l.odd.Swap(true):
		l.log.Warn("the shared Redis refuses what is asked of it"+then, "error", err)
	case !answered && ctx.Err() == nil && l.up.CompareAndSwap(true, false):
		l.log.Warn("the shared Redis does not answer"+then, "error", err)
	}
}
