package gateway

import (
	"io"
	"strings"

	"sluice/gateway/cache"
	"sluice/prompts"
	"sluice/providers"
	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// promptModel begins the names under which prompts are models.
const promptModel = "prompt/"

// serveAsModel serves a chat whose model is prompt/NAME, or prompt/NAME@3: the
// last user message is the input, as JSON or as plain text. Everything else of
// the request (earlier turns, settings, tools) is the prompt's own affair and
// is not looked at, but whether to stream.
func (c *Call) serveAsModel(name string) error {
	if err := c.findPromptModel(name); err != nil {
		return err
	}
	input, err := c.modelInput()
	if err != nil {
		return err
	}
	return c.answerAsModel(input, c.req.Head.Stream, c.req.Head.WantsUsage)
}

// answerAsModel calls the prompt with an input and answers in the dialect that
// the caller speaks, under the model's name that it asked for.
func (c *Call) answerAsModel(input map[string]any, stream, usage bool) error {
	asked := c.entry.Model
	c.notePrompt()
	c.entry.Model, c.entry.Stream = asked, false
	if err := c.begin(input, ""); err != nil {
		return err
	}
	if stream && !c.prompt.Template.Output.JSON() {
		out, ok, err := c.keptOutput()
		if err != nil {
			return err
		}
		if ok {
			return c.sendAsModel(out, true, usage)
		}
		return c.streamAsModel(usage)
	}
	out, err := c.promptOutput(0)
	if err != nil {
		return err
	}
	return c.sendAsModel(out, stream, usage)
}

// findPromptModel finds the prompt behind a model's name and checks that the
// caller may call it.
func (c *Call) findPromptModel(name string) error {
	set := c.g.prompts.Snapshot()
	live, ok := set.ByName(name)
	version := 0
	if !ok {
		name, version = prompts.SplitVersion(name)
		if live, ok = set.ByName(name); !ok {
			return noSuchModel(promptModel + name)
		}
	}
	return c.takeNamed(live, version)
}

// takeNamed takes the version of a prompt that serves a call which names it
// otherwise than by its path, if the caller may call it.
func (c *Call) takeNamed(live *prompts.Live, version int) error {
	set := c.g.prompts.Snapshot()
	var err error
	if live, err = c.chooseVersion(set, live, version); err != nil {
		return err
	}
	c.prompt = live
	if err := c.grantPrompt(); err != nil {
		return err
	}
	if version > 0 || c.namesVersion() {
		return nil
	}
	if c.from.arm = set.Arm(live, c.sticky(live)); c.from.arm != nil {
		c.prompt = c.from.arm.Live
	}
	return c.grantPrompt()
}

// modelInput is the input that the last user message stands for.
func (c *Call) modelInput() (map[string]any, error) {
	req, err := c.req.Chat()
	if err != nil {
		return nil, err
	}
	t := c.prompt.Template
	for i := len(req.Messages) - 1; i >= 0; i-- {
		m := &req.Messages[i]
		if m.Role != schema.RoleUser {
			continue
		}
		for j := range m.Parts {
			if m.Parts[j].Type != schema.PartText {
				return nil, schema.Invalid("messages", "a prompt's input is text: send media at %s", c.prompt.Path)
			}
		}
		input, err := t.InputFromText(m.Text())
		if err != nil {
			return nil, schema.Invalid("messages", "%v", err)
		}
		if faults := t.CheckInput(input); len(faults) > 0 {
			var list []string
			for _, f := range faults {
				list = append(list, strings.TrimSpace(f.Pointer+" "+f.Message))
			}
			return nil, schema.Invalid("messages", "the input does not fit the prompt's schema: %s", strings.Join(list, "; "))
		}
		return input, nil
	}
	return nil, schema.Invalid("messages", "there is no user message: the last one is the prompt's input")
}

// sendAsModel answers in the caller's dialect with a whole output, in one piece
// or, where the output had to be whole to be checked, as a short stream.
func (c *Call) sendAsModel(out output, stream, usage bool) error {
	resp := out.chat
	if !c.reused() { // else it is what the answer took then
		resp.Usage = c.entry.Usage // of all turns
		addUsage(&resp.Usage, c.money.steps.usage)
	}
	if out.json != nil {
		resp.Choices = resp.Choices[:1]
		resp.Choices[0].Message.Parts = schema.TextParts(string(out.json))
	}
	c.answerHeaders(nil)
	h := &c.rc.Response.Header
	c.costHeader()
	if !stream {
		h.SetContentType("application/json")
		c.rc.Response.SetBodyRaw(c.speaks.Client.EncodeChat(nil, resp))
		return nil
	}
	c.entry.Stream = true
	enc := c.speaks.Client.Stream(dialect.StreamOptions{ID: resp.ID, Model: resp.Model, Created: resp.Created, WantsUsage: usage})
	choice := &resp.Choices[0]
	body := enc.Chunk(nil, &schema.Chunk{ID: resp.ID, Model: resp.Model, Created: resp.Created,
		Choices: []schema.ChoiceDelta{{Role: schema.RoleAssistant, Text: choice.Message.Text()}}})
	body = enc.Chunk(body, &schema.Chunk{ID: resp.ID, Model: resp.Model, Created: resp.Created,
		Choices: []schema.ChoiceDelta{{FinishReason: choice.FinishReason}}})
	h.SetContentType("text/event-stream")
	h.Set("Cache-Control", "no-cache")
	c.rc.Response.SetBodyRaw(enc.End(body, &resp.Usage))
	return nil
}

// streamAsModel streams a prompt's text in the caller's dialect.
func (c *Call) streamAsModel(usage bool) error {
	c.entry.Stream = true
	c.req.Unified.Stream = true
	stream, err := c.startStream()
	if err != nil {
		return err
	}
	enc := c.speaks.Client.Stream(dialect.StreamOptions{ID: c.entry.Call, Model: c.target.Model, Created: c.now.Unix(), WantsUsage: usage})
	c.answerHeaders(stream.Dropped())
	c.sendStream(&modelFrames{c: c, from: stream, encode: enc}, c.speaks.Client.StreamError)
	return nil
}

// modelFrames is a prompt's stream as a model's, in the caller's dialect.
type modelFrames struct {
	c       *Call
	gather  cache.Gather // the answer, if it is to be kept
	from    *providers.Stream
	encode  dialect.StreamEncoder
	frames  []byte
	pending []byte // of frames, what did not fit the last read
	ended   bool
	tally   dialect.Tally
}

// Tally is the model's, but that the stream is done only with its last frame.
func (f *modelFrames) Tally() *dialect.Tally {
	f.tally = *f.from.Tally()
	f.tally.Done = f.ended
	return &f.tally
}

// Close gives up the model's stream.
func (f *modelFrames) Close() error { return f.from.Close() }

// Fail ends the stream in failure where that goes on with what it said.
func (f *modelFrames) Fail(dst []byte, e *schema.Error, requestID string) (frames []byte, ok bool) {
	failer, ok := f.encode.(dialect.Failer)
	if !ok {
		return dst, false
	}
	return failer.Fail(dst, e, requestID), true
}

// Read gives the next frames.
func (f *modelFrames) Read(p []byte) (int, error) {
	for len(f.pending) == 0 {
		if f.ended {
			return 0, io.EOF
		}
		chunk, err := f.from.Next()
		switch {
		case err == io.EOF:
			f.ended = true
			f.keep()
			f.frames = f.encode.End(f.frames[:0], &f.from.Tally().Usage)
		case err != nil:
			return 0, err
		default:
			if f.c.done.reuse != nil || f.c.done.judging != nil {
				f.gather.Add(chunk)
			}
			f.frames = f.encode.Chunk(f.frames[:0], chunk)
		}
		f.pending = f.frames
	}
	n := copy(p, f.pending)
	f.pending = f.pending[n:]
	return n, nil
}

// keep notes the answer, if it is to be kept or judged.
func (f *modelFrames) keep() {
	if f.c.done.reuse == nil && f.c.done.judging == nil {
		return
	}
	resp := f.gather.Whole()
	if resp != nil {
		f.c.answeredWith(&output{text: answerText(resp)})
	}
	if f.c.done.reuse == nil {
		return
	}
	if resp != nil && resp.Usage.IsZero() {
		resp.Usage = f.from.Tally().Usage
	}
	f.c.reusableOutput(resp)
}

// appendPromptModels adds the prompts that the caller may call to a list of
// models, which began with bare bytes of list.
func (c *Call) appendPromptModels(list []byte, bare int, one func([]byte, *ModelInfo) []byte) []byte {
	for _, p := range c.g.prompts.Snapshot().All() {
		if !c.caller.mayPrompt(p) {
			continue
		}
		if len(list) > bare {
			list = append(list, ',')
		}
		list = one(list, &ModelInfo{ID: promptModel + p.Name, OwnedBy: "sluice"})
	}
	return list
}
