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
	// markName is of what is lost when all is: see Lender.Lost.
	markName = "sluice:mark"
)

// Lender asks Redis for permits of limits and parts of budgets. It has a connection
// of its own, so that it does not wait for what is kept, and is down until Run has
// made that.
type Lender struct {
	redis  rueidis.ClientOption
	log    *slog.Logger
	client rueidis.Client // set before up
	up     atomic.Bool
	mark   string // that Redis had
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
		case err == nil && !l.up.Swap(true):
			told = false
			l.lost.Add(1) // it may have what it had long ago
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
	answers := l.client.DoMulti(ctx,
		l.client.B().Setnx().Key(markName).Value(rand.Text()).Build(),
		l.client.B().Get().Key(markName).Build())
	if err := answers[0].Error(); err != nil {
		return err
	}
	mark, err := answers[1].ToString()
	if err == nil && mark != l.mark {
		l.mark = mark
		l.lost.Add(1)
	}
	return err
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
		former, used := "", int64(0)
		if b.Carry > 0 {
			former = budgetName + b.Former
		}
		if b.InUse {
			used = 1
		}
		*a = append(*a, "slice", b.Replica, former)
		a.add(b.Spent, b.Base, b.Need, b.Extra, b.Limit, b.Carry, b.Before, used, b.Kept.Milliseconds(), b.Span.Microseconds(), b.Term.Microseconds())
		return budgetName + q.Name
	}
	*a = append(*a, "pool")
	a.add(q.Width.Microseconds(), q.Slots, q.Limit, q.Burst, q.Need, q.Least, q.Extra, int64(len(q.Back)))
	for _, c := range q.Back {
		a.add(c.Slot, c.By)
	}
	return leaseName + q.Name
}

// Lease takes and gives back permits of limits and parts of budgets, all in one
// command.
func (l *Lender) Lease(ctx context.Context, asks []lease.Ask) ([]lease.Answer, error) {
	if !l.Up() {
		return nil, errDown
	}
	keys, args := make([]string, len(asks)), make(arguments, 0, 12*len(asks))
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
	const figures = 7
	if len(list) != figures*len(asks) {
		return nil, fmt.Errorf("the script gave %d numbers for %d questions", len(list), len(asks))
	}
	answers := make([]lease.Answer, len(asks))
	for i := range answers {
		n := list[figures*i:]
		if asks[i].Slice != nil {
			answers[i] = lease.Answer{Room: n[3], Slice: lease.Share{Ceiling: n[0], Others: n[1], Before: n[2]}}
			continue
		}
		in := func(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
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
