package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/bench/proc"
)

// question is one request to the gateway.
type question struct {
	kind string // what is told together
	path string
}

// answer is what became of it.
type answer struct {
	question
	first, slowest time.Duration
	cpu            time.Duration // of the gateway, once; in steps of 10 ms
	bytes          int64
	refused        bool // it would have too many rows
}

// questions are every report and list of the admin API.
func questions(w *world) []question {
	var all []question
	add := func(kind, format string, args ...any) {
		all = append(all, question{kind, "/admin/v1/" + fmt.Sprintf(format, args...)})
	}
	usageQuestions(w, add)
	requestQuestions(w, add)
	for _, path := range []string{"teams", "teams/team-03", "keys", "keys?team=team-03", "keys/" + w.keys[3].id, "budgets", "budgets?team=team-03",
		"providers", "models", "prompts", "health", "explain?model=mock/echo"} {
		add("other lists", "%s", path)
	}
	month := w.start.AddDate(0, 1, 0).Format("2006-01")
	for _, by := range []string{"model", "key", "prompt,version", "user", "provider", "target", "day", "day,model"} {
		add("invoices", "invoices/team-03?month=%s&by=%s", month, url.QueryEscape(by))
	}
	return all
}

// usageQuestions ask by each dimension and its mixes with times, of spans of
// whole months, of days, and of odd minutes in a zone of their own, narrowed
// and not.
func usageQuestions(w *world, add func(kind, format string, args ...any)) {
	end := w.start.AddDate(0, 0, w.days)
	all := "from=" + w.start.AddDate(0, 0, -1).Format(time.DateOnly)
	odd := fmt.Sprintf("from=%s&to=%s", url.QueryEscape(w.start.Add(50*time.Hour+7*time.Minute).Format(time.RFC3339)),
		url.QueryEscape(end.Add(-31*time.Hour-13*time.Minute).Format(time.RFC3339)))
	week := fmt.Sprintf("from=%s&to=%s", end.AddDate(0, 0, -8).Format(time.DateOnly), end.AddDate(0, 0, -1).Format(time.DateOnly))
	dims := []string{"", "team", "key", "user", "model", "target", "provider", "prompt", "version", "tag", "status"}
	mixes := []string{"team,model", "team,key,model", "team,user", "tag,model", "prompt,version", "provider,target,status", "team,tag", "key,tag", "model,user", "tag,user"}
	for _, by := range append(slices.Clone(dims), mixes...) {
		add("usage, everything", "usage?%s&group_by=%s", all, by)
		add("usage, odd span", "usage?%s&group_by=%s", odd, by)
		add("usage, this month", "usage?group_by=%s", by)
		add("usage by month", "usage?%s&group_by=month,%s", all, by)
		add("usage by day", "usage?%s&group_by=day,%s", all, by)
		add("usage by hour, a week", "usage?%s&group_by=hour,%s", week, by)
	}
	add("usage by hour, all", "usage?%s&group_by=hour", all)
	key := w.keys[3]
	for _, only := range []string{"team=" + key.team, "key=" + key.id, "model=" + key.models[0].name, "user=user-00012", "tag=prod", "tag=feature-3",
		"provider=openai", "prompt=prompt-3", "team=team-00&tag=feature-1", "model=model-03&user=user-00001"} {
		for _, by := range []string{"", "day", "model", "user", "tag", "hour", "day,model"} {
			add("usage, narrowed", "usage?%s&group_by=%s&%s", all, by, only)
		}
	}
	for _, format := range []string{"csv", "jsonl"} {
		for _, by := range []string{"team,model", "day,team", "key", "tag"} {
			add("usage as "+format, "usage?%s&group_by=%s&format=%s", all, by, format)
		}
	}
}

func requestQuestions(w *world, add func(kind, format string, args ...any)) {
	middle := w.start.AddDate(0, 0, w.days/2)
	span := fmt.Sprintf("from=%s&to=%s", middle.Format(time.DateOnly), middle.AddDate(0, 0, 3).Format(time.DateOnly))
	only := []string{"", "team=team-03", "team=team-39", "key=" + w.keys[3].id, "key=team-03%2Fapp-0", "model=model-07", "prompt=prompt-3", "status=502", "status=200",
		"tag=prod", "tag=feature-3", "min_usd=0.0001", "min_usd=0.005", "team=team-03&status=502", "model=model-07&tag=prod", "team=team-39&min_usd=0.003",
		"q=" + callID(1234), "q=1x2y3z", "status=418", "tag=none-has-it", "min_usd=1000"}
	for _, o := range only {
		add("requests", "requests?%s", o)
		add("requests", "requests?limit=1000&%s", o)
		add("requests", "requests?%s&%s", span, o)
	}
	add("requests", "requests/%s", callID(77))
}

