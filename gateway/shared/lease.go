package shared

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"sluice/billing/lease"
)

//go:embed lease.lua
var leaseText string

var leaseScript = rueidis.NewLuaScript(leaseText)

var errDown = errors.New("Redis is not in use")

// leaseTime bounds a question for permits: where it is not answered, more calls
// may come than should.
const leaseTime = 2 * askTime

// leaseName is what the names of limits begin with, budgetName those of budgets.
const (
	leaseName  = "sluice:limit:"
	budgetName = "sluice:budget:"
)

// Up tells whether Redis is there and in use.
func (l *Level) Up() bool { return l.session.Load() != nil }

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
func (l *Level) Lease(ctx context.Context, asks []lease.Ask) ([]lease.Answer, error) {
	s := l.session.Load()
	if s == nil {
		return nil, errDown
	}
	keys, args := make([]string, len(asks)), make(arguments, 0, 12*len(asks))
	for i := range asks {
		keys[i] = args.ask(&asks[i])
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTime)
	defer cancel()
	list, err := leaseScript.Exec(ctx, s.client, keys, args).AsIntSlice()
	if l.note(s, err); err != nil {
		return nil, err
	}
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
