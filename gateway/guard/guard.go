package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/providers/schema"
)

// Stage is where on its way a call is.
type Stage uint8

// The stages, also as a set.
const (
	OnRequest Stage = 1 << iota
	OnResponse
)

// String is the stage's name in a configuration.
func (s Stage) String() string {
	if s&OnRequest != 0 {
		return "request"
	}
	return "response"
}

// Guard is one rule. It may be used by any number of goroutines.
type Guard struct {
	Name   string
	On     Stage
	DryRun bool // it counts and lets pass

	// Of these a guard has at least one; they come in this order.
	Deny  *Matcher
	Mask  *Matcher
	Check func(text string) error // of a whole answer; the error says what is wrong with it
	Ask   Ask

	Reversible bool          // the answer gets the masked values back
	Replaces   bool          // Ask may give another text, and is asked about each alone
	Timeout    time.Duration // of Ask; 0: none
	FailOpen   bool          // what Ask cannot decide passes

	Figures *Figures // never nil
}

// Ask lets another decide about a text.
type Ask func(ctx context.Context, q *Question) (Verdict, error)

// Question is what another is asked.
type Question struct {
	Stage Stage
	Text  string
	Who   any // the call, for who asks
}

// Verdict is the answer to a Question.
type Verdict struct {
	Allow  bool
	Reason string  // shown to the caller
	Text   *string // in the place of the text; nil: it stays
}

// Figures are what a guard did since the process began, over all reloads of
// its configuration. A guard in dry run counts what it would have done.
type Figures struct {
	Checked atomic.Int64 // requests and answers
	Denied  atomic.Int64 // of them
	Masked  atomic.Int64 // places in them, and texts that were replaced
	Failed  atomic.Int64 // of them, those that could not be decided
	Nanos   atomic.Int64 // that it took, in all
}

// Set is the guards of a model, in order.
type Set struct {
	guards  []*Guard
	on      Stage // the stages of all of them
	whole   bool  // a guard must see whole answers
	restore bool  // a guard masks reversibly
}

// NewSet orders guards for a model; nil if there are none.
func NewSet(guards []*Guard) *Set {
	if len(guards) == 0 {
		return nil
	}
	s := &Set{guards: guards}
	for _, g := range guards {
		s.on |= g.On
		s.whole = s.whole || g.On&OnResponse != 0 && (g.Check != nil || g.Ask != nil)
		s.restore = s.restore || g.Reversible && g.On&OnRequest != 0 && g.Mask != nil
	}
	return s
}

// Record is what a guard did to a call.
type Record struct {
	Guard  string `json:"guard"`
	Stage  string `json:"stage"`
	Action string `json:"action"` // deny, mask, replace or fail
	Kinds  string `json:"kinds,omitempty"`
	Count  int    `json:"count,omitempty"`
	DryRun bool   `json:"dry_run,omitempty"`
}

// Session is one call on its way past the guards. One goroutine at a time uses
// it; its streams may each have their own.
type Session struct {
	set     *Set
	who     any
	vault   vault // written by requests, read by answers
	mu      sync.Mutex
	records []Record
}

// NewSession begins a call. who is handed to those who are asked.
func NewSession(set *Set, who any) *Session { return &Session{set: set, who: who} }

// Records tells what the guards did.
func (s *Session) Records() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

// Answers tells whether the answer must come past the guards, or be given its
// values back.
func (s *Session) Answers() bool { return s.set.on&OnResponse != 0 || len(s.vault.values) > 0 }

// Whole tells whether a streamed answer is held until it is whole.
func (s *Session) Whole() bool { return s.set.whole }

