package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/prompts"
	"sluice/providers/dialect"
	"sluice/providers/mock"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

// asker calls prompts that are not published: it renders them here and has
// their models asked by a running gateway, as any client's call; or, for models
// of the provider mock, by the mock in this process.
type asker struct {
	url, key, model string
	others          map[string]*prompts.Template // the prompts beside those that are asked, for their steps
	mock            *mock.Mock
	prices          *billing.Prices // the mock's
	http            http.Client
}

const defaultData = "http://127.0.0.1:8080"

func (a *asker) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.url, "url", "", "URL of a gateway (default $SLUICE_URL, else "+defaultData+"); models mock/… need none")
	f.StringVar(&a.key, "key", "", "key for the gateway (default $SLUICE_KEY)")
	f.StringVar(&a.model, "model", "", "model to ask instead of the prompt's own, such as mock/echo")
}

// prepare fills in what the flags left out. models are those that will be
// asked.
func (a *asker) prepare(models ...string) error {
	local := a.url == ""
	a.url = strings.TrimRight(cmp.Or(a.url, os.Getenv("SLUICE_URL"), defaultData), "/")
	if !strings.Contains(a.url, "://") {
		a.url = "http://" + a.url
	}
	a.key = cmp.Or(a.key, os.Getenv("SLUICE_KEY"))
	if local {
		var err error
		counter := billing.NewCounter()
		a.mock = mock.New(mock.Options{Count: func(text string) int64 { return counter.Count("mock", text) }})
		if a.prices, err = billing.ParsePrices(billing.PriceSpec{Input: "1", Output: "2"}); err != nil {
			return err
		}
	}
	for _, m := range models {
		if m == "" {
			return unusable("the prompt names no model: give one with --model")
		}
		if a.key == "" && !a.offline(m) {
			return unusable("the model %q is asked through a gateway: give --key (or set SLUICE_KEY), or try the prompt offline with --model mock/echo", m)
		}
	}
	a.http.Timeout = 10 * time.Minute
	return nil
}

// offline tells whether a model is answered in this process.
func (a *asker) offline(model string) bool {
	return a.mock != nil && strings.HasPrefix(model, "mock/")
}

// ask calls a prompt: it is a prompts.Ask. Output that breaks the prompt's
// schema is repaired as the gateway does.
func (a *asker) ask(ctx context.Context, t *prompts.Template, model string, input map[string]any) (out prompts.Answer) {
	began := time.Now()
	defer func() { out.Latency = time.Since(began) }()
	out.Model = cmp.Or(model, t.Model)
	if t.Model == prompts.Verbatim { // what it puts together is not for a model
		out.Model = t.Model
	}
	input, cost, err := a.runSteps(ctx, t, model, input)
	if out.Cost = cost; err != nil {
		out.Err = err
		return out
	}
	rendered, err := t.Render(prompts.RenderInput{Input: input, Context: map[string]any{
		"caller": map[string]any{"team": "", "key": ""}, "now": began.UTC().Format("2006-01-02T15:04:05Z")}})
	if err != nil {
		out.Err = err
		return out
	}
	req, err := rendered.ChatRequest()
	if err != nil {
		out.Err = err
		return out
	}
	req.Model = out.Model
	for turn := 0; ; turn++ {
		text, cost, err := a.chat(ctx, req)
		out.Cost += int64(cost)
		if err != nil {
			out.Err = err
			return out
		}
		value, faults := t.CheckOutput(text)
		if len(faults) == 0 {
			out.Text = text
			if value != nil {
				out.Text = string(value)
			}
			return out
		}
		if turn >= t.Sluice.Repair {
			out.Err = fmt.Errorf("the model's output breaks the prompt's schema: %s %s", faults[0].Pointer, faults[0].Message)
			return out
		}
		req.Messages = append(req.Messages, schema.Message{Role: schema.RoleAssistant, Parts: schema.TextParts(text)},
			schema.Message{Role: schema.RoleUser, Parts: schema.TextParts(t.RepairMessage(faults))})
	}
}

// runSteps makes the calls of sluice.steps, one after the other, and gives the
// input with what they bring. A step that calls a route has to be given: only a
// gateway has routes.
func (a *asker) runSteps(ctx context.Context, t *prompts.Template, model string, input map[string]any) (map[string]any, int64, error) {
	if len(t.Sluice.Steps) == 0 {
		return input, 0, nil
	}
	depth, _ := ctx.Value(stepDepth{}).(int)
	if depth >= prompts.MaxStepDepth {
		return nil, 0, fmt.Errorf("steps call prompts with steps more than %d deep: do they go in a circle?", prompts.MaxStepDepth)
	}
	ctx = context.WithValue(ctx, stepDepth{}, depth+1)
	values, cost := t.Filled(input), int64(0)
	for _, stage := range t.Sluice.Steps {
		results := map[string]any{} // steps of a stage do not see each other's
		for _, s := range stage {
			v, took, err := a.runStep(ctx, &s, model, values)
			if cost += took; err != nil {
				return nil, cost, fmt.Errorf("step %s: %w", s.As, err)
			}
			results[s.As] = v
		}
		maps.Copy(values, results)
	}
	return values, cost, nil
}

