package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"

	"sluice/providers/schema"
)

// Scope says who may be given an answer: whoever calls with the same key, the
// same team, or everybody.
type Scope string

// The scopes.
const (
	ScopeKey  Scope = "key"
	ScopeTeam Scope = "team"
	ScopeAll  Scope = "all"
)

// Everybody is the owner of answers of ScopeAll.
const Everybody = "*"

// Key is what an answer is found by. Name is MODEL/OWNER/DIGEST, so that a
// prefix of it stands for a model, or for a model's answers of one team.
type Key struct {
	Name  string
	Model string
}

// Ask is what a request asks for, as far as its answer depends on it.
type Ask struct {
	Op    schema.Operation
	Model string // the name under models:
	Scope Scope
	Owner string // team, or team/key; Everybody
	// Context is all else that the answer depends on: the model's targets, headers
	// that say how a body is to be read.
	Context []string
}

// sum begins a digest with the ask. kind tells digests of one ask apart.
func (a *Ask) sum(kind string) hash.Hash {
	h := sha256.New()
	for _, s := range append([]string{kind, a.Op.String(), a.Model, string(a.Scope), a.Owner}, a.Context...) {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return h
}

func (a *Ask) key(h hash.Hash) Key {
	return Key{Name: a.Model + "/" + a.Owner + "/" + hex.EncodeToString(h.Sum(nil)[:16]), Model: a.Model}
}

// Chat is the key of a chat. ok is false where an answer must not be kept: the
// request has an effect beside its answer, or asks for what is new each time.
func (a *Ask) Chat(req *schema.ChatRequest) (k Key, ok bool) {
	if !Repeatable(req) {
		return k, false
	}
	h := a.sum("exact")
	if err := json.NewEncoder(h).Encode(essence(req)); err != nil {
		return k, false
	}
	return a.key(h), true
}

// Embed is the key of embeddings, whose answers are kept in the words of one
// dialect.
func (a *Ask) Embed(req *schema.EmbedRequest, dialect string) (k Key, ok bool) {
	plain := *req
	plain.Model, plain.User = "", ""
	h := a.sum("exact " + dialect)
	if err := json.NewEncoder(h).Encode(plain); err != nil {
		return k, false
	}
	return a.key(h), true
}

// idle are fields of dialects' own on which no answer depends.
var idle = []string{"safety_identifier", "prompt_cache_retention", "prompt_cache_key", "stream_options", "metadata", "user", "store"}

// effects are those that make a call more than its answer: it searches, runs
// in the background, or is part of what a provider keeps.
var effects = []string{"web_search_options", "background", "conversation", "previous_response_id", "container", "mcp_servers", "prompt", "cachedContent"}

// Repeatable tells whether a request has no effect beside its answer, so that it
// can be answered from a cache, or made twice.
func Repeatable(req *schema.ChatRequest) bool {
	if req.Store != nil && *req.Store || len(req.Audio) > 0 || slices.Contains(req.Modalities, "audio") {
		return false
	}
	for _, name := range effects {
		if v, ok := req.Extra[name]; ok && string(v) != "null" && string(v) != "false" {
			return false
		}
	}
	return !slices.ContainsFunc(req.Tools, func(t schema.Tool) bool { return t.Name == "" && len(t.Raw) > 0 }) // a provider's own tool
}

// essence is a request without all that its answer does not depend on.
func essence(req *schema.ChatRequest) *schema.ChatRequest {
	e := *req
	e.Model, e.User, e.ServiceTier, e.PromptCacheKey = "", "", "", ""
	e.Stream, e.Store, e.Metadata = false, nil, nil
	if e.N != nil && *e.N == 1 {
		e.N = nil
	}
	e.Extra = without(req.Extra, idle)
	e.LogitBias, e.Audio, e.Prediction = filled(e.LogitBias), filled(e.Audio), filled(e.Prediction)
	e.Messages = slices.Clone(req.Messages)
	foreign := len(e.Extra) > 0
	for i := range e.Messages {
		m := &e.Messages[i]
		m.Parts = slices.Clone(m.Parts)
		foreign = foreign || len(m.Extra) > 0 || len(m.CallExtra) > 0
		for j := range m.Parts {
			p := &m.Parts[j]
			p.CacheControl, p.Citations, p.Raw = nil, filled(p.Citations), filled(p.Raw)
			foreign = foreign || len(p.Extra) > 0 || len(p.Raw) > 0
		}
	}
	e.Tools = slices.Clone(req.Tools)
	for i := range e.Tools {
		t := &e.Tools[i]
		t.CacheControl, t.Parameters, t.Raw = nil, filled(t.Parameters), filled(t.Raw)
		foreign = foreign || len(t.Extra) > 0 || len(t.Raw) > 0
	}
	if !foreign {
		e.Dialect = "" // nothing is in its words
	}
	return &e
}

// filled is nil of a value that is empty: such a one has no form in JSON.
func filled(v json.RawMessage) json.RawMessage {
	if len(v) == 0 {
		return nil
	}
	return v
}

func without(fields map[string]json.RawMessage, names []string) map[string]json.RawMessage {
	if len(fields) == 0 {
		return nil
	}
	kept := maps.Clone(fields)
	for _, name := range names {
		delete(kept, name)
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}
