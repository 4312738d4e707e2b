package billing

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"
)

const (
	// claimTime is longer than all tries of a warning take: who has not said by then
	// what became of it has been killed.
	claimTime = 2 * time.Minute
	// claimAgain is how often it is looked whether another has posted it.
	claimAgain = time.Second
	// rollingAgain is how long a level of a rolling budget, which has no periods, is
	// not warned of again.
	rollingAgain = time.Hour
)

// posted is kept where a warning was posted. Else it is a claim.
var posted = []byte("posted")

// once posts a warning that no other replica has posted, or is about to. One that
// another has claimed is looked at again, until that has said that it is posted, or
// is late.
func (w *Warnings) once(ctx context.Context, hook *Webhook, s BudgetStatus) {
	if w.told == nil {
		w.deliver(ctx, hook, s)
		return
	}
	id, until := warningOf(&s, time.Now())
	claim := []byte("claim " + rand.Text())
	mine, done, err := w.claim(ctx, id, claim)
	switch {
	case err != nil: // who cannot ask tells: twice is better than never
		w.log.Warn("it is not known whether another replica posts a budget's warning", "owner", s.Owner.String(), "error", err)
		w.deliver(ctx, hook, s)
	case done:
	case !mine:
		time.AfterFunc(claimAgain, func() {
			select {
			case w.queue <- s:
			default: // as in Tell: the log has it
			}
		})
	case w.deliver(ctx, hook, s):
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTime/20)
		defer cancel()
		if _, err := w.told.SwapReplay(ctx, id, until, claim, posted); err != nil {
			w.log.Warn("it is not known to other replicas that a budget's warning was posted", "owner", s.Owner.String(), "error", err)
		}
	}
}

// claim tells others that this replica posts a warning; done: it is posted.
func (w *Warnings) claim(ctx context.Context, id [32]byte, claim []byte) (mine, done bool, err error) {
	now := time.Now()
	was, until, err := w.told.Replay(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		was = nil
	case err != nil:
		return false, false, err
	case now.Before(until):
		return false, bytes.Equal(was, posted), nil
	}
	mine, err = w.told.SwapReplay(ctx, id, now.Add(claimTime), was, claim)
	return mine, false, err
}

// warningOf names a warning, and tells until when it is not given again: it is of an
// account, a budget's period, a level, and what the budget was then.
func warningOf(s *BudgetStatus, now time.Time) (id [32]byte, until time.Time) {
	since := s.Since.UnixNano()
	switch {
	case s.Budget.Per.days() > 0:
		since, until = 0, now.Add(rollingAgain)
	case s.Resets.IsZero():
		since, until = 0, now.AddDate(10, 0, 0)
	default:
		until = s.Resets.Add(time.Hour)
	}
	text, _ := json.Marshal([]any{"budget.warning", s.Owner, s.account, s.made, s.Budget.Unit(), s.Budget.Per, s.Budget.Models, since, s.Budget.Amount(), s.Raised, s.Warned}) // of what has a form in JSON
	return sha256.Sum256(text), until
}
