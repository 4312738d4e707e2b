package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// litellmReasons say what does instead of a key, by its name.
var litellmReasons = map[string]string{
	"database_url":                 "the store is SQLite; teams, keys and spending in that database stay there",
	"success_callback":             "telemetry.otlp sends traces and metrics to a collector",
	"failure_callback":             "telemetry.otlp sends traces and metrics to a collector",
	"callbacks":                    "telemetry.otlp sends traces and metrics to a collector",
	"guardrails":                   "see guards in the configuration",
	"alerting":                     "see alerts in the configuration",
	"pass_through_endpoints":       "see routes in the configuration",
	"include":                      "bring the files together in one first",
	"max_parallel_requests":        "limits: {parallel: N} of a team, key or model does so",
	"retry_policy":                 "retry.on of a model lists what is tried again",
	"redis_host":                   "limits and health are this process's own",
	"enable_jwt_auth":              "see auth.jwt in the configuration",
	"temperature":                  "callers send it, or a prompt sets it",
	"max_tokens":                   "callers send it, or a prompt sets it",
	"aws_role_name":                "the credentials are those of the environment",
	"environment_variables":        "set them in the environment",
	"default_team_settings":        "see teams in the configuration",
	"default_internal_user_params": "see teams in the configuration",
}

func durationText(seconds float64) string {
	d := time.Duration(min(seconds, 1e9) * float64(time.Second)).Round(time.Millisecond)
	text := max(d, time.Millisecond).String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

// head tells where the configuration is from, and what is not in it.
func (c *litellmConfig) head() string {
	c.source.rest()
	notes := c.source.seen.notes
	slices.SortStableFunc(notes, func(a, b litellmNote) int { return cmp.Compare(a.line, b.line) })
	var b strings.Builder
	fmt.Fprintf(&b, "# From %s, a configuration of LiteLLM\n", comment(c.file))
	for _, n := range slices.Compact(notes) {
		text := fmt.Sprintf("# not carried over: line %d: %s", n.line, comment(n.path))
		if n.why != "" {
			text += ": " + comment(n.why)
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

func (c *litellmConfig) text(lib litellmSource) string {
	var b strings.Builder
	general := c.source.at("general_settings")
	b.WriteString("# Callers need a key of Sluice's: sluice key create --team NAME\n")
	if master := general.at("master_key").text(); master != "" {
		fmt.Fprintf(&b, "admin: {token: %s}   # the master key; it calls no models here\n", c.value(master))
	}
	if lib.at("json_logs").yes() {
		b.WriteString("log: {format: json}\n")
	}
	c.telemetry(&b, lib)
	b.WriteString("providers:\n")
	for _, p := range c.made {
		p.write(&b, c)
	}
	if len(c.names)+len(c.aliases) > 0 {
		b.WriteString("models:\n")
	}
	for _, name := range c.names {
		c.model(&b, name)
	}
	for _, a := range c.aliases {
		fmt.Fprintf(&b, "  %s: %s\n", quoted(a[0]), quoted(a[1]))
	}
	return b.String()
}

// telemetry takes the callbacks that have a place of their own here.
func (c *litellmConfig) telemetry(b *strings.Builder, lib litellmSource) {
	otlp := false
	for _, key := range []string{"success_callback", "failure_callback", "callbacks"} {
		for _, s := range append(lib.at(key).list(), lib.at(key)) {
			if s.node == nil || s.node.Value != "otel" && s.node.Value != "prometheus" {
				continue
			}
			otlp = s.text() == "otel" || otlp
		}
	}
	if !otlp {
		return
	}
	address := `"${OTEL_EXPORTER_OTLP_ENDPOINT:-http://127.0.0.1:4318}"`
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_ENDPOINT"} {
		if set := c.source.at("environment_variables").at(name).text(); strings.HasPrefix(set, "http") {
			address = quoted(set)
		}
	}
	fmt.Fprintf(b, "telemetry: {otlp: %s}\n", address)
}

// litellmTarget is one of a model's.
type litellmTarget struct {
	ref   string
	share float64
	order float64
}

// targets are those of a name, once each.
func (c *litellmConfig) targets(name string) []litellmTarget {
	var out []litellmTarget
	for _, d := range c.deployments {
		if d.name != name || d.model == "*" {
			continue
		}
		ref := d.provider.name + "/" + d.model
		if i := slices.IndexFunc(out, func(t litellmTarget) bool { return t.ref == ref }); i >= 0 {
			out[i].share += c.weight(d)
		} else {
			out = append(out, litellmTarget{ref, c.weight(d), d.order})
		}
	}
	return out
}

// model prints one.
func (c *litellmConfig) model(b *strings.Builder, name string) {
	targets, balance := c.targets(name), c.balance
	if slices.ContainsFunc(targets, func(t litellmTarget) bool { return t.order != targets[0].order }) {
		slices.SortStableFunc(targets, func(x, y litellmTarget) int { return cmp.Compare(x.order, y.order) })
		balance = "ordered"
	}
	fields := c.fields(name)
	if len(targets) == 1 && len(fields) == 0 {
		fmt.Fprintf(b, "  %s: %s\n", quoted(name), quoted(targets[0].ref))
		return
	}
	fmt.Fprintf(b, "  %s:\n", quoted(name))
	shares, list := make([]float64, len(targets)), make([]string, len(targets))
	for i, t := range targets {
		shares[i] = t.share
	}
	weights := wholeWeights(shares)
	for i, t := range targets {
		list[i] = "{model: " + quoted(t.ref)
		if weights[i] != 1 && balance == "weighted" && len(targets) > 1 {
			list[i] += fmt.Sprint(", weight: ", weights[i])
		}
		list[i] += "}"
	}
	if len(targets) > 1 && balance != "ordered" {
		fmt.Fprintf(b, "    balance: %s\n", balance)
	}
	fmt.Fprintf(b, "    targets: [%s]\n", strings.Join(list, ", "))
	for _, f := range fields {
		fmt.Fprintf(b, "    %s\n", f)
	}
}

// fields are what a model says beside its targets.
func (c *litellmConfig) fields(name string) []string {
	var out []string
	attempts := c.attempts
	for _, d := range c.deployments {
		if d.name == name && d.attempts > 0 {
			attempts = d.attempts
		}
	}
	retry := c.retry
	if attempts > 0 {
		retry = fmt.Sprintf(", attempts: %d", min(attempts, 100)) + retry
	}
	if retry != "" {
		out = append(out, "retry: {"+retry[2:]+"}")
	}
	if list := c.fallbacks[name]; len(list) > 0 {
		parts := make([]string, len(list))
		for i, f := range list {
			parts[i] = "{model: " + quoted(f.model)
			if f.on != "" {
				parts[i] += ", on: [" + f.on + "]"
			}
			parts[i] += "}"
		}
		out = append(out, "fallback: ["+strings.Join(parts, ", ")+"]")
	}
	if c.breaker != "" {
		out = append(out, "breaker: {"+c.breaker+"}")
	}
	if cache := c.cached(name); cache != "" {
		out = append(out, "cache: {"+cache+"}")
	}
	if c.strict {
		out = append(out, "unsupported: error")
	}
	return out
}

// cached is the cache, with the model that makes embeddings by its name here.
func (c *litellmConfig) cached(of string) string {
	before, rest, semantic := strings.Cut(c.cache, "\x00")
	if !semantic {
		return c.cache
	}
	name, after, _ := strings.Cut(rest, "\x00")
	if name == of || !slices.Contains(c.names, name) {
		plain, _, _ := strings.Cut(before, ", semantic:")
		return plain
	}
	return before + quoted(name) + after
}
