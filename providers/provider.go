package providers

import (
	"context"

	"sluice/providers/auth"
	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/upstream"
)

// Options make a Provider. Either Local is set, or Dialect and Upstream are.
type Options struct {
	Name    string // in errors
	Dialect *dialect.Dialect
	// Also are more dialects that the endpoint speaks: a caller of one of them
	// has its bytes passed on.
	Also []*dialect.Dialect
	// Choose names the one dialect that a model speaks, where that is not
	// Dialect; nil, or a nil answer: Dialect, and Also for callers of those.
	Choose   func(model string) *dialect.Dialect
	Upstream *upstream.Client
	Local    Local
	Auth     Auth            // nil: the secret is not sent
	Sign     auth.Sign       // what a header of the secret's own cannot do; nil: nothing
	Headers  []dialect.Field // on every request
	// Fetch gets media that a caller gave by URL, where the dialect needs their
	// bytes; nil: they are left to the dialect, which refuses them.
	Fetch Fetch
	// FetchTotal bounds the bytes of all media of a call that are fetched; 0: no
	// bound.
	FetchTotal int64
}

// Local is a provider within the process. It speaks the unified form only and
// must be safe for many goroutines.
type Local interface {
	Chat(ctx context.Context, req *schema.ChatRequest) (*schema.ChatResponse, error)
	// ChatStream begins a stream. next gives its chunks, each valid until the
	// next call, and io.EOF at the proper end; when ctx is done, a next that
	// waits returns. next is called by one goroutine.
	ChatStream(ctx context.Context, req *schema.ChatRequest) (next func() (*schema.Chunk, error), err error)
	Embed(ctx context.Context, req *schema.EmbedRequest) (*schema.EmbedResponse, error)
}

// Auth appends the headers that carry a secret. It is not asked for an empty
// one.
type Auth func(dst []dialect.Field, secret string) []dialect.Field

// Bearer sends the secret as OAuth does: Authorization: Bearer SECRET.
func Bearer() Auth {
	return func(dst []dialect.Field, secret string) []dialect.Field {
		return append(dst, dialect.Field{Name: "Authorization", Value: "Bearer " + secret})
	}
}

// SecretHeader sends the secret alone in a header, such as x-api-key.
func SecretHeader(name string) Auth {
	return func(dst []dialect.Field, secret string) []dialect.Field {
		return append(dst, dialect.Field{Name: name, Value: secret})
	}
}

// Provider is one configured provider. It is safe for many goroutines.
type Provider struct {
	opt Options
}

// New makes a provider.
func New(o Options) *Provider { return &Provider{opt: o} }

// Name is the provider's configured name.
func (p *Provider) Name() string { return p.opt.Name }

// Close closes idle connections; calls that are under way go on.
func (p *Provider) Close() {
	if p.opt.Upstream != nil {
		p.opt.Upstream.Close()
	}
}

// raw is the dialect in which the caller's bytes can go to the provider as
// they are for this model; nil: they cannot.
func (p *Provider) raw(r *Request, model string) *dialect.Dialect {
	if p.opt.Local != nil || r.Unified != nil || r.Client == nil || r.Translate {
		return nil
	}
	if foreign := r.Client.Client.Foreign; foreign != nil && foreign(r.Raw) {
		return nil
	}
	speaks := p.speaks(model)
	if r.Client.Name == speaks.Name {
		if p.needsBytes(r, speaks) {
			return nil
		}
		return speaks
	}
	if speaks != p.opt.Dialect {
		return nil // chosen: the model speaks nothing else
	}
	for _, d := range p.opt.Also {
		if d.Name == r.Client.Name {
			return d
		}
	}
	return nil
}

// needsBytes tells whether a body that could be passed on holds media that the
// provider takes as data only.
func (p *Provider) needsBytes(r *Request, d *dialect.Dialect) bool {
	if p.opt.Fetch == nil || d.Chat == nil || !d.Chat.RawNeedsBytes || !r.Head.HasMedia {
		return false
	}
	req, err := r.Chat()
	return err == nil && len(remote(d.Chat, req.Messages)) > 0
}

// Raw tells whether the caller's bytes would be passed on as they are to this
// model of the provider's.
func (p *Provider) Raw(r *Request, model string) bool { return p.raw(r, model) != nil }

// speaks is the dialect that a model is asked in when the request is
// translated.
func (p *Provider) speaks(model string) *dialect.Dialect {
	if p.opt.Choose != nil {
		if d := p.opt.Choose(model); d != nil {
			return d
		}
	}
	return p.opt.Dialect
}

func (p *Provider) unsupported(what string) *schema.Error {
	return &schema.Error{Code: schema.CodeUnsupported, Status: 400, Origin: schema.OriginGateway, Provider: p.opt.Name,
		Class: schema.ClassInvalidRequest, Message: "the provider has no " + what}
}
