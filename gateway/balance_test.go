package gateway

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"sluice/billing"
	"sluice/providers"
	"sluice/providers/schema"
	"sluice/router"
)

func prefixOf(body string) uint64 {
	c := Call{req: providers.Request{Raw: []byte(body)}}
	return c.prefix()
}

// A conversation has one prefix from its first turn on, in every dialect,
// whatever marks move in it while it grows; another one has another.
func TestPrefixOfGrowingConversation(t *testing.T) {
	for name, turns := range map[string][]string{
		"openai": {
			`{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}`,
			`{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Hi"}]},{"role":"assistant","content":"Hello"},{"role":"user","content":"And?"}],"model":"m"}`,
			`{"messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}`,
		},
		"anthropic": {
			`{"system":[{"type":"text","text":"Be kind.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]}`,
			`{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"And?"}],"system":"Be kind."}`,
		},
		"gemini": {
			`{"systemInstruction":{"parts":[{"text":"Be glad."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}`,
			`{"systemInstruction":{"parts":[{"text":"Be glad."}]},"contents":[{"parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Hello"}]}]}`,
		},
		"responses": {
			`{"instructions":"Be quick.","input":"Hi"}`,
			`{"instructions":"Be quick.","input":[{"role":"user","content":[{"type":"input_text","text":"Hi"}]},{"role":"assistant","content":[{"type":"output_text","text":"Hello"}]}]}`,
		},
	} {
		first := prefixOf(turns[0])
		if first == 0 {
			t.Errorf("%s: no prefix", name)
		}
		for _, turn := range turns[1:] {
			if prefixOf(turn) != first {
				t.Errorf("%s: another prefix for %s", name, turn)
			}
		}
		for _, change := range []string{"Hi", "Be "} {
			if prefixOf(strings.Replace(turns[0], change, "Well, ", 1)) == first {
				t.Errorf("%s: the same prefix without %q", name, change)
			}
		}
	}
	for _, nothing := range []string{``, `{}`, `[]`, `{"messages":[]}`, `{"messages":[{"role":"user","content":null}]}`, `{"input":7}`} {
		if prefixOf(nothing) != 0 {
			t.Errorf("%s has a prefix", nothing)
		}
	}
}

func TestPrefixOfPrompt(t *testing.T) {
	say := func(parts ...string) uint64 {
		r := &schema.ChatRequest{}
		for i, text := range parts {
			role := []string{schema.RoleSystem, schema.RoleUser, schema.RoleAssistant, schema.RoleUser}[i]
			r.Messages = append(r.Messages, schema.Message{Role: role, Parts: []schema.Part{{Type: schema.PartText, Text: text}}})
		}
		c := Call{req: providers.Request{Unified: r}}
		return c.prefix()
	}
	if say("a", "b") != say("a", "b", "c", "d") || say("a", "b") == say("a", "c") || say() != 0 {
		t.Error("a prompt's prefix is not its instructions and first message")
	}
}

// However long it is, and whatever it holds, the prefix of a body is found
// within bounds.
func FuzzPrefix(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"system","content":"x"},{"role":"user","content":[{"text":"y"}]}]}`))
	f.Add([]byte(`{"input":[{"content":[{"content":[{"content":"z"}]}]}],"system":{"parts":[{"text":1}]}}`))
	f.Add([]byte(`{"prompt":["a","b"],"contents":"` + strings.Repeat("x", 100_000) + `"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, b := prefixOf(string(raw)), prefixOf(string(raw)); a != b {
			t.Errorf("%d and %d", a, b)
		}
	})
}

func TestExpectedCost(t *testing.T) {
	prices, err := billing.ParsePrices(billing.PriceSpec{Input: "1", Output: "2", Tiers: map[string]billing.PriceSpec{"flex": {Input: "0.5", Output: "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	learnt := router.NewTarget("learnt", router.Breaker{})
	plan := router.Plan{Route: &router.Route{Candidates: []router.Candidate{{Target: learnt}}}}
	if err := plan.Route.Prepare(); err != nil {
		t.Fatal(err)
	}
	_ = plan.Do(t.Context(), func(*router.Attempt) error { return nil })
	plan.Came(30)
	fresh := router.NewTarget("fresh", router.Breaker{})
	const perInput, perOutput = 1000, 2000 // nano-dollars a token
	for name, c := range map[string]struct {
		head   schema.Head
		op     schema.Operation
		target *router.Target
		prices *billing.Prices
		want   int64
	}{
		"max_tokens":    {schema.Head{PromptSize: 39, MaxTokens: 100}, schema.OpChat, learnt, prices, 10*perInput + 100*perOutput},
		"choices":       {schema.Head{PromptSize: 39, MaxTokens: 100, N: 3}, schema.OpChat, learnt, prices, 10*perInput + 300*perOutput},
		"what it wrote": {schema.Head{PromptSize: 39}, schema.OpChat, learnt, prices, 10*perInput + 30*perOutput},
		"usual":         {schema.Head{PromptSize: 39}, schema.OpChat, fresh, prices, 10*perInput + usualOutput*perOutput},
		"no output":     {schema.Head{PromptSize: 39}, schema.OpEmbed, learnt, prices, 10 * perInput},
		"a tier":        {schema.Head{PromptSize: 39, MaxTokens: 100, ServiceTier: "flex"}, schema.OpChat, learnt, prices, (10*perInput + 100*perOutput) / 2},
		"no price":      {schema.Head{PromptSize: 39}, schema.OpChat, learnt, nil, -1},
	} {
		call := Call{snap: &Snapshot{}, req: providers.Request{Op: c.op, Head: c.head}}
		cand := &router.Candidate{Target: c.target, Payload: &Target{Name: c.target.ID, Prices: c.prices}}
		if got := call.Cost(cand); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// What calls stay together by is told apart by team, and by what it is.
func TestStickyKeys(t *testing.T) {
	key := func(by, team, user, keyID, session string) uint64 {
		c := Call{rc: &fasthttp.RequestCtx{}}
		c.entry.Team, c.entry.User, c.entry.KeyID = team, user, keyID
		if session != "" {
			c.rc.Request.Header.Set("x-session-id", session)
		}
		return c.Key(by)
	}
	if key(byUser, "t", "", "k", "s") != 0 || key(bySession, "t", "u", "k", "") != 0 || key("", "t", "u", "k", "s") != 0 || key(byPrefix, "t", "u", "k", "s") != 0 {
		t.Error("a call that has nothing of the kind has a key")
	}
	seen := map[uint64]string{}
	for _, c := range [][5]string{{byUser, "t", "u", "k", "s"}, {byUser, "t2", "u", "k", "s"}, {byUser, "t", "u2", "k", "s"}, {byKey, "t", "u", "k", "s"},
		{bySession, "t", "u", "k", "s"}, {bySession, "t", "u", "k", "s2"}} {
		h := key(c[0], c[1], c[2], c[3], c[4])
		if seen[h] != "" || h != key(c[0], c[1], c[2], c[3], c[4]) {
			t.Errorf("%v: %d, as %s", c, h, seen[h])
		}
		seen[h] = strings.Join(c[:], " ")
	}
}
