package billing

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// sections reads each team's part of an invoice, in the order of teams. The first
// dimension of the query is the team.
func sections(ctx context.Context, l Ledger, teams []Team, q Query) ([]Section, error) {
	report, corrections, err := usageAndCorrections(ctx, l, q)
	if err != nil {
		return nil, err
	}
	out, of := make([]Section, len(teams)), map[string]*Section{}
	for i, t := range teams {
		out[i] = Section{Team: t.Name, Parent: t.Parent, Lines: []InvoiceLine{}, Corrections: []Amendment{}}
		of[t.Name] = &out[i]
	}
	rows := map[string]*Sums{}
	for i := range report.Rows {
		row := &report.Rows[i]
		of[row.Values[0]].Subtotal += row.USD
		if len(corrections) > 0 {
			rows[strings.Join(row.Values, "\x00")] = &row.Sums
		}
	}
	for i := range corrections {
		e := &corrections[i]
		u := &e.Usage
		s := of[e.Team]
		s.Corrections = append(s.Corrections, Amendment{e.Call, e.Time.In(q.Location), e.Corrects, e.Reason,
			Tokens{u.Input, u.CachedInput, u.CacheWrite, u.Output, u.Reasoning}, e.Cost})
		if row := rows[strings.Join(valuesOf(e, q.GroupBy, q.Location), "\x00")]; row != nil {
			row.subtract(e)
		} // else it and others of its row came to nothing, and the report leaves the row out
	}
	for i := range report.Rows {
		row := &report.Rows[i]
		if line := lineOf(row); line.Calls != 0 || line.USD != 0 || line.Tokens != (Tokens{}) {
			s := of[row.Values[0]]
			s.Lines = append(s.Lines, line)
		}
	}
	return out, nil
}

// usageAndCorrections reads both as they are at one time: a correction that
// comes between would be in one and not in the other.
func usageAndCorrections(ctx context.Context, l Ledger, q Query) (*Report, []Entry, error) {
	before, err := l.CorrectionsIn(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	for range 10 {
		report, err := l.Usage(ctx, q)
		if err != nil {
			return nil, nil, err
		}
		after, err := l.CorrectionsIn(ctx, q)
		if err != nil {
			return nil, nil, err
		}
		if len(after) == len(before) { // none is ever taken away
			return report, after, nil
		}
		before = after
	}
	return nil, nil, errors.New("the corrections of the month change faster than an invoice can be read: try again")
}

// subtract takes an entry that is no call out of sums.
func (s *Sums) subtract(e *Entry) {
	u := &e.Usage
	s.InputTokens -= u.Input
	s.CachedInputTokens -= u.CachedInput
	s.CacheWriteTokens -= u.CacheWrite
	s.OutputTokens -= u.Output
	s.ReasoningTokens -= u.Reasoning
	s.USD -= e.Cost
}

// valuesOf are the dimensions of an entry, as a report has them.
func valuesOf(e *Entry, by []string, loc *time.Location) []string {
	version := ""
	if e.Version != 0 {
		version = strconv.Itoa(e.Version)
	}
	of := map[string]string{"team": e.Team, "model": e.Model, "key": e.Key, "prompt": e.Prompt, "version": version, "user": e.User,
		"provider": e.Provider, "target": e.Target, "day": e.Time.In(loc).Format(time.DateOnly)}
	out := make([]string, len(by))
	for i, name := range by {
		out[i] = of[name]
	}
	return out
}

// lineOf is a row without its team.
func lineOf(r *Row) InvoiceLine {
	return InvoiceLine{Values: r.Values[1:], Calls: r.Calls, USD: r.USD,
		Tokens:  Tokens{r.InputTokens, r.CachedInputTokens, r.CacheWriteTokens, r.OutputTokens, r.ReasoningTokens},
		PerCall: average(r.USD, 1, r.Calls), PerMillion: average(r.USD, 1_000_000, r.InputTokens+r.OutputTokens)}
}
