package guard

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"sluice/providers/schema"
)

// text is a text of a request or an answer, where it can be replaced.
type text struct {
	s       string
	json    bool // as written in JSON
	about   bool // about the call, and not said to the model: masked only
	trusted bool // the caller's own instructions
	said    bool // what a choice of an answer says
	choice  int
	changed bool
	put     func(string)
}

func (t *text) set(s string) { t.s, t.changed = s, true }

// texts gathers texts.
type texts struct {
	list   []*text
	choice int
	none   text // what stands for those that are empty: most
}

func (l *texts) add(p *string) *text {
	if *p == "" {
		return &l.none
	}
	t := &text{s: *p, choice: l.choice, put: func(s string) { *p = s }}
	l.list = append(l.list, t)
	return t
}

func (l *texts) raw(p *json.RawMessage) {
	if len(*p) > 0 {
		l.list = append(l.list, &text{s: string(*p), json: true, choice: l.choice, put: func(s string) { *p = json.RawMessage(s) }})
	}
}

// extra takes in a copy of fields that are kept as they came.
func (l *texts) extra(p *map[string]json.RawMessage) {
	if len(*p) == 0 {
		return
	}
	*p = maps.Clone(*p)
	m := *p
	for _, name := range slices.Sorted(maps.Keys(m)) {
		l.list = append(l.list, &text{s: string(m[name]), json: true, choice: l.choice,
			put: func(s string) { m[name] = json.RawMessage(s) }})
	}
}

// commit writes back what was changed, and tells whether anything was.
func (l *texts) commit() (changed bool) {
	for _, t := range l.list {
		if t.changed {
			t.put(t.s)
			changed = true
		}
	}
	return changed
}

// Chat takes a request past the guards. It gives the request to send, which is
// another one if anything was masked.
func (s *Session) Chat(ctx context.Context, req *schema.ChatRequest) (*schema.ChatRequest, error) {
	if s.set.on&OnRequest == 0 {
		return req, nil
	}
	own := *req
	var l texts
	own.Messages = slices.Clone(req.Messages)
	for i := range own.Messages {
		l.message(&own.Messages[i])
	}
	own.Tools = slices.Clone(req.Tools)
	for i := range own.Tools {
		t := &own.Tools[i]
		l.add(&t.Description)
		l.raw(&t.Parameters)
		l.raw(&t.Raw)
		l.extra(&t.Extra)
	}
	l.raw(&own.Prediction)
	l.extra(&own.Extra)
	l.add(&own.User).about = true
	own.Metadata = maps.Clone(req.Metadata)
	for _, name := range slices.Sorted(maps.Keys(own.Metadata)) {
		l.list = append(l.list, &text{s: own.Metadata[name], about: true, put: func(s string) { own.Metadata[name] = s }})
	}
	if err := s.run(ctx, OnRequest, l.list); err != nil {
		return nil, err
	}
	if !l.commit() {
		return req, nil
	}
	return &own, nil
}

// message takes in a message, with what would be changed of it copied.
func (l *texts) message(m *schema.Message) {
	m.Parts = slices.Clone(m.Parts)
	trusted := m.Role == schema.RoleSystem || m.Role == schema.RoleDeveloper
	for i := range m.Parts {
		p := &m.Parts[i]
		t := l.add(&p.Text)
		t.said, t.trusted = p.Type == schema.PartText, trusted
		l.raw(&p.Raw)
		l.raw(&p.Citations)
		l.extra(&p.Extra)
	}
	m.ToolCalls = slices.Clone(m.ToolCalls)
	for i := range m.ToolCalls {
		l.add(&m.ToolCalls[i].Function.Arguments).json = true
	}
	l.add(&m.Refusal)
	l.add(&m.Name).about = true
	l.extra(&m.Extra)
	l.extra(&m.CallExtra)
}

// Embed is Chat for a request for embeddings. Tokens are not looked into.
func (s *Session) Embed(ctx context.Context, req *schema.EmbedRequest) (*schema.EmbedRequest, error) {
	own := *req
	own.Input = slices.Clone(req.Input)
	if changed, err := s.plain(ctx, &own.User, own.Input); err != nil || !changed {
		return req, err
	}
	return &own, nil
}

// Rerank is Chat for a request to rank.
func (s *Session) Rerank(ctx context.Context, req *schema.RerankRequest) (*schema.RerankRequest, error) {
	own := *req
	own.Documents = append(slices.Clone(req.Documents), req.Query)
	user := ""
	changed, err := s.plain(ctx, &user, own.Documents)
	if err != nil || !changed {
		return req, err
	}
	n := len(req.Documents)
	own.Query, own.Documents = own.Documents[n], own.Documents[:n]
	return &own, nil
}

// plain takes plain texts past the guards of requests.
func (s *Session) plain(ctx context.Context, user *string, list []string) (changed bool, err error) {
	var l texts
	l.add(user).about = true
	for i := range list {
		l.add(&list[i])
	}
	if err := s.run(ctx, OnRequest, l.list); err != nil {
		return false, err
	}
	return l.commit(), nil
}

// Answer takes a whole answer past the guards, in place.
func (s *Session) Answer(ctx context.Context, resp *schema.ChatResponse) error {
	var l texts
	for i := range resp.Choices {
		c := &resp.Choices[i]
		l.choice = i
		l.message(&c.Message)
		l.raw(&c.Annotations)
		if s.set.on&OnResponse != 0 {
			c.Logprobs = nil // they repeat the text, token by token
		}
	}
	if err := s.finish(ctx, l.list); err != nil {
		return err
	}
	l.commit()
	return nil
}

// finish takes the texts of a whole answer past the guards, and gives them their
// values back.
func (s *Session) finish(ctx context.Context, list []*text) error {
	if err := s.run(ctx, OnResponse, list); err != nil {
		return err
	}
	if len(s.vault.values) == 0 {
		return nil
	}
	for _, t := range list {
		r := restorer{vault: &s.vault, json: t.json}
		if out := r.write(t.s, true); out != t.s {
			t.set(out)
		}
	}
	return nil
}

// JSON takes a whole body past the guards of requests.
func (s *Session) JSON(ctx context.Context, body []byte) ([]byte, error) {
	var l texts
	raw := json.RawMessage(body)
	l.raw(&raw)
	if err := s.run(ctx, OnRequest, l.list); err != nil {
		return nil, err
	}
	l.commit()
	return raw, nil
}
