package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
	"sluice/prompts"
	"sluice/providers/schema"
)

// prompts lists what is served, and what it was used for in thirty days.
func (v *visit) prompts() error {
	list, err := v.promptUses(v.c.Now().AddDate(0, 0, -30))
	if err != nil {
		return err
	}
	l := promptList{}
	l.List, l.More = part("/prompts", v.URL.Query(), "from", list, mostPrompts)
	return v.show(http.StatusOK, "prompts.html", page{Title: "Prompts", Data: l})
}

// mostPrompts bounds the list of prompts.
const mostPrompts = 200

// promptList is the page of prompts.
type promptList struct {
	List []promptUse
	More string // where more are; empty: there are none
}

// promptPage is the page of one prompt; one that is not there yet has a name
// alone.
type promptPage struct {
	admin.Prompt
	Text     string            `json:"text"`
	Partials map[string]string `json:"partials"`
	New      bool              `json:"-"`
	Versions []version         `json:"-"`
	Diff     *prompts.Diff
	Rendered *rendered
	Tests    *tests
}

// version is a version of a prompt.
type version struct {
	N       int       `json:"version"`
	Message string    `json:"message"`
	Author  string    `json:"author"`
	Created time.Time `json:"created"`
	Labels  []string  `json:"labels"`
	Use     *billing.Sums
}

// rendered is what a version makes of an input.
type rendered struct {
	Model    string `json:"model"`
	Messages []struct {
		Role    string            `json:"role"`
		Content []json.RawMessage `json:"content"`
	} `json:"messages"`
}

// tests are the results of a prompt's tests.
type tests struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Results []struct {
		Test      string            `json:"test"`
		Model     string            `json:"model"`
		Passed    bool              `json:"passed"`
		Failures  []prompts.Failure `json:"failures"`
		Output    string            `json:"output"`
		Cost      billing.Nano      `json:"cost"`
		LatencyMS int64             `json:"latency_ms"`
	} `json:"results"`
}

// Splits is the split as the form takes it.
func (p *promptPage) Splits() string {
	var parts []string
	for _, n := range slices.Sorted(maps.Keys(p.Split)) {
		parts = append(parts, fmt.Sprintf("%d: %d", n, p.Split[n]))
	}
	return strings.Join(parts, ", ")
}

// firstPrompt is what the editor of a new prompt begins with.
const firstPrompt = `---
model: mock/echo
input:
  schema: {text: "string, what is to be answered"}
output: {format: text}
sluice.summary: Say in a line what it is for
sluice.tests:
  - {name: it answers, input: {text: "Hello"}, expect: {contains: Hello}}
---
{{role "system"}}You answer in one sentence.
{{role "user"}}{{text}}
`

func (v *visit) promptPath() string { return "prompts/" + url.PathEscape(v.PathValue("name")) }

func (v *visit) newPrompt() error {
	p := &promptPage{New: true, Text: firstPrompt}
	p.Name = strings.TrimSpace(v.URL.Query().Get("name"))
	if p.Name == "" {
		return v.show(http.StatusOK, "prompt-new.html", page{Title: "New prompt"})
	}
	return v.show(http.StatusOK, "prompt.html", page{Title: "New prompt", Data: p})
}

func (v *visit) prompt() error { return v.showPrompt(http.StatusOK, form{}, nil) }

// showPrompt shows a prompt; with a form that came back for one that is not
// there yet, its editor alone.
func (v *visit) showPrompt(status int, f form, t *tests) error {
	p := &promptPage{Tests: t}
	err := v.get(v.promptPath(), nil, p)
	if refusal, ok := err.(*problem); ok && refusal.Status == http.StatusNotFound && (f.Which == "edit" || t != nil) { //nolint:errorlint // get returns it bare
		p.New, p.Name = true, v.PathValue("name")
		return v.show(status, "prompt.html", page{Title: "New prompt", Form: f, Data: p})
	}
	if err != nil {
		return err
	}
	if p.Versions, err = all[version](v, v.promptPath()+"/versions", nil); err != nil {
		return err
	}
	if err := p.use(v); err != nil {
		return err
	}
	asked := v.URL.Query()
	if asked.Has("from") {
		p.Diff = &prompts.Diff{}
		if err := v.get(v.promptPath()+"/diff", url.Values{"from": {asked.Get("from")}, "to": {asked.Get("to")}}, p.Diff); err != nil {
			if f, err = refused("diff", asked, err, "from", "to"); err != nil {
				return err
			}
			p.Diff, status = nil, f.Status
		}
	}
	if asked.Has("input") {
		p.Rendered = &rendered{}
		if err := v.get(v.promptPath()+"/render", url.Values{"input": {asked.Get("input")}, "version": {asked.Get("version")}}, p.Rendered); err != nil {
			if f, err = refused("render", asked, err, "input", "version"); err != nil {
				return err
			}
			p.Rendered, status = nil, f.Status
		} else {
			f = form{Which: "render", Values: asked}
		}
	}
	return v.show(status, "prompt.html", page{Title: "Prompt " + p.Name, Form: f, Data: p})
}

