package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"sluice/prompts"
	"sluice/providers/schema"
	"sluice/router"
)

func asFaults(err error, faults *prompts.Faults) bool { return errors.As(err, faults) }

// state is what may be said of a provider as a whole.
func (p *Provider) state() string {
	closed, open, ready, partly := 0, 0, 0, 0
	for _, t := range p.Targets {
		switch t.State {
		case "closed":
			closed++
		case "open":
			open++
		}
	}
	for _, k := range p.Keys {
		switch {
		case k.State == "ready":
			ready++
		case k.Target != "":
			partly++
		}
	}
	switch {
	case p.Health != nil && p.Health.State != "healthy":
		return "down"
	case len(p.Targets) > 0 && open == len(p.Targets), len(p.Keys) > 0 && ready+partly == 0:
		return "down"
	case closed < len(p.Targets) || ready < len(p.Keys):
		return "degraded"
	}
	return "ok"
}

// Standing fills in what follows from the targets and keys.
func (p Provider) Standing() Provider {
	if p.State == "" {
		p.State = p.state()
	}
	if p.Targets == nil {
		p.Targets = []router.TargetStatus{}
	}
	if p.Keys == nil {
		p.Keys = []router.SecretStatus{}
	}
	return p
}

func (a *api) listProviders(q *request) error {
	values, err := q.query("limit", "after")
	if err != nil {
		return err
	}
	l, err := page(values, slices.Clone(a.View().Providers), func(p *Provider) string { return p.Name })
	if err != nil {
		return err
	}
	for i := range l.Data {
		l.Data[i] = l.Data[i].Standing()
	}
	return q.answer(http.StatusOK, l)
}

// setBreaker opens or closes a target's breaker until it is set to auto again.
// The target may be named with its provider or without.
func (a *api) setBreaker(q *request) error {
	var in struct {
		State string `json:"state"`
	}
	if err := q.read(&in); err != nil {
		return err
	}
	mode, err := router.ParseMode(in.State)
	if err != nil {
		return schema.Invalid("state", "%v", err)
	}
	name, target := q.PathValue("name"), q.PathValue("target")
	view := a.View()
	i := slices.IndexFunc(view.Providers, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return errNotFound("there is no provider %q", name)
	}
	has := func(id string) bool {
		return slices.ContainsFunc(view.Providers[i].Targets, func(t router.TargetStatus) bool { return t.ID == id })
	}
	id := name + "/" + target
	if !has(id) && has(target) {
		id = target
	}
	if !has(id) {
		return errNotFound("provider %q has no target %q that any model uses", name, target)
	}
	if err := a.SetBreaker(id, mode); err != nil {
		return errNotFound("%v", err)
	}
	for _, p := range a.View().Providers {
		for _, t := range p.Targets {
			if t.ID == id {
				return q.answer(http.StatusOK, t)
			}
		}
	}
	return q.done()
}

func (a *api) listModels(q *request) error {
	values, err := q.query("limit", "after")
	if err != nil {
		return err
	}
	l, err := page(values, slices.Clone(a.View().Models), func(m *Model) string { return m.ID })
	if err != nil {
		return err
	}
	for i := range l.Data {
		if l.Data[i].Prices == nil {
			l.Data[i].Prices = []Priced{}
		}
	}
	return q.answer(http.StatusOK, l)
}

// explain tells which targets a call would be weighed between, and why.
func (a *api) explain(q *request) error {
	values, err := q.query("model", "path", "host", "method", "team", "user", "roles", "scopes", "ip", "at")
	if err != nil {
		return err
	}
	if values.Get("path") != "" {
		return a.explainRoute(q, values)
	}
	model := strings.TrimSpace(values.Get("model"))
	if model == "" {
		return schema.Invalid("model", "model is required: the name that a call would ask for; or path, of a request to a route")
	}
	e, err := a.Explain.Model(model)
	if err != nil {
		return err
	}
	if e.Candidates == nil {
		e.Candidates = []router.Weighed{}
	}
	if e.Attempts == nil {
		e.Attempts = []router.Result{}
	}
	return q.answer(http.StatusOK, e)
}

// reload reads the configuration again. A faulty one is refused whole.
func (a *api) reload(q *request) error {
	err := a.Reload(context.WithoutCancel(q.Context()))
	var ofPrompts PromptFaults
	switch {
	case errors.As(err, &ofPrompts):
		return errFaulty("the configuration is reloaded, but for these files of prompts: what was served of them serves on", ofPrompts)
	case err != nil:
		return errFaulty("the configuration has faults; the one in force serves on", err)
	}
	h := a.Health()
	revision := ""
	if len(h.Replicas) > 0 {
		revision = h.Replicas[0].Revision
	}
	return q.answer(http.StatusOK, map[string]string{"status": "reloaded", "revision": revision})
}

func (a *api) health(q *request) error {
	h := a.Health()
	for i := range h.Replicas {
		h.Replicas[i].Reasons, h.Replicas[i].Warnings = notNil(h.Replicas[i].Reasons), notNil(h.Replicas[i].Warnings)
	}
	return q.answer(http.StatusOK, h)
}
