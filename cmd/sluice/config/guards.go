package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/gateway/guard"
)

// Guard is a rule about what may be said to models, and by them.
type Guard struct {
	On         Stages        `json:"on" enum:"request,response"` // none: request, or for schema alone response
	Deny       Looks         `json:"deny"`
	Mask       Looks         `json:"mask"`
	Reversible bool          `json:"reversible"` // the answer gets the masked values back
	Webhook    *GuardWebhook `json:"webhook"`
	Call       *GuardCall    `json:"call"`
	Schema     string        `json:"schema"` // JSON Schema that the answer's text must fit, as JSON; most often ${file:…}
	DryRun     bool          `json:"dry_run"`
}

// Stages are where a guard stands; one may stand for the list.
type Stages []string

// Looks are what a guard looks for; one may stand for the list.
type Looks []Look

// Look is a kind, whose name may stand for it, or a regular expression.
type Look struct {
	Kind    string `json:"kind" enum:"email,phone,card,iban,ip,secret,injection"`
	Pattern string `json:"pattern"`
}

// GuardWebhook is who decides; its URL may stand for it.
type GuardWebhook struct {
	URL     string        `json:"url"`
	Secret  Secret        `json:"secret"` // signs what is posted
	Timeout time.Duration `json:"timeout"`
	Fail    string        `json:"fail" enum:"closed,open"` // what becomes of a call that it does not decide
}

// GuardCall is the model that decides; its name may stand for it.
type GuardCall struct {
	Model   string        `json:"model"`   // as in Target
	Topics  []string      `json:"topics"`  // that are not allowed, for a chat model to tell; none: the model moderates
	Only    []string      `json:"only"`    // topics, others than which are not allowed
	Timeout time.Duration `json:"timeout"` // of one
	Fail    string        `json:"fail" enum:"closed,open"`
}

func defaultGuardWebhook() GuardWebhook {
	return GuardWebhook{Timeout: time.Second, Fail: "closed"}
}

func defaultGuardCall() GuardCall { return GuardCall{Timeout: 10 * time.Second, Fail: "closed"} }

// Has tells whether the guard stands at a stage.
func (g *Guard) Has(stage string) bool { return slices.Contains(g.stages(), stage) }

func (g *Guard) stages() Stages {
	switch {
	case len(g.On) > 0:
		return g.On
	case g.Schema != "" && len(g.Deny)+len(g.Mask) == 0 && g.Webhook == nil && g.Call == nil:
		return Stages{"response"}
	}
	return Stages{"request"}
}

// Matcher is what the looks look for; nil: nothing.
func (l Looks) Matcher() (*guard.Matcher, error) {
	if len(l) == 0 {
		return nil, nil
	}
	m := &guard.Matcher{}
	for i := range l {
		m.Kinds |= guard.KindOf(l[i].Kind)
		if l[i].Pattern == "" {
			continue
		}
		p, err := guard.NewPattern(l[i].Pattern)
		if err != nil {
			return nil, err
		}
		m.Patterns = append(m.Patterns, p)
	}
	return m, nil
}

// guards checks every guard, and those that models name.
func (k *checker) guards() {
	for _, name := range sortedKeys(k.config.Guards) {
		path, g := []string{"guards", name}, k.config.Guards[name]
		if k.name(path, name) {
			k.guard(path, &g)
		}
	}
	for _, model := range sortedKeys(k.config.Models) {
		var seen []string
		for i, name := range k.config.Models[model].Guard {
			path := []string{"models", model, "guard", strconv.Itoa(i)}
			if _, ok := k.config.Guards[name]; !ok {
				k.fault(path, "there is no guard %s under guards:%s", strconv.Quote(name), meant(name, sortedKeys(k.config.Guards)))
			}
			if slices.Contains(seen, name) {
				k.fault(path, "the guard %s is named twice", strconv.Quote(name))
			}
			seen = append(seen, name)
		}
	}
}

func (k *checker) guard(path []string, g *Guard) {
	if len(g.Deny)+len(g.Mask) == 0 && g.Webhook == nil && g.Call == nil && g.Schema == "" {
		k.fault(path, "a guard wants one of deny, mask, webhook, call, schema")
		return
	}
	k.looks(below(path, "deny"), g.Deny)
	k.looks(below(path, "mask"), g.Mask)
	for _, l := range g.Mask {
		if l.Kind == "injection" {
			k.fault(below(path, "mask"), "injection can be denied, not masked")
		}
	}
	if g.Reversible && (len(g.Mask) == 0 || !g.Has("request")) {
		k.fault(below(path, "reversible"), "is for what is masked on request")
	}
	if g.Schema != "" {
		if _, err := guard.NewSchema(g.Schema); err != nil {
			k.fault(below(path, "schema"), "%v", err)
		}
		if !g.Has("response") {
			k.fault(below(path, "on"), "a schema is for answers: want response")
		}
	}
	if h := g.Webhook; h != nil {
		at := below(path, "webhook")
		k.webhook(at, &Webhook{URL: h.URL, Secret: h.Secret})
		k.timeout(at, h.Timeout)
	}
	if g.Webhook != nil && g.Call != nil {
		k.fault(below(path, "call"), "a guard asks a webhook or a model: want a guard for each")
	}
	if c := g.Call; c != nil {
		at := below(path, "call")
		model := below(at, "model")
		if !k.origin.given(model...) { // it stands for the whole
			model = at
		}
		k.target(model, c.Model)
		k.timeout(at, c.Timeout)
		if len(c.Topics) > 0 && len(c.Only) > 0 {
			k.fault(below(at, "only"), "want topics that are not allowed, or only those that are")
		}
	}
}

// longestTimeout bounds how long a guard may hold up a call.
const longestTimeout = time.Minute

func (k *checker) timeout(path []string, d time.Duration) {
	if d <= 0 || d > longestTimeout {
		k.fault(below(path, "timeout"), "want more than nothing and at most 1m")
	}
}

func (k *checker) looks(path []string, list Looks) {
	for i, l := range list {
		at := below(path, strconv.Itoa(i))
		if !k.origin.given(at...) {
			at = path
		}
		switch {
		case l.Kind == "" && l.Pattern == "":
			k.fault(at, "want a kind (%s) or a pattern", strings.Join(guard.KindNames(), ", "))
		case l.Kind != "" && l.Pattern != "":
			k.fault(at, "want a kind or a pattern, not both")
		case l.Kind != "" && guard.KindOf(l.Kind) == 0:
			k.fault(at, "want one of %s, or a pattern%s", strings.Join(guard.KindNames(), ", "), k.said(at, l.Kind))
		case l.Pattern != "":
			if _, err := guard.NewPattern(l.Pattern); err != nil {
				k.fault(below(at, "pattern"), "%v", err)
			}
		}
	}
}

// String is the look in a few words: a pattern's text may be a secret itself.
func (l Look) String() string {
	if l.Pattern != "" {
		return "pattern"
	}
	return l.Kind
}