// use puts to the versions what they were used for in thirty days.
func (p *promptPage) use(v *visit) error {
	q := url.Values{"prompt": {p.Name}, "group_by": {"version"}, "from": {v.c.Now().AddDate(0, 0, -30).Format(time.RFC3339)}}
	r, err := v.report(q)
	if err != nil {
		return err
	}
	for i := range r.Rows {
		for j := range p.Versions {
			if r.Rows[i].Values[0] == strconv.Itoa(p.Versions[j].N) {
				p.Versions[j].Use = &r.Rows[i].Sums
			}
		}
	}
	return nil
}

// promptChanged ends a form of a prompt.
func (v *visit) promptChanged(which, what string, err error, fields ...string) error {
	if err != nil {
		f, err := refused(which, v.PostForm, err, fields...)
		if err != nil {
			return err
		}
		return v.showPrompt(f.Status, f, nil)
	}
	return v.goTo("/prompts/"+url.PathEscape(v.PathValue("name")), what)
}

// setLabel points a label to a version; without one it takes the label away.
func (v *visit) setLabel() error {
	n, err := number(v.PostForm, "version")
	to := &n
	if v.PostForm.Get("version") == "" {
		to = nil
	}
	if err == nil {
		err = v.do(http.MethodPut, v.promptPath()+"/labels", nil, map[string]*int64{strings.TrimSpace(v.PostForm.Get("label")): to}, nil)
	}
	return v.promptChanged("label", "saved", err, "label", "version")
}

// setSplit shares the calls among versions, as "3: 90, 4: 10"; empty ends it.
func (v *visit) setSplit() error {
	shares := map[string]int64{}
	for part := range strings.SplitSeq(v.PostForm.Get("split"), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, share, _ := strings.Cut(part, ":")
		value, err := strconv.ParseInt(strings.TrimSpace(share), 10, 64)
		if err != nil {
			return v.promptChanged("split", "", schema.Invalid("split", "%.40q is no share of a version, such as 3: 90", part), "split")
		}
		shares[strings.TrimSpace(n)] = value
	}
	err := v.do(http.MethodPut, v.promptPath()+"/split", nil, shares, nil)
	return v.promptChanged("split", "saved", err, "split")
}

// edit publishes what the editor holds, or runs its tests.
func (v *visit) edit() error {
	source := strings.ReplaceAll(v.PostForm.Get("source"), "\r\n", "\n") // as forms send it
	in := map[string]any{"source": source}
	partials := map[string]string{}
	for name, values := range v.PostForm {
		if partial, ok := strings.CutPrefix(name, "partial-"); ok {
			partials[partial] = strings.ReplaceAll(values[0], "\r\n", "\n")
		}
	}
	if len(partials) > 0 {
		in["partials"] = partials
	}
	if v.PostForm.Get("do") == "test" {
		if model := strings.TrimSpace(v.PostForm.Get("model")); model != "" {
			in["model"] = model
		}
		t := &tests{}
		if err := v.do(http.MethodPost, v.promptPath()+"/test", nil, in, t); err != nil {
			return v.promptChanged("edit", "", err, "source")
		}
		return v.showPrompt(http.StatusOK, form{Which: "edit", Values: v.PostForm}, t)
	}
	in["message"], in["force"] = v.PostForm.Get("message"), v.PostForm.Get("force") == "yes"
	err := v.do(http.MethodPost, v.promptPath()+"/publish", nil, in, nil)
	return v.promptChanged("edit", "published", err, "source", "message")
}
