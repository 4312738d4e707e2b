package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"sluice/billing"
	"sluice/prompts"
	"sluice/providers/schema"
)

// chosen reads which version a query names: by version=N or label=NAME, else
// what production points to.
func chosen(version, label string) (int, string, error) {
	if version == "" {
		return 0, label, nil
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 {
		return 0, "", schema.Invalid("version", "a version is a number from 1 on, not %q", version)
	}
	return n, "", nil
}

// live is a version of a prompt that is served.
func (a *api) live(ctx context.Context, name string, n int, label string) (*prompts.Live, error) {
	if a.Live == nil {
		return nil, errNotFound("there is no prompt %q", name)
	}
	l, err := a.Live(ctx, name, n, label)
	if errors.Is(err, prompts.ErrNoPrompt) || errors.Is(err, prompts.ErrNoVersion) {
		return nil, errNotFound("%s", err.Error())
	}
	return l, err
}

// diffPrompt tells what differs between two versions: ?from=3&to=4. Without to
// it is production, without from the version before to.
func (a *api) diffPrompt(q *request) error {
	values, err := q.query("from", "to")
	if err != nil {
		return err
	}
	name := q.PathValue("name")
	n, _, err := chosen(values.Get("to"), "")
	if err != nil {
		return err
	}
	to, err := a.live(q.Context(), name, n, "")
	if err != nil {
		return err
	}
	if n, _, err = chosen(values.Get("from"), ""); err != nil {
		return err
	}
	if n == 0 {
		if n = to.Version - 1; n == 0 {
			return schema.Invalid("from", "version 1 is the first: say from and to")
		}
	}
	from, err := a.live(q.Context(), name, n, "")
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, prompts.Compare(from, to))
}

// renderPrompt shows the messages that a version makes of an input:
// ?input={…}&version=3, in Dotprompt's own shapes. No model is asked.
func (a *api) renderPrompt(q *request) error {
	values, err := q.query("input", "version", "label")
	if err != nil {
		return err
	}
	n, label, err := chosen(values.Get("version"), values.Get("label"))
	if err != nil {
		return err
	}
	l, err := a.live(q.Context(), q.PathValue("name"), n, label)
	if err != nil {
		return err
	}
	input, err := prompts.DecodeInput([]byte(values.Get("input")))
	if err != nil {
		return schema.Invalid("input", "%v", err)
	}
	if p := l.Template.CheckInput(input); len(p) > 0 {
		return errUnfit(p)
	}
	rendered, err := l.Template.Render(prompts.RenderInput{Input: input, Context: map[string]any{
		"caller": map[string]any{"team": "", "key": ""}, "now": a.Now().UTC().Format("2006-01-02T15:04:05Z")}})
	if err != nil {
		return schema.Invalid("input", "%v", err)
	}
	return q.answer(http.StatusOK, rendered)
}

// errUnfit is the refusal of an input that breaks a prompt's schema.
func errUnfit(problems []prompts.Problem) error {
	e := faulty{err: &schema.Error{Code: schema.CodeInvalidRequest, Status: http.StatusUnprocessableEntity,
		Origin: schema.OriginGateway, Param: "input", Message: "the input does not fit the schema"}}
	for _, p := range problems {
		e.faults = append(e.faults, fault{Pointer: &p.Pointer, Message: p.Message})
	}
	return e
}

// testOut is one run of a test as it is shown.
type testOut struct {
	Test      string            `json:"test"`
	Model     string            `json:"model"`
	Run       int               `json:"run"`
	Passed    bool              `json:"passed"`
	Failures  []prompts.Failure `json:"failures"`
	Output    string            `json:"output"`
	Cost      billing.Nano      `json:"cost"`
	LatencyMS int64             `json:"latency_ms"`
}

// testIn says what is tested.
type testIn struct {
	Source   string            `json:"source"` // empty: of a published version
	Partials map[string]string `json:"partials"`
	Version  int               `json:"version"` // 0: what the label points to
	Label    string            `json:"label"`   // empty: production
	Model    string            `json:"model"`   // empty: what the tests and the prompt say
}

// testPrompt runs a prompt's tests: those of a source that is sent, else those
// of a version that is published.
func (a *api) testPrompt(q *request) error {
	var in testIn
	if err := q.read(&in); err != nil {
		return err
	}
	if a.Test == nil {
		return errConflict("this gateway runs no tests")
	}
	name := q.PathValue("name")
	if in.Source == "" {
		l, err := a.live(q.Context(), name, in.Version, in.Label)
		if err != nil {
			return err
		}
		in.Source, in.Partials = string(l.Source), l.Partials
	}
	results, err := a.Test(q.Context(), Publication{Name: name, Source: []byte(in.Source), Partials: in.Partials}, in.Model)
	var faults prompts.Faults
	if asFaults(err, &faults) {
		return errFaulty("the prompt has faults", faults)
	}
	if err != nil {
		return err
	}
	out := struct {
		Passed  int       `json:"passed"`
		Failed  int       `json:"failed"`
		Results []testOut `json:"results"`
	}{Results: []testOut{}}
	for i := range results {
		r := &results[i]
		o := testOut{Test: r.Test, Model: r.Model, Run: r.Run, Passed: r.Passed(), Failures: r.Failures, Output: r.Answer.Text,
			Cost: billing.Nano(r.Answer.Cost), LatencyMS: r.Answer.Latency.Milliseconds()}
		if o.Failures == nil {
			o.Failures = []prompts.Failure{}
		}
		if o.Passed {
			out.Passed++
		} else {
			out.Failed++
		}
		out.Results = append(out.Results, o)
	}
	return q.answer(http.StatusOK, out)
}

// review refuses a publication that something speaks against.
func (a *api) review(ctx context.Context, p Publication) error {
	if a.Review == nil || p.Force {
		return nil
	}
	against, err := a.Review(ctx, p)
	var faults prompts.Faults
	switch {
	case asFaults(err, &faults):
		return errFaulty("the prompt has faults and was not published", faults)
	case err != nil:
		return err
	case len(against) > 0:
		return errFaulty("the prompt was not published; force publishes it all the same", errors.New(strings.Join(against, "\n")))
	}
	return nil
}
