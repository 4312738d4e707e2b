package main

import (
	"testing"
	"time"

	"sluice/billing"
)

// A month has the shape of a company's: working days and hours, several of
// everything, failures, fallbacks, answers of the cache, and an afternoon on
// which a provider was down; the times only grow.
func TestMonth(t *testing.T) {
	const n = 20_000
	start := time.Date(2026, 11, 2, 7, 0, 0, 0, time.UTC)
	from := newWorld(start, 28).stream(n)
	days, hours := map[time.Weekday]int{}, map[int]int{}
	teams, models, prompts, statuses := map[string]int{}, map[string]int{}, map[string]int{}, map[int]int{}
	var hits, fallbacks, down, lost int
	last := start
	for range n {
		e := from.next()
		if e.Time.Before(last) || e.Time.Before(start) || e.Time.After(start.AddDate(0, 0, 28)) {
			t.Fatalf("a call at %v after one at %v", e.Time, last)
		}
		last = e.Time
		days[e.Time.Weekday()]++
		hours[e.Time.Hour()]++
		teams[e.Team]++
		models[e.Model]++
		prompts[e.Prompt]++
		statuses[e.Status]++
		var usd billing.Nano
		for _, a := range e.Attempts {
			usd += a.USD
		}
		if usd != e.Cost {
			t.Fatalf("attempts cost %v, the call %v", usd, e.Cost)
		}
		if e.Cache == "hit" {
			hits++
		}
		if len(e.Attempts) > 1 {
			fallbacks++
		}
		if from.down("lab", e.Time) && e.Status == 502 {
			down++
		} else if e.Status == 502 {
			lost++
		}
	}
	if days[time.Tuesday] < 3*days[time.Sunday] || hours[9] < 4*hours[3] {
		t.Errorf("days %v, hours %v", days, hours)
	}
	if len(teams) != 40 || len(models) < 20 || len(prompts) < 10 || len(statuses) < 5 {
		t.Errorf("%d teams, %d models, %d prompts, statuses %v", len(teams), len(models), len(prompts), statuses)
	}
	if hits < n/20 || fallbacks < n/100 || down == 0 || lost == 0 {
		t.Errorf("%d hits, %d fallbacks, %d failures while a provider was down and %d else", hits, fallbacks, down, lost)
	}
}