// run takes texts past the guards of a stage. The error is a *schema.Error.
func (s *Session) run(ctx context.Context, stage Stage, texts []*text) error {
	if s.set.on&stage == 0 {
		return nil
	}
	if stage == OnRequest && s.set.restore {
		for _, t := range texts {
			s.vault.avoid(t.s)
		}
	}
	for _, g := range s.set.guards {
		if g.On&stage == 0 {
			continue
		}
		begin := time.Now()
		err := s.runOne(ctx, g, stage, texts)
		g.Figures.Checked.Add(1)
		g.Figures.Nanos.Add(int64(time.Since(begin)))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) runOne(ctx context.Context, g *Guard, stage Stage, texts []*text) error {
	if g.Deny != nil {
		if err := s.deny(g, stage, texts); err != nil {
			return err
		}
	}
	if g.Mask != nil {
		s.mask(g, stage, texts)
	}
	if g.Check != nil && stage == OnResponse {
		if err := s.check(g, texts); err != nil {
			return err
		}
	}
	if g.Ask != nil {
		return s.ask(ctx, g, stage, texts)
	}
	return nil
}

func (s *Session) deny(g *Guard, stage Stage, texts []*text) error {
	var list []Match
	for _, t := range texts {
		if t.about {
			continue
		}
		m := *g.Deny.of(t.json)
		if t.trusted {
			m.Kinds &^= Injection
		}
		if list, _ = m.Find(t.s, 0, true, list[:0]); len(list) > 0 {
			return s.denied(g, stage, list[0].Kind)
		}
	}
	return nil
}

// denied notes that a guard says no; nil if it only runs dry.
func (s *Session) denied(g *Guard, stage Stage, kind Kinds) error {
	g.Figures.Denied.Add(1)
	s.note(Record{Guard: g.Name, Stage: stage.String(), Action: "deny", Kinds: kindList(kind), Count: 1, DryRun: g.DryRun})
	if g.DryRun {
		return nil
	}
	what := "what it looks for"
	if kind != 0 {
		what = words[kind]
	}
	return blocked(g, "the %s holds %s", stage, what)
}

// words are the kinds in messages.
var words = map[Kinds]string{Email: "an email address", Phone: "a phone number", Card: "a card's number", IBAN: "an IBAN", IP: "an IP address",
	Secret: "a secret", Injection: "an attempt to change the model's instructions"}

// blocked is the refusal. It never tells what was found.
func blocked(g *Guard, format string, args ...any) *schema.Error {
	return &schema.Error{Code: schema.CodeContentBlocked, Status: 400, Origin: schema.OriginPolicy,
		Message: "blocked by the guard '" + g.Name + "': " + fmt.Sprintf(format, args...)}
}

func (s *Session) mask(g *Guard, stage Stage, texts []*text) {
	hits, kinds := 0, Kinds(0)
	for _, t := range texts {
		k := masker{matcher: g.Mask.of(t.json), json: t.json, name: s.name(g, stage)}
		out, n, found := k.write(t.s, true)
		if hits, kinds = hits+n, kinds|found; n > 0 && !g.DryRun {
			t.set(out)
		}
	}
	s.masked(g, stage, hits, kinds)
}

// name is how a guard replaces a match.
func (s *Session) name(g *Guard, stage Stage) func(Kinds, string) string {
	switch {
	case g.DryRun:
		return nil
	case g.Reversible && stage == OnRequest:
		return s.vault.put
	}
	return func(k Kinds, _ string) string { return "[" + k.label() + "]" }
}

func (s *Session) masked(g *Guard, stage Stage, hits int, kinds Kinds) {
	if hits == 0 {
		return
	}
	g.Figures.Masked.Add(int64(hits))
	s.note(Record{Guard: g.Name, Stage: stage.String(), Action: "mask", Kinds: kindList(kinds), Count: hits, DryRun: g.DryRun})
}

// note adds to what the guard has done in the same way already: a stream is
// looked at piece by piece.
func (s *Session) note(r Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.records {
		if o := &s.records[i]; o.Guard == r.Guard && o.Stage == r.Stage && o.Action == r.Action {
			o.Count += r.Count
			if !strings.Contains(o.Kinds, r.Kinds) {
				o.Kinds += "," + r.Kinds
			}
			return
		}
	}
	s.records = append(s.records, r)
}

func kindList(k Kinds) string {
	var list []string
	for i, name := range kindNames {
		if k&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	if list == nil {
		return "pattern"
	}
	return strings.Join(list, ",")
}

// check holds what each choice says to what a whole answer must be.
func (s *Session) check(g *Guard, texts []*text) error {
	said := map[int]string{}
	for _, t := range texts {
		if t.said {
			said[t.choice] += t.s
		}
	}
	for _, t := range texts {
		all, ok := said[t.choice]
		if !ok || !t.said {
			continue
		}
		delete(said, t.choice)
		if all == "" { // it calls tools
			continue
		}
		if err := g.Check(all); err != nil {
			g.Figures.Denied.Add(1)
			s.note(Record{Guard: g.Name, Stage: OnResponse.String(), Action: "deny", Count: 1, DryRun: g.DryRun})
			if !g.DryRun {
				return blocked(g, "the answer %v", err)
			}
		}
	}
	return nil
}
