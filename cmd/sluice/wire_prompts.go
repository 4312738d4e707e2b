package main

import (
	"context"

	"sluice/gateway/admin"
	"sluice/prompts"
)

func publication(p admin.Publication) prompts.Publication {
	return prompts.Publication{Name: p.Name, Source: p.Source, Partials: p.Partials, Message: p.Message, Author: p.Author}
}

// publish makes a version of a prompt that the admin API was given.
func (s *server) publish(ctx context.Context, p admin.Publication) (int, bool, error) {
	return s.prompts.Publish(ctx, publication(p))
}

// review says what speaks against publishing it.
func (s *server) review(ctx context.Context, p admin.Publication) ([]string, error) {
	return s.prompts.Review(ctx, publication(p), s.gateway.TestModels())
}

// testPrompt runs a prompt's tests.
func (s *server) testPrompt(ctx context.Context, p admin.Publication, model string) ([]prompts.TestResult, error) {
	draft, faults := s.prompts.Draft(publication(p))
	if len(faults) > 0 {
		return nil, faults
	}
	return draft.Template.RunTests(ctx, s.gateway.TestModels(), model, nil), nil
}

// livePrompt is a version of a prompt that is served.
func (s *server) livePrompt(ctx context.Context, name string, version int, label string) (*prompts.Live, error) {
	return s.prompts.Snapshot().Resolve(ctx, name, version, label)
}
