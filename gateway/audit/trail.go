package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Trail is the way of every change into the chain. It is safe for concurrent
// use.
type Trail struct {
	Store
	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: slog.Default
	// Revision is that of the configuration in force; nil: it is not told.
	Revision func() string

	mu     sync.Mutex
	late   map[int64]Record // that could not be chained when their changes were over
	inside failures         // sign-ins
	portal failures         // those that anybody who reaches the data listener may try
}

func (t *Trail) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

func (t *Trail) log() *slog.Logger {
	if t.Log == nil {
		return slog.Default()
	}
	return t.Log
}

func (t *Trail) revision() string {
	if t.Revision == nil {
		return ""
	}
	return t.Revision()
}

// Do makes a change that has a record. The change fills in what came of it. An
// error tells that the change was not made, as no record of it can be kept.
func (t *Trail) Do(ctx context.Context, r Record, change func(*Record)) error {
	ctx = context.WithoutCancel(ctx)
	if err := t.settle(ctx); err != nil {
		return err
	}
	r.Time, r.Revision = t.now(), t.revision()
	open, err := t.Open(ctx, r)
	if err != nil {
		return fmt.Errorf("cannot record a change: %w", err)
	}
	r.Status = http.StatusInternalServerError // of a change that panics
	defer func() {
		if err := t.append(ctx, open, r); err != nil { // the change is made: its record waits
			t.log().Error("a change was made whose record is not in the chain yet", "action", r.Action, "resource", r.Resource, "error", err)
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.late == nil {
				t.late = map[int64]Record{}
			}
			t.late[open] = r
		}
	}()
	change(&r)
	return nil
}

// Note records what is done at once, or what needs nobody's leave.
func (t *Trail) Note(ctx context.Context, r Record) error {
	ctx = context.WithoutCancel(ctx)
	if err := t.settle(ctx); err != nil {
		return err
	}
	r.Time, r.Revision = t.now(), t.revision()
	return t.append(ctx, 0, r)
}

func (t *Trail) append(ctx context.Context, open int64, r Record) error {
	r, err := t.Append(ctx, open, r)
	if err != nil {
		return fmt.Errorf("cannot record a change: %w", err)
	}
	t.tell(&r)
	return nil
}

// tell logs a record, so that its hash is elsewhere too.
func (t *Trail) tell(r *Record) {
	t.log().Info("audit", "seq", r.Seq, "actor", r.Actor, "action", r.Action, "resource", r.Resource, "status", r.Status, "hash", r.Hash)
}

// settle chains the records that had to wait.
func (t *Trail) settle(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for open, r := range t.late {
		if err := t.append(ctx, open, r); err != nil {
			return err
		}
		delete(t.late, open)
	}
	return nil
}

// Recover chains the records that a process left open which ended in the middle
// of their changes. It is for the start: no change may be under way.
func (t *Trail) Recover(ctx context.Context) error {
	opened, err := t.Opened(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the audit records: %w", err)
	}
	for open, r := range opened {
		r.Status = 0
		if err := t.append(ctx, open, r); err != nil {
			return err
		}
	}
	return nil
}

// How many failed sign-ins of a minute have a record each: they are the one thing
// that anybody may do, and must not fill the disk. Those at the portal leave the
// others theirs.
const (
	mostFailed         = 60
	mostFailedAtPortal = 10
)

// failures are the failed sign-ins of a minute.
type failures struct {
	minute  time.Time
	n       int
	leftOut int // since the last one that has a record
}

// Failed records a sign-in that failed. Those beyond what a minute may have are
// counted, and the next record tells how many.
func (t *Trail) Failed(ctx context.Context, r Record) {
	now, f, most := t.now(), &t.inside, mostFailed
	if strings.HasPrefix(r.Resource, "portal") {
		f, most = &t.portal, mostFailedAtPortal
	}
	t.mu.Lock()
	if now.Sub(f.minute) >= time.Minute || now.Before(f.minute) {
		f.minute, f.n = now, 0
	}
	if f.n++; f.n > most {
		f.leftOut++
		t.mu.Unlock()
		return
	}
	if f.leftOut > 0 {
		r.After = json.RawMessage(`{"left_out":` + strconv.Itoa(f.leftOut) + `}`)
		f.leftOut = 0
	}
	t.mu.Unlock()
	if err := t.Note(ctx, r); err != nil {
		t.log().Error("a failed sign-in has no record", "ip", r.IP, "error", err)
	}
}

// Retain removes the records that are older than before, each removal with a
// record of its own.
func (t *Trail) Retain(ctx context.Context, s Remover, before time.Time) error {
	if now := t.now(); before.After(now) {
		before = now // the records of the removals must stay
	}
	for ctx.Err() == nil {
		r, err := s.Remove(ctx, before, Record{Time: t.now(), Actor: "sluice", Action: Removal, Resource: "audit", Status: http.StatusOK})
		if err != nil || r.Seq == 0 {
			return err
		}
		t.tell(&r)
	}
	return ctx.Err()
}
