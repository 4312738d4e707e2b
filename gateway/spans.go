package gateway

import (
	"bytes"
	"net/url"
	"strconv"
	"sync"

	"sluice/billing"
	"sluice/gateway/telemetry/otlp"
	"sluice/providers/gemini"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

var spanBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 2<<10); return &b }}

// observe tells the collector of a call that has ended: its span, one for each
// attempt, and its metrics.
func (c *Call) observe() {
	x := c.g.access.spans
	e := &c.entry
	if x == nil || c.from.route == nil && c.caller == nil && c.err == nil { // a probe is no call
		return
	}
	if c.from.route == nil && e.Operation != "" && c.target != nil && len(c.trail) > 0 {
		x.Measures.Add(otlp.Of{Operation: c.operation(), Provider: providerName(c.target), Model: c.target.Model, Error: e.Code},
			otlp.Measured{Duration: e.Latency, FirstChunk: e.TTFT, Stream: e.Stream, Input: e.Usage.Input, Output: e.Usage.Output})
	}
	t := c.from.trace
	if t == nil || !t.sampled {
		return
	}
	p := spanBuffers.Get().(*[]byte)
	defer spanBuffers.Put(p)
	answered := c.answeredTry()
	for i := range min(len(t.tries), len(c.trail)) {
		if a := &t.tries[i]; a.span != (otlp.SpanID{}) {
			*p = c.appendAttempt((*p)[:0], a, &c.trail[i], i, i == answered)
			if i == answered && c.tellsSpan() {
				c.from.content.span, c.from.content.rendered = bytes.Clone(*p), c.rendered()
				continue
			}
			x.Spans.Add(*p)
		}
	}
	*p = c.appendCall((*p)[:0])
	x.Spans.Add(*p)
}

// answeredTry is which attempt the answer is of, counted from 0; -1: none is.
func (c *Call) answeredTry() int {
	if c.target == nil {
		return -1
	}
	return c.answered() - 1
}

// appendCall makes the span of the call itself.
func (c *Call) appendCall(b []byte) []byte {
	e, t := &c.entry, c.from.trace
	kind := otlp.Server
	if c.from.within != nil {
		kind = otlp.Internal
	}
	s := otlp.Span{Trace: t.id, ID: t.span, Parent: t.parent, State: t.state, Kind: kind, Start: e.Time, End: e.Time.Add(e.Latency)}
	if c.err != nil {
		s.Why = c.err.Message
	}
	s.Failed = e.Status >= 500 || c.err != nil && (e.Status < 400 || c.from.within != nil)
	const of = otlp.OfSpan
	switch x := c.from.route; {
	case x != nil:
		b = s.Append(b, c.from.method, x.Route.Name)
		b = of.String(b, otlp.HTTPRoute, x.Route.Name)
	case e.Operation != "":
		b = s.Append(b, c.operation(), e.Model)
		b = of.String(b, otlp.GenAIOperation, c.operation())
		b = of.String(b, otlp.GenAIRequestModel, e.Model)
		b = of.True(b, otlp.GenAIRequestStream, e.Stream)
	default:
		b = s.Append(b, c.from.method)
	}
	b = of.String(b, otlp.HTTPMethod, c.from.method)
	b = of.String(b, otlp.URLPath, c.from.path)
	b = of.Count(b, otlp.HTTPStatus, int64(e.Status))
	b = of.String(b, otlp.ErrorType, e.Code)
	b = of.String(b, otlp.SluiceOrigin, e.Origin)
	b = of.String(b, otlp.ClientAddress, c.from.ip)
	return c.appendOwn(b)
}

// appendOwn adds what only a gateway knows.
func (c *Call) appendOwn(b []byte) []byte {
	e := &c.entry
	const of = otlp.OfSpan
	b = of.String(b, otlp.SluiceCall, e.Call)
	if e.RequestID != e.Call {
		b = of.String(b, otlp.SluiceRequest, e.RequestID)
	}
	b = of.String(b, otlp.SluiceTeam, e.Team)
	b = of.String(b, otlp.SluiceKey, e.Key)
	b = of.String(b, otlp.SluiceUser, e.User)
	b = of.String(b, otlp.SluiceTarget, e.Target)
	b = of.String(b, otlp.GenAIPromptName, e.Prompt)
	b = of.Count(b, otlp.SluicePrompt, int64(e.Version))
	b = of.String(b, otlp.SluiceCache, e.Cache)
	b = of.True(b, otlp.SluiceHedged, c.hedged())
	if e.Cost != 0 {
		b = of.Double(b, otlp.SluiceCost, float64(e.Cost)/float64(billing.Dollar))
	}
	return b
}

