package gateway

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/prompts"
	"sluice/providers"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// servePrompt is a call of a prompt's own endpoint: input in, output out.
func (c *Call) servePrompt(version int) error {
	if c.from.method == fasthttp.MethodOptions && len(c.prompt.Template.Sluice.Origins) > 0 {
		return c.preflight()
	}
	if c.from.method != fasthttp.MethodPost && c.from.method != fasthttp.MethodGet {
		return errMethod(c, "GET, POST")
	}
	c.notePrompt()
	c.entry.Tags = labels(splitTags(c.rc.Request.Header.Peek("X-Sluice-Tags")))
	if err := c.authenticatePrompt(); err != nil {
		return err
	}
	if err := c.takeVersion(version); err != nil {
		return err
	}
	if err := c.takePart(); err != nil {
		return err
	}
	serve := (*Call).serveOneInput
	if c.hasInputs() {
		serve = (*Call).serveInputs
	}
	if id := c.rc.Request.Header.Peek("Idempotency-Key"); len(id) > 0 {
		return c.serveOnce(string(id), serve)
	}
	return serve(c)
}

// notePrompt writes into the entry that a prompt is called.
func (c *Call) notePrompt() {
	e := &c.entry
	e.Operation, e.Prompt, e.Version, e.Model = schema.OpChat.String(), c.prompt.Name, c.prompt.Version, c.prompt.Template.Model
}

// serveOneInput answers one input with one output.
func (c *Call) serveOneInput() error {
	input, err := c.promptInput()
	if err != nil {
		return err
	}
	if err := c.begin(input, ""); err != nil {
		return err
	}
	if c.wantsEvents() {
		c.entry.Stream = true
		c.req.Unified.Stream = true
		return c.streamPrompt()
	}
	output, err := c.promptOutput(0)
	if err != nil {
		return err
	}
	return c.sendPrompt(output)
}

// begin takes a prompt's call, whose input has been checked, to where a model
// can be asked: the prompt's own if model is empty.
func (c *Call) begin(input map[string]any, model string) error {
	if c.ctx == nil { // else open already: see serveOnce
		if err := c.deadline(); err != nil {
			return err
		}
	}
	if err := c.served(); err != nil {
		return err
	}
	c.subscribed()
	c.sample(input)
	input, err := c.runSteps(input)
	if err != nil {
		return err
	}
	if err := c.render(input); err != nil {
		return err
	}
	if model != "" {
		c.req.Unified.Model, c.req.Head.Model = model, model
	}
	if c.model, err = c.snap.Resolve(c.req.Head.Model); err != nil {
		return &schema.Error{Code: schema.CodeNoTarget, Status: 503, Origin: schema.OriginGateway,
			Message: "the prompt's model '" + c.req.Head.Model + "' is not served here", Cause: err}
	}
	c.g.watch.leaves(&c.watch, c.leaving()) // the call was open before its model was known
	if err := c.admit(); err != nil {
		return err
	}
	return c.guardIn()
}

// findPrompt is the prompt served at the call's path, and the version that the
// path names (/name@3); 0: none.
func (c *Call) findPrompt() (live *prompts.Live, version int, err error) {
	live, version, ok := c.promptAt()
	if !ok {
		return nil, 0, errNotFound(c.from.path)
	}
	return live, version, nil
}

// promptAt is findPrompt for those who take none for an answer.
func (c *Call) promptAt() (live *prompts.Live, version int, ok bool) {
	set := c.g.prompts.Snapshot()
	if live, ok = set.ByPath(c.from.path); !ok {
		var bare string
		if bare, version = prompts.SplitVersion(c.from.path); version > 0 {
			live, ok = set.ByPath(bare)
		}
	}
	return live, version, ok
}

// takeVersion goes over to the version or label that the caller chose, by path
// or header. It is for those who may call the prompt at all: others learn
// nothing of its versions, and cause no look at the store.
func (c *Call) takeVersion(version int) error {
	chosen, err := c.chooseVersion(c.g.prompts.Snapshot(), c.prompt, version)
	if err != nil || chosen == c.prompt {
		return err
	}
	c.prompt = chosen
	c.notePrompt()
	return c.authenticatePrompt()
}

// chooseVersion is the version of a prompt that serves the call: the one that
// it names, by number or label, else what the bare name stands for.
func (c *Call) chooseVersion(set *prompts.Set, live *prompts.Live, version int) (*prompts.Live, error) {
	h := &c.rc.Request.Header
	label := string(h.Peek("X-Prompt-Label"))
	if v := h.Peek("X-Prompt-Version"); len(v) > 0 && version == 0 {
		n, err := strconv.Atoi(string(v))
		if err != nil || n < 1 {
			return nil, schema.Invalid("x-prompt-version", "x-prompt-version must be a version's number, not %q", string(v))
		}
		version = n
	}
	if version == 0 && label == "" {
		return live, nil
	}
	chosen, err := set.Resolve(c.g.ctx, live.Name, version, label)
	switch {
	case errors.Is(err, prompts.ErrNoVersion):
		return nil, &schema.Error{Code: schema.CodeNotFound, Status: 404, Origin: schema.OriginGateway, Message: err.Error()}
	case err != nil:
		return nil, &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway,
			Message: "that version cannot be read now", RetryAfter: 5 * time.Second, Cause: err}
	}
	return chosen, nil
}

