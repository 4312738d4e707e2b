package guard

import (
	"context"
	"strings"
	"sync"
)

// mostAsked bounds how many questions of a call are out at once.
const mostAsked = 8

// ask lets another decide: about each text, if it may replace them, else about
// all of them together.
func (s *Session) ask(ctx context.Context, g *Guard, stage Stage, texts []*text) error {
	if g.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, g.Timeout)
		defer stop()
	}
	var asked []*text
	var all []string
	for _, t := range texts {
		if t.about || strings.TrimSpace(t.s) == "" {
			continue
		}
		asked = append(asked, t)
		all = append(all, t.s)
	}
	if len(asked) == 0 {
		return nil
	}
	if !g.Replaces {
		v, err := g.Ask(ctx, &Question{Stage: stage, Text: strings.Join(all, "\n\n"), Who: s.who})
		return s.said(g, stage, nil, v, err)
	}
	verdicts := make([]Verdict, len(asked))
	errs := make([]error, len(asked))
	slots := make(chan struct{}, mostAsked)
	var wg sync.WaitGroup
	for i, t := range asked {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			verdicts[i], errs[i] = g.Ask(ctx, &Question{Stage: stage, Text: t.s, Who: s.who})
		})
	}
	wg.Wait()
	for i, t := range asked {
		if err := s.said(g, stage, t, verdicts[i], errs[i]); err != nil {
			return err
		}
	}
	return nil
}

// said does what a verdict says; t is the text that it is about, if it is one.
func (s *Session) said(g *Guard, stage Stage, t *text, v Verdict, err error) error {
	r := Record{Guard: g.Name, Stage: stage.String(), Count: 1, DryRun: g.DryRun}
	switch {
	case err != nil:
		g.Figures.Failed.Add(1)
		r.Action = "fail"
		s.note(r)
		if g.FailOpen || g.DryRun {
			return nil
		}
		g.Figures.Denied.Add(1)
		return blocked(g, "it cannot decide now about the %s", stage)
	case !v.Allow:
		g.Figures.Denied.Add(1)
		r.Action = "deny"
		s.note(r)
		if g.DryRun {
			return nil
		}
		if v.Reason == "" {
			return blocked(g, "the %s is not allowed", stage)
		}
		return blocked(g, "%s", v.Reason)
	case v.Text != nil && t != nil && *v.Text != t.s:
		g.Figures.Masked.Add(1)
		r.Action = "replace"
		s.note(r)
		if !g.DryRun {
			t.set(*v.Text)
		}
	}
	return nil
}
