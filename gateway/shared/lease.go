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

// leaseName is what the names of limits begin with.
const leaseName = "sluice:limit:"

// Up tells whether Redis is there and in use.
func (l *Level) Up() bool { return l.session.Load() != nil }

// Lease takes and gives back permits of limits, all in one command.
func (l *Level) Lease(ctx context.Context, asks []lease.Ask) ([]lease.Answer, error) {
	s := l.session.Load()
	if s == nil {
		return nil, errDown
	}
	keys, args := make([]string, len(asks)), make([]string, 0, 10*len(asks))
	add := func(n int64) { args = append(args, strconv.FormatInt(n, 10)) }
	for i := range asks {
		a := &asks[i]
		keys[i] = leaseName + a.Name
		for _, n := range [...]int64{a.Width.Microseconds(), a.Slots, a.Limit, a.Burst, a.Need, a.Least, a.Extra, int64(len(a.Back))} {
			add(n)
		}
		for _, c := range a.Back {
			add(c.Slot)
			add(c.By)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTime)
	defer cancel()
	list, err := leaseScript.Exec(ctx, s.client, keys, args).AsIntSlice()
	if l.note(s, err); err != nil {
		return nil, err
	}
	const figures = 7
	if len(list) != figures*len(asks) {
		return nil, fmt.Errorf("the script gave %d numbers for %d limits", len(list), len(asks))
	}
	answers := make([]lease.Answer, len(asks))
	for i := range answers {
		n := list[figures*i:]
		in := func(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
		answers[i] = lease.Answer{Counted: n[0], Free: n[1], Slot: n[2], Left: in(n[3]), Room: n[4], Wait: in(n[5]), Full: in(n[6])}
	}
	return answers, nil
}
