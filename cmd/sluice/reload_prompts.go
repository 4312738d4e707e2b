package main

import (
	"context"
	"net/http"

	"sluice/cmd/sluice/config"
	"sluice/gateway/audit"
	"sluice/prompts"
)

// publishPrompts brings what cfg's prompts.dir holds into the registry. What it
// gives are the faults of the files that are not served, or not in their new
// state.
func (s *server) publishPrompts(ctx context.Context, cfg *config.Config) []string {
	faults, _ := s.publishDir(ctx, cfg)
	return faults
}

// publishDir is publishPrompts, with what was done.
func (s *server) publishDir(ctx context.Context, cfg *config.Config) (list []string, report prompts.Report) {
	s.prompts.SetWorld(prompts.World{Owner: routePaths(cfg), Serves: s.servesModel})
	if cfg.Prompts.Dir == "" {
		return nil, report
	}
	report, err := s.prompts.PublishDir(ctx, cfg.Prompts.Dir)
	s.notePrompts(ctx, report)
	for _, f := range report.Faults {
		list = append(list, f.Error())
	}
	if err != nil {
		list = append(list, err.Error())
	}
	return list, report
}

// promptFilesChanged serves what files of prompts.dir say now.
func (s *server) promptFilesChanged(ctx context.Context) {
	faults, report := s.publishDir(ctx, s.build.view().cfg)
	s.warnOfFaults(faults)
	s.promptsMoved(ctx)
	if len(report.Waiting) > 0 { // tests may take long, and what else changes must not wait for them
		go s.testPrompts(ctx, false)
	}
}

// promptsMoved puts in force what follows from other prompts being served.
func (s *server) promptsMoved(ctx context.Context) {
	s.warnOfStrangers()
	if err := s.changed(ctx); err != nil { // their limits
		s.log.Error("limits of prompts are not in force", "error", err)
	}
}

// notePrompts records what files brought: the versions themselves are kept with
// them already.
func (s *server) notePrompts(ctx context.Context, report prompts.Report) {
	note := func(action, name string, after any) {
		if err := s.trail.Note(ctx, audit.Record{Actor: "file", Action: action, Resource: "prompts/" + name, After: audit.State(after), Status: http.StatusOK}); err != nil {
			s.log.Error("a prompt changed with its file, without a record", "prompt", name, "error", err)
		}
	}
	for _, p := range report.Published {
		note("prompt.publish", p.Name, map[string]int{"version": p.Version})
	}
	for _, name := range report.Withdrawn {
		note("prompt.withdraw", name, nil)
	}
}

func (s *server) warnOfFaults(faults []string) {
	for _, f := range faults {
		s.log.Warn("prompt not served in its new state", "fault", f)
	}
}

// mostRounds bounds how often tests are run for the sake of others: those of a
// chain call its steps, which may be among the files that wait.
const mostRounds = 5

// testPrompts runs the tests of the files that wait for them, by the models in
// force, and serves what passes; with again, those too that have failed. It gives
// the faults of the files that are not served in their new state.
func (s *server) testPrompts(ctx context.Context, again bool) (faults []string) {
	cfg := s.build.view().cfg
	if cfg.Prompts.Dir == "" {
		return nil
	}
	told := false
	for range mostRounds {
		ran, err := s.prompts.TestDir(ctx, cfg.Prompts.Dir, s.gateway.TestModels(), again)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Error("the tests of prompts were not run", "error", err)
			}
			return []string{err.Error()}
		}
		told = told || ran
		var report prompts.Report
		if faults, report = s.publishDir(ctx, cfg); len(report.Published) > 0 {
			s.promptsMoved(ctx)
		}
		if again = report.Failed(); !again && len(report.Waiting) == 0 {
			break
		}
	}
	if told {
		s.warnOfFaults(faults)
	}
	return faults
}
