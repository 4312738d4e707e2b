package billing

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// usageLedger tells usage by one dimension and the hour.
type usageLedger struct {
	memory
	queries []string
}

func (l *usageLedger) Usage(_ context.Context, q Query) (*Report, error) {
	if l.fail != nil {
		return nil, l.fail
	}
	l.queries = append(l.queries, q.GroupBy[0])
	r := &Report{}
	for _, e := range l.entries {
		if e.Time.Before(q.From) || !e.Time.Before(q.To) || e.Refused {
			continue
		}
		value := map[string]string{"team": e.Team, "key": e.Key, "model": e.Model, "provider": e.Provider, "prompt": e.Prompt}[q.GroupBy[0]]
		r.Rows = append(r.Rows, Row{Values: []string{value, e.Time.UTC().Truncate(time.Hour).Format(time.RFC3339)},
			Sums: Sums{Calls: 1, InputTokens: e.Usage.Input, OutputTokens: e.Usage.Output}})
	}
	return r, nil
}

// Limits of a day are filled from the ledger: of keys, teams with those below
// them, models, providers and prompts.
func TestRestoreLimits(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	l := &usageLedger{}
	for _, when := range []string{"2026-05-14T10:15:00Z", "2026-05-14T11:40:00Z", "2026-05-15T09:59:59Z", "2026-05-15T10:29:00Z"} {
		e := Entry{Team: "lab", KeyID: "1", Key: "lab/ci", Model: "smart", Provider: "up", Prompt: "p", Time: at(t, when)}
		e.Usage.Input, e.Usage.Output = 10, 5
		l.entries = append(l.entries, e)
	}
	l.entries = append(l.entries, Entry{Team: "other", Key: "other/x", Time: c.at}, Entry{Team: "lab", Key: "lab/ci", Refused: true, Time: c.at})
	day := Limits{RPD: 10, TPD: 1000}
	teams := []Team{{Name: "corp", Limits: day}, {Name: "lab", Parent: "corp", Limits: Limits{RPM: 5}}, {Name: "other"},
		{Name: "model smart", Limits: day}, {Name: "provider up", Limits: day}, {Name: "prompt p", Limits: day}, {Name: "model fast", Limits: day}}
	keys := []Key{{ID: "1", Team: "lab", Name: "ci", Limits: Limits{RPD: 4}}}
	b, v := book(t, c, teams, keys)
	if b.LimitsRestored() {
		t.Error("nothing is to be restored")
	}
	l.fail = errors.New("down")
	if err := b.RestoreLimits(t.Context(), l); err == nil || b.LimitsRestored() {
		t.Errorf("%v", err)
	}
	l.fail = nil
	if _, err := v.Key("1").Admit(c.at, Ask{1, 1}); err != nil { // counted before
		t.Fatal(err)
	}
	if err := b.RestoreLimits(t.Context(), l); err != nil || !b.LimitsRestored() {
		t.Fatal(err)
	}
	if slices.Sort(l.queries); !slices.Equal(l.queries, []string{"key", "model", "prompt", "provider", "team"}) {
		t.Errorf("asked by %v", l.queries)
	}
	for name, want := range map[string][2]int64{"corp": {6, 953}, "model smart": {7, 955}, "provider up": {7, 955}, "prompt p": {7, 955}, "model fast": {10, 1000}} {
		requests, tokens, _, _ := v.Team(name).LimitState(c.at)
		if requests.Remaining != want[0] || tokens.Remaining != want[1] {
			t.Errorf("%s has %d requests and %d tokens left, want %v", name, requests.Remaining, tokens.Remaining, want)
		}
	}
	ci := v.Key("1")
	if requests, _, _, _ := ci.LimitState(c.at); requests.Remaining != 0 {
		t.Errorf("the key has %d left", requests.Remaining)
	}
	if _, err := ci.Admit(c.at, Ask{}); err == nil || err.RetryAfter != 100*time.Minute { // the hour that ended at 12 o'clock, and its slot
		t.Errorf("%v", err)
	}
	c.at = at(t, "2026-05-15T12:10:00Z")
	if _, err := ci.Admit(c.at, Ask{}); err != nil {
		t.Error(err)
	}

	// A reload asks for what is new alone, and what is there stays.
	l.queries = nil
	keys[0].Limits.RPD = 6
	if _, err := b.Rebuild(append(teams, Team{Name: "late", Limits: day}), slices.Clone(keys)); err != nil {
		t.Fatal(err)
	}
	if err := b.RestoreLimits(t.Context(), l); err != nil || !slices.Equal(l.queries, []string{"team"}) {
		t.Errorf("%v, asked by %v", err, l.queries)
	}
}