// authenticatePrompt lets anyone call a public prompt, any key one for any
// key, and to one that is subscribed those whose team has subscribed to it, or
// whose grants name it.
func (c *Call) authenticatePrompt() error {
	if c.isPublic() && c.credential() == "" {
		c.caller = c.snap.Public
		c.entry.Team, c.entry.KeyID, c.entry.Key = c.caller.Key.Team, c.caller.Key.ID, c.caller.Label
		return nil
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	return c.grantPrompt()
}

// production is what the prompt's bare path serves now. What its access allows
// bounds every version that a caller may choose: an old one does not bring back
// what was open once.
func (c *Call) production() *prompts.Live {
	if live, ok := c.g.prompts.Snapshot().ByName(c.prompt.Name); ok {
		return live
	}
	return c.prompt
}

func (c *Call) isPublic() bool {
	const public = prompts.AccessPublic
	return c.prompt.Template.Sluice.Access == public && c.production().Template.Sluice.Access == public
}

// promptInput reads the input from the body (JSON, form, multipart) or, for
// GET, the query, and checks it against the prompt's schema.
func (c *Call) promptInput() (map[string]any, error) {
	t := c.prompt.Template
	input, err := c.readInput()
	if err != nil {
		return nil, err
	}
	if problems := problemsOf(t, input, ""); len(problems) > 0 {
		return nil, errInput(problems)
	}
	return input, nil
}

// problemsOf is everything that is wrong with an input; pointers begin at
// where.
func problemsOf(t *prompts.Template, input map[string]any, where string) []prompts.Problem {
	faults := t.CheckInput(input)
	problems := make([]prompts.Problem, len(faults))
	for i, f := range faults {
		problems[i] = prompts.Problem{Pointer: where + f.Pointer, Message: f.Message}
	}
	return problems
}

func (c *Call) readInput() (map[string]any, error) {
	t := c.prompt.Template
	if c.from.method == fasthttp.MethodGet {
		return inputOf(t, pairs(c.rc.QueryArgs()))
	}
	kind := string(c.rc.Request.Header.ContentType())
	body := c.rc.PostBody()
	switch {
	// curl -d calls every body a form, JSON too; no form begins with a brace.
	case strings.HasPrefix(kind, "application/x-www-form-urlencoded") && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")):
		return inputOf(t, pairs(c.rc.PostArgs()))
	case strings.HasPrefix(kind, "multipart/form-data"):
		// A compressed form counts by what it unpacks to.
		limit := c.snap.Settings.BodyLimit
		form, err := c.rc.Request.MultipartFormWithLimit(int(limit))
		if errors.Is(err, fasthttp.ErrBodyTooLarge) {
			return nil, errTooLarge(limit)
		}
		if err != nil {
			return nil, schema.Invalid("", "the body is not a valid multipart form: %v", err)
		}
		list, err := formPairs(form)
		if err != nil {
			return nil, err
		}
		return inputOf(t, list)
	}
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	input, err := prompts.DecodeInput(body)
	if err != nil {
		return nil, &schema.Error{Code: schema.CodeInvalidJSON, Status: 400, Origin: schema.OriginGateway,
			Message: "the body is not a JSON object: " + err.Error(), Class: schema.ClassInvalidRequest}
	}
	return input, nil
}

// inputOf is the input that a form or a query stands for.
func inputOf(t *prompts.Template, list []prompts.Pair) (map[string]any, error) {
	input, err := t.InputFromPairs(list)
	if err != nil {
		return nil, schema.Invalid("", "the input cannot be read: %v", err)
	}
	return input, nil
}

// render makes the unified request of the input.
func (c *Call) render(input map[string]any) error {
	t := c.prompt.Template
	in := prompts.RenderInput{Input: input}
	if t.ReadsContext() {
		in.Context = promptContext(c.entry.Team, c.entry.Key, c.now)
	}
	rendered, err := t.Render(in)
	if err != nil {
		return schema.Invalid("", "the prompt cannot be rendered with this input: %v", err)
	}
	req, err := rendered.ChatRequest()
	if err != nil {
		return err
	}
	c.req = providers.Request{Op: schema.OpChat, Unified: req, Head: headOf(req)}
	return nil
}

// promptContext is what a template sees as @ variables.
func promptContext(team, key string, now time.Time) map[string]any {
	return map[string]any{
		"caller": map[string]any{"team": team, "key": key},
		"now":    now.UTC().Format("2006-01-02T15:04:05Z"),
	}
}

// headOf is the head of a request that was not read from a body.
func headOf(req *schema.ChatRequest) schema.Head {
	h := schema.Head{Model: req.Model, N: 1, User: req.User, WantsUsage: true, ServiceTier: req.ServiceTier}
	if req.MaxTokens != nil {
		h.MaxTokens = *req.MaxTokens
	}
	for i := range req.Messages {
		h.PromptSize += 16
		for j := range req.Messages[i].Parts {
			p := &req.Messages[i].Parts[j]
			h.PromptSize += len(p.Text)
			if p.Media != nil {
				h.HasMedia = true
				h.PromptSize += len(p.Media.Data) + len(p.Media.URL)
			}
		}
	}
	for i := range req.Tools {
		h.PromptSize += len(req.Tools[i].Parameters) + len(req.Tools[i].Description) + 32
	}
	if req.ResponseFormat != nil {
		h.PromptSize += len(req.ResponseFormat.Schema)
	}
	return h
}

// output is what a prompt's call gave.
type output struct {
	json []byte // format json: the checked value; else nil
	text string
	chat *schema.ChatResponse // the model's last answer
}

// value is the output as JSON: the checked value, or the text as a string.
func (o *output) value() []byte {
	if o.json != nil {
		return o.json
	}
	return wire.AppendString(nil, o.text)
}

// promptOutput asks the model, checks what it says and, while it breaks the
// schema, shows it its fault and asks again.
//
// turn is how many answers were wrong already. A model that does not get it
// right gives way to its fallback for invalid_output, which is asked afresh.
func (c *Call) promptOutput(turn int) (output, error) {
	if turn == 0 {
		if out, ok, err := c.keptOutput(); ok || err != nil {
			return out, err
		}
	}
	asked := c.req.Unified
	for ; ; turn++ {
		answer, err := c.whole((*providers.Provider).Chat)
		if err != nil {
			return output{}, err
		}
		c.charge(&answer.Tally)
		if err := c.guardOut(answer); err != nil {
			answer.Release()
			return output{}, err
		}
		text := answerText(answer.Chat)
		answer.Release()
		out, faults := c.checkOutput(text)
		if faults == nil {
			out.chat = answer.Chat
			c.reusableOutput(out.chat)
			c.answeredWith(&out)
			return out, nil
		}
		if turn < c.prompt.Template.Sluice.Repair {
			err = c.askAgain(text, faults)
		} else {
			turn, err = -1, c.askFallback(asked, errOutput(faults))
		}
		if err != nil {
			return output{}, err
		}
	}
}

func (c *Call) checkOutput(text string) (output, []prompts.Problem) {
	if !c.prompt.Template.Output.JSON() {
		return output{text: text}, nil
	}
	value, faults := c.prompt.Template.CheckOutput(text)
	if len(faults) > 0 {
		return output{}, faults
	}
	return output{json: value, text: text}, nil
}

func answerText(r *schema.ChatResponse) string {
	if r == nil || len(r.Choices) == 0 {
		return ""
	}
	return r.Choices[0].Message.Text()
}

// sendPrompt answers with the output alone, or in an envelope if the caller
// prefers one.
func (c *Call) sendPrompt(out output) error {
	c.answerHeaders(nil)
	h := &c.rc.Response.Header
	c.costHeader()
	if c.wantsEnvelope() {
		h.Set("Preference-Applied", "return=envelope")
		h.SetContentType("application/json")
		c.rc.Response.SetBodyRaw(c.envelope(nil, out, true))
		return nil
	}
	body := wire.View(out.json)
	h.SetContentType("application/json")
	if out.json == nil {
		h.SetContentType("text/plain; charset=utf-8")
		body = out.text
	}
	if !c.cacheable(body) {
		c.rc.Response.SetBodyString(body)
	}
	return nil
}

// wantsEnvelope tells whether the caller wants more than the output.
func (c *Call) wantsEnvelope() bool {
	return strings.Contains(string(c.rc.Request.Header.Peek("Prefer")), "return=envelope")
}

// envelope is {output, usage, cost, model, prompt, version}; the event done of
// a stream leaves model and prompt out.
func (c *Call) envelope(b []byte, out output, whole bool) []byte {
	e, usage := &c.entry, c.entry.Usage
	addUsage(&usage, c.money.steps.usage)
	b = append(append(b, `{"output":`...), out.value()...)
	b = strconv.AppendInt(append(b, `,"usage":{"input_tokens":`...), usage.Input, 10)
	b = strconv.AppendInt(append(b, `,"output_tokens":`...), usage.Output, 10)
	b = strconv.AppendInt(append(b, `,"cached_input_tokens":`...), usage.CachedInput, 10)
	b = append(b, `},"cost":"`...)
	b = append(c.totalCost().AppendTo(b), '"')
	if whole {
		b = wire.AppendString(append(b, `,"model":`...), c.answeredBy())
		b = wire.AppendString(append(b, `,"prompt":`...), e.Prompt)
	}
	b = strconv.AppendInt(append(b, `,"version":`...), int64(e.Version), 10)
	return append(b, '}')
}

// wantsEvents tells whether the caller asked for a stream.
func (c *Call) wantsEvents() bool {
	if strings.Contains(string(c.rc.Request.Header.Peek("Accept")), "text/event-stream") {
		return true
	}
	stream := string(c.rc.QueryArgs().Peek("stream"))
	return stream == "1" || stream == "partial"
}