// stepDepth is the key of how deep in steps a call is.
type stepDepth struct{}

func (a *asker) runStep(ctx context.Context, s *prompts.Step, model string, values map[string]any) (result any, cost int64, err error) {
	if s.Given != nil {
		return *s.Given, 0, nil
	}
	if s.Prompt == "" {
		return nil, 0, fmt.Errorf("only a gateway calls the route %q: let the test say what it brings (steps: {%s: …}), publish the prompt, or POST it to /admin/v1/prompts/NAME/test", s.Route, s.As)
	}
	other := a.others[s.Prompt]
	if other == nil {
		bare, _ := prompts.SplitVersion(s.Prompt)
		other = a.others[bare]
	}
	if other == nil {
		return nil, 0, fmt.Errorf("there is no prompt %q beside it", s.Prompt)
	}
	input, err := s.Inputs(values)
	if err != nil {
		return nil, 0, err
	}
	if faults := other.CheckInput(input); len(faults) > 0 {
		return nil, 0, fmt.Errorf("its input does not fit the schema of %s: %s %s", s.Prompt, faults[0].Pointer, faults[0].Message)
	}
	if m := cmp.Or(model, other.Model); a.key == "" && !a.offline(m) {
		return nil, 0, fmt.Errorf("the model %q is asked through a gateway: give --key (or set SLUICE_KEY), or try the prompt offline with --model mock/echo", m)
	}
	out := a.ask(ctx, other, model, input)
	if out.Err != nil || other.Output.Format != "json" {
		return out.Text, out.Cost, out.Err
	}
	result, err = prompts.DecodeValue([]byte(out.Text))
	return result, out.Cost, err
}

// beside reads the prompts that steps may call: those of a directory, or of a
// file's.
func (a *asker) beside(path string) error {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		path = filepath.Dir(path)
	}
	list, _, err := prompts.ReadDir(path) // what has faults is not there for steps
	a.others = map[string]*prompts.Template{}
	for _, l := range list {
		a.others[l.Name] = l.Template
	}
	return err
}

// chat asks a model once.
func (a *asker) chat(ctx context.Context, req *schema.ChatRequest) (string, billing.Nano, error) {
	if a.offline(req.Model) {
		local := *req
		local.Model = strings.TrimPrefix(req.Model, "mock/")
		resp, err := a.mock.Chat(ctx, &local)
		if err != nil {
			return "", 0, err
		}
		cost := a.prices.Cost(resp.Usage)
		if req.Model == prompts.Verbatim {
			cost = 0
		}
		return textOf(resp), cost, nil
	}
	up, err := openai.Dialect.Chat.Encode(req)
	if err != nil {
		return "", 0, err
	}
	body, cost, err := a.post(ctx, up)
	if err != nil {
		return "", cost, err
	}
	resp, err := openai.Dialect.Chat.Decode(body)
	if err != nil {
		return "", cost, err
	}
	return textOf(resp), cost, nil
}

// post has a request answered by the gateway.
func (a *asker) post(ctx context.Context, up *dialect.Upstream) ([]byte, billing.Nano, error) {
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/v1"+up.Path, bytes.NewReader(up.Body))
	if err != nil {
		return nil, 0, err
	}
	hr.Header.Set("Authorization", "Bearer "+a.key)
	hr.Header.Set("Content-Type", "application/json")
	res, err := a.http.Do(hr)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot reach the gateway: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, longestAnswer))
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read the gateway's answer: %w", err)
	}
	cost, _ := billing.ParseUSD(res.Header.Get("X-Sluice-Cost")) // not told: counted as nothing
	if res.StatusCode != http.StatusOK {
		return nil, cost, fmt.Errorf("the gateway answered %s: %s", res.Status, cmp.Or(gjson.GetBytes(body, "error.message").String(), "no reason given"))
	}
	return body, cost, nil
}

// embed gives the vectors of texts: it is a prompts.Embed.
func (a *asker) embed(ctx context.Context, model string, texts []string) ([][]float32, error) {
	req := &schema.EmbedRequest{Model: model, Input: texts}
	if a.offline(model) {
		req.Model = strings.TrimPrefix(model, "mock/")
		resp, err := a.mock.Embed(ctx, req)
		if err != nil {
			return nil, err
		}
		return resp.Vectors(), nil
	}
	up, err := openai.Dialect.Embed.Encode(req)
	if err != nil {
		return nil, err
	}
	body, _, err := a.post(ctx, up)
	if err != nil {
		return nil, err
	}
	resp, err := openai.Dialect.Embed.Decode(body)
	if err != nil {
		return nil, err
	}
	return resp.Vectors(), nil
}

func textOf(r *schema.ChatResponse) string {
	if len(r.Choices) == 0 {
		return ""
	}
	return r.Choices[0].Message.Text()
}
