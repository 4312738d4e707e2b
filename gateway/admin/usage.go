package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"sluice/billing"
	"sluice/gateway/guard"
	"sluice/providers/schema"
)

type reportKey struct{}

// Into is the context of a question for usage that is asked within the process:
// out is the report then, and nothing is answered. To write a long report as
// JSON and to read it again takes longer than to sum it up.
func Into(ctx context.Context, out *billing.Report) context.Context {
	return context.WithValue(ctx, reportKey{}, out)
}

// usage sums what was used.
func (a *api) usage(q *request) error {
	values, err := q.query("from", "to", "time_zone", "group_by", "format", "team", "key", "model", "provider", "target", "prompt", "user", "tag")
	if err != nil {
		return err
	}
	loc := a.Location()
	if name := values.Get("time_zone"); name != "" {
		if loc, err = time.LoadLocation(name); err != nil || name == "Local" {
			return schema.Invalid("time_zone", "time_zone %.40q is none such as UTC or Europe/Berlin", name)
		}
	}
	query, err := billing.ParseQuery(values.Get("from"), values.Get("to"), values.Get("group_by"), a.Now(), loc)
	if err != nil {
		return err
	}
	if query.Team, err = q.teamFilter(values.Get("team")); err != nil {
		return err
	}
	query.Select(values.Get)
	query.MostRows = billing.LongestReport
	format := values.Get("format")
	types := map[string]string{"": "application/json", "json": "application/json", "csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
	if types[format] == "" {
		return schema.Invalid("format", "format %q is none of json, csv, jsonl", format)
	}
	a.flush(q.Context())
	report, err := a.Ledger.Usage(q.Context(), query)
	if err != nil {
		return err
	}
	if out, ok := q.Context().Value(reportKey{}).(*billing.Report); ok && format == "" {
		*out = *report
		return q.done()
	}
	q.w.Header().Set("Content-Type", types[format])
	if format == "" || format == "json" {
		body, err := report.MarshalJSON() // json.Marshal would read it all once more
		if err != nil {
			return err
		}
		_, _ = q.w.Write(append(body, '\n')) // the client may have left
		return nil
	}
	var body bytes.Buffer
	if err := report.Render(&body, format); err != nil {
		return err
	}
	_, _ = q.w.Write(body.Bytes())
	return nil
}

// teamFilter is the team that a question is about: a team-owner's own, whatever
// it asks.
func (q *request) teamFilter(asked string) (string, error) {
	if q.id.Role == RoleTeamOwner {
		return q.id.Team, q.mayAsk(asked)
	}
	return asked, nil
}

// flush makes the ledger hold every call that has ended. What cannot be read
// yet is missing from figures, not wrong.
func (a *api) flush(ctx context.Context) {
	if err := a.Flush(ctx); err != nil {
		a.Log.Warn("figures miss what is still in the spool", "error", err)
	}
}

// verifyUsage proves every sum of the ledger.
func (a *api) verifyUsage(q *request) error {
	if _, err := q.query(); err != nil {
		return err
	}
	a.flush(q.Context())
	entries, differences, err := a.Ledger.Verify(q.Context())
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, struct {
		OK          bool     `json:"ok"`
		Entries     int64    `json:"entries"`
		Differences []string `json:"differences"`
	}{len(differences) == 0, entries, notNil(differences)})
}

// requestOut is a call as it is shown.
type requestOut struct {
	ID        string    `json:"id"`   // as the caller knows it: x-request-id
	Call      string    `json:"call"` // unique for ever
	Time      time.Time `json:"time"`
	Team      string    `json:"team"`
	Key       string    `json:"key"` // team/name
	User      string    `json:"user,omitempty"`
	Operation string    `json:"operation"`
	Model     string    `json:"model"`
	Prompt    string    `json:"prompt,omitempty"`
	Version   int       `json:"version,omitempty"`
	Stream    bool      `json:"stream"`
	Tags      []string  `json:"tags"`
	outcome
	bill
	Route *routeRequest `json:"route,omitempty"` // absent: it is a call of a model, in the ledger
}

// outcome is what became of a call.
type outcome struct {
	Provider  string               `json:"provider,omitempty"`
	Target    string               `json:"target,omitempty"`
	Status    int                  `json:"status"`
	Code      string               `json:"code,omitempty"`
	Origin    string               `json:"origin,omitempty"`
	Refused   bool                 `json:"refused"`
	Attempts  []billing.AttemptLog `json:"attempts"`
	LatencyMS int64                `json:"latency_ms"`
	TTFTMS    *int64               `json:"ttft_ms"` // null: no byte came
	Cache     string               `json:"cache,omitempty"`
	Guards    []guard.Record       `json:"guards"` // what guards did
	Left      bool                 `json:"disconnect"`
	Delivered int64                `json:"delivered_tokens"`
	Trace     string               `json:"trace_id,omitempty"` // of W3C Trace Context
}

// bill is what a call used and cost.
type bill struct {
	Tokens    tokens       `json:"tokens"`
	Tier      string       `json:"service_tier,omitempty"` // that the provider served the call at; none: the usual one
	Source    string       `json:"source"`                 // of the figures: reported, counted, estimated or none
	USD       billing.Nano `json:"usd"`
	ExcessUSD billing.Nano `json:"excess_usd"` // of usd, what went beyond the hold
	SavedUSD  billing.Nano `json:"saved_usd"`
	Provider  billing.Nano `json:"provider_usd"` // what the provider charges: usd, but for a team with prices of its own
	Price     string       `json:"price_version,omitempty"`
}