// appendAttempt makes the span of an attempt. The one that the answer is of
// lasts as long as the answer, and tells what was used.
func (c *Call) appendAttempt(b []byte, a *try, l *billing.AttemptLog, n int, answered bool) []byte {
	e, t := &c.entry, c.from.trace
	s := otlp.Span{Trace: t.id, ID: a.span, Parent: t.span, State: t.state, Kind: otlp.Client, Start: a.begin, End: a.end, Failed: l.Code != ""}
	code := l.Code
	if answered && code == "" {
		s.End = e.Time.Add(e.Latency)
		if c.err != nil {
			s.Failed, s.Why, code = true, c.err.Message, e.Code
		}
	}
	const of = otlp.OfSpan
	if a.target == nil {
		b = s.Append(b, a.method, l.Call)
		b = of.String(b, otlp.HTTPMethod, a.method)
		b = of.String(b, otlp.SluiceRouteCall, l.Call)
		b = appendServer(b, l.Target)
	} else {
		b = s.Append(b, c.operation(), a.target.Model)
		b = of.String(b, otlp.GenAIOperation, c.operation())
		b = of.String(b, otlp.GenAIProvider, providerName(a.target))
		b = of.String(b, otlp.GenAIRequestModel, a.target.Model)
		b = of.True(b, otlp.GenAIRequestStream, e.Stream)
		b = of.Count(b, otlp.GenAIMaxTokens, c.req.Head.MaxTokens)
		b = of.String(b, otlp.SluiceTarget, a.target.Name)
		b = of.String(b, otlp.SluiceAccount, l.Key)
		b = appendServer(b, a.target.Provider.BaseURL)
	}
	b = of.Count(b, otlp.HTTPStatus, int64(l.Status))
	b = of.Count(b, otlp.HTTPResend, int64(n))
	b = of.String(b, otlp.ErrorType, code)
	if l.USD != 0 {
		b = of.Double(b, otlp.SluiceCost, float64(l.USD)/float64(billing.Dollar))
	}
	if answered && a.target != nil {
		b = c.appendUsage(b)
	}
	return b
}

// appendUsage adds what an answer has used.
func (c *Call) appendUsage(b []byte) []byte {
	e, u := &c.entry, &c.entry.Usage
	const of = otlp.OfSpan
	b = of.Count(b, otlp.GenAIInputTokens, u.Input)
	b = of.Count(b, otlp.GenAIOutputTokens, u.Output)
	b = of.Count(b, otlp.GenAICacheRead, u.CachedInput)
	b = of.Count(b, otlp.GenAICacheCreation, u.CacheWrite+u.CacheWrite1h)
	b = of.Count(b, otlp.GenAIReasoning, u.Reasoning)
	if e.Stream && e.TTFT > 0 {
		b = of.Double(b, otlp.GenAIFirstChunk, e.TTFT.Seconds())
	}
	return b
}

// appendServer adds the host and port of an address.
func appendServer(b []byte, address string) []byte {
	const of = otlp.OfSpan
	host, port := hostOf(address)
	b = of.String(b, otlp.ServerAddress, host)
	return of.Count(b, otlp.ServerPort, port)
}

type hostPort struct {
	host string
	port int64
}

// hosts keeps what was read of addresses: they are those of the configuration,
// and few.
var hosts sync.Map // address → hostPort

func hostOf(address string) (string, int64) {
	if known, ok := hosts.Load(address); ok {
		h := known.(hostPort)
		return h.host, h.port
	}
	var h hostPort
	if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
		h.host = u.Hostname()
		switch h.port, err = strconv.ParseInt(u.Port(), 10, 32); {
		case err == nil:
		case u.Scheme == "http":
			h.port = 80
		default:
			h.port = 443
		}
	}
	hosts.Store(address, h)
	return h.host, h.port
}

// operation is what the call does, in the words of the conventions where they
// have one.
func (c *Call) operation() string {
	switch c.entry.Operation {
	case schema.OpChat.String():
		switch c.speaks {
		case &openai.Completions:
			return "text_completion"
		case &gemini.Dialect:
			return "generate_content"
		}
		return "chat"
	case schema.OpEmbed.String():
		return "embeddings"
	}
	return c.entry.Operation
}

// providerNames are the kinds, and the providers of OpenAI's format, that the
// conventions call otherwise.
var providerNames = map[string]string{
	"azure": "azure.ai.openai", "gemini": "gcp.gemini", "vertex": "gcp.vertex_ai", "bedrock": "aws.bedrock",
	"mistral": "mistral_ai", "xai": "x_ai", "moonshot": "moonshot_ai", "moonshotai": "moonshot_ai",
}

// providerName is what the conventions call a target's provider: by its kind,
// and by its name where the kind is shared by many.
func providerName(t *Target) string {
	name := t.kind()
	if name == "" || name == "openai-compatible" {
		name = t.Provider.Name
	}
	if known, ok := providerNames[name]; ok {
		return known
	}
	return name
}