// askAll starts the gateway on the full database and asks each question and for
// each page some times. It tells how many missed a bound.
func askAll(ctx context.Context, o *options, w *world) (slow int, err error) {
	g, err := start(ctx, o, company())
	if err != nil {
		return 0, err
	}
	defer g.stop()
	fmt.Printf("start on it: %v\n", g.started.Round(time.Millisecond))
	if o.api {
		if slow, err = o.askAPI(ctx, g, w); err != nil {
			return slow, err
		}
	}
	missed, err := o.seePages(ctx, g, w)
	return slow + missed, err
}

// askAPI asks the admin API each question, and for the proof of every sum.
func (o *options) askAPI(ctx context.Context, g *gateway, w *world) (slow int, err error) {
	kinds := map[string][]answer{}
	var order []string
	for _, q := range questions(w) {
		a := answer{question: q}
		before, err := proc.CPU(g.cmd.Process.Pid)
		if err != nil {
			return slow, err
		}
		for round := range o.rounds {
			took, n, err := g.ask(ctx, q.path)
			if a.refused = errors.Is(err, errTooMany); err != nil && !a.refused {
				return slow, err
			}
			if round == 0 {
				a.first = took
			}
			a.slowest, a.bytes = max(a.slowest, took), n
		}
		after, err := proc.CPU(g.cmd.Process.Pid)
		if err != nil {
			return slow, err
		}
		a.cpu = (after - before) / time.Duration(o.rounds)
		if kinds[q.kind] == nil {
			order = append(order, q.kind)
		}
		kinds[q.kind] = append(kinds[q.kind], a)
	}
	for _, kind := range order {
		slow += o.tell(kind, kinds[kind])
	}
	took, _, err := g.ask(ctx, "/admin/v1/usage/verify")
	fmt.Printf("%-24s %v\n", "proof of every sum", took.Round(time.Millisecond))
	return slow, err
}

// tell prints the slowest of a kind, and every one that was too slow.
func (o *options) tell(kind string, of []answer) (slow int) {
	slices.SortFunc(of, func(a, b answer) int { return int(b.slowest - a.slowest) })
	var over []answer
	for _, a := range of {
		if a.slowest > o.limit {
			over = append(over, a)
		}
	}
	refused, cpu := 0, time.Duration(0)
	for _, a := range of {
		cpu = max(cpu, a.cpu)
		if a.refused {
			refused++
		}
	}
	fmt.Printf("%-24s %3d asked, median %v, slowest %v, most CPU %v; %d over the limit, %d refused as too long\n", kind, len(of),
		of[len(of)/2].slowest.Round(time.Millisecond), of[0].slowest.Round(time.Millisecond),
		cpu.Round(time.Millisecond), len(over), refused)
	if len(over) == 0 {
		over = of[:1]
	}
	for _, a := range over {
		fmt.Printf("    %v (first %v, CPU %v) %d kB %s\n", a.slowest.Round(time.Millisecond), a.first.Round(time.Millisecond), a.cpu.Round(time.Millisecond), a.bytes/1000, strings.TrimPrefix(a.path, "/admin/v1/"))
	}
	if of[0].slowest > o.limit {
		return len(over)
	}
	return 0
}

// errTooMany is the refusal of a report that would be too long.
var errTooMany = errors.New("too many rows")

// ask sends one question and reads the whole answer.
func (g *gateway) ask(ctx context.Context, path string) (took time.Duration, n int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.admin+path, nil)
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	begin := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
		if strings.Contains(string(text), "would have more than") {
			return time.Since(begin), int64(len(text)), errTooMany
		}
		return 0, 0, fmt.Errorf("GET %s: %s: %s", path, res.Status, text)
	}
	n, err = io.Copy(io.Discard, res.Body)
	return time.Since(begin), n, err
}
