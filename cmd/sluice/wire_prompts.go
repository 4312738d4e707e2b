package main

import (
	"context"
	"strconv"
	"strings"

	"sluice/cmd/sluice/config"
	"sluice/gateway/admin"
	"sluice/gateway/proxy"
	"sluice/prompts"
	"sluice/providers/catalog"
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

// routePaths tells which route a path is that of: its own, without wildcards.
// One that has it among others is no clash: prompts come first there.
func routePaths(cfg *config.Config) func(path string) string {
	owners := map[string]string{}
	for i := range cfg.Routes {
		r := &cfg.Routes[i]
		path := strings.TrimSuffix(r.Match.Path, "/")
		if strings.ContainsAny(path, "{*") {
			continue
		}
		owner := "route " + strconv.Quote(r.Name)
		if v, known := cfg.VersioningOf(r); v != nil && v.By == "path" {
			for _, version := range known {
				owners["/"+proxy.VersionWord(version)+path] = owner
			}
		}
		owners[path] = owner
	}
	return func(path string) string { return owners[path] }
}

// servesModel tells whether the gateway has a model of a name.
func (s *server) servesModel(name string) bool {
	_, err := s.gateway.Snapshot().Resolve(name)
	return err == nil
}

// servable tells, before there is a gateway, whether a model of a name may come
// to be served: what a provider must have its key for is not refused where keys
// are not at hand.
func servable(cfg *config.Config) func(name string) bool {
	listed := map[string]bool{}
	for _, m := range catalog.Load().Models() {
		listed[m.ID] = true
	}
	for _, p := range cfg.Providers {
		for id := range p.Prices {
			listed[id] = true
		}
	}
	return func(name string) bool {
		_, own := cfg.Models[name]
		return own || listed[name]
	}
}

// warnOfStrangers tells of prompts whose calls come to nothing, or take those of
// a route.
func (s *server) warnOfStrangers() {
	for _, f := range s.prompts.Strangers() {
		s.log.Warn("a prompt does not fit the configuration", "prompt", f.File, "fault", f.Message)
	}
}