type tokens struct {
	Input       int64 `json:"input"`
	CachedInput int64 `json:"cached_input"`
	CacheWrite  int64 `json:"cache_write"`
	Output      int64 `json:"output"`
	Reasoning   int64 `json:"reasoning"`
	AudioInput  int64 `json:"audio_input,omitempty"`
	AudioOutput int64 `json:"audio_output,omitempty"`
	Images      int64 `json:"images,omitempty"`
}

func showRequestOf(e *billing.Entry) requestOut {
	u := &e.Usage
	out := requestOut{ID: e.RequestID, Call: e.Call, Time: e.Time.UTC(), Team: e.Team, Key: e.Key, User: e.User,
		Operation: e.Operation, Model: e.Model, Prompt: e.Prompt, Version: e.Version, Stream: e.Stream, Tags: notNil(e.Tags),
		outcome: outcome{Provider: e.Provider, Target: e.Target, Status: e.Status, Code: e.Code, Origin: e.Origin, Refused: e.Refused,
			Attempts: e.Attempts, LatencyMS: e.Latency.Milliseconds(), Cache: e.Cache, Left: e.Disconnect, Delivered: e.Delivered, Trace: e.Trace},
		bill: bill{Tokens: tokens{u.Input, u.CachedInput, u.CacheWrite, u.Output, u.Reasoning, u.AudioInput, u.AudioOutput, u.Images},
			Tier: u.Tier, Source: u.Source.String(), USD: e.Cost, ExcessUSD: e.Excess, SavedUSD: e.Saved, Provider: e.Cost - e.Markup, Price: e.PriceVersion}}
	if out.Guards = []guard.Record{}; e.Guards != "" {
		_ = json.Unmarshal([]byte(e.Guards), &out.Guards) // it is ours: nothing else writes it
	}
	if out.Attempts == nil {
		out.Attempts = []billing.AttemptLog{}
	}
	if e.Delivered < 0 {
		out.Delivered = u.Output
	}
	if e.TTFT > 0 {
		ms := e.TTFT.Milliseconds()
		out.TTFTMS = &ms
	}
	return out
}

func (a *api) listRequests(q *request) error {
	values, err := q.query("from", "to", "team", "key", "model", "prompt", "status", "tag", "min_usd", "q", "limit", "after")
	if err != nil {
		return err
	}
	span, err := billing.ParseQuery(values.Get("from"), values.Get("to"), "", a.Now(), a.Location())
	if err != nil {
		return err
	}
	query := billing.RequestQuery{Key: values.Get("key"), Model: values.Get("model"), Prompt: values.Get("prompt"),
		Tag: values.Get("tag"), Text: values.Get("q"), After: values.Get("after")}
	if values.Get("from") != "" || values.Get("to") != "" { // else a list is of all times
		query.From, query.To = span.From, span.To
	}
	if query.Team, err = q.teamFilter(values.Get("team")); err != nil {
		return err
	}
	if query.Limit, err = limit(values); err != nil {
		return err
	}
	if text := values.Get("status"); text != "" {
		if query.Status, err = strconv.Atoi(text); err != nil {
			return schema.Invalid("status", "status %.20q is not a number", text)
		}
	}
	if text := values.Get("min_usd"); text != "" {
		if query.MinUSD, err = billing.ParseUSD(text); err != nil {
			return schema.Invalid("min_usd", "min_usd: %v", err)
		}
	}
	a.flush(q.Context())
	entries, next, err := a.Ledger.Requests(q.Context(), query)
	if err != nil {
		return err
	}
	out := list[requestOut]{Data: make([]requestOut, len(entries))}
	for i := range entries {
		out.Data[i] = showRequestOf(&entries[i])
	}
	if next != "" {
		out.Next = &next
	}
	if len(entries) == 0 && onlyText(values) {
		if r := a.recent(q, query.Text); r != nil {
			out.Data = append(out.Data, *r)
		}
	}
	return q.answer(http.StatusOK, out)
}

func (a *api) showRequest(q *request) error {
	a.flush(q.Context())
	id := q.PathValue("id")
	e, err := a.Ledger.Request(q.Context(), id)
	if err != nil {
		if out := a.recent(q, id); out != nil {
			return q.answer(http.StatusOK, out)
		}
		return err
	}
	if !q.id.Owns(e.Team) {
		return errNotFound("no call %q: not found", id)
	}
	out := struct {
		requestOut
		Corrections []correctionOut `json:"corrections,omitempty"`
		Net         *billing.Nano   `json:"net_usd,omitempty"` // with corrections; absent: there are none
	}{requestOut: showRequestOf(e)}
	account, err := a.Ledger.Account(q.Context(), e.Call)
	if err != nil {
		return err
	}
	for i := range account.Corrections {
		out.Corrections = append(out.Corrections, showCorrection(&account.Corrections[i]))
	}
	if net := account.Net(); len(out.Corrections) > 0 {
		out.Net = &net
	}
	return q.answer(http.StatusOK, out)
}
