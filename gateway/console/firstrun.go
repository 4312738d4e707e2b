package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/gateway/admin"
	"sluice/providers/schema"
)

// firstRun is the page that leads from no key to an answered call, and to one of
// a prompt of one's own. The key is on it as long as its forms carry it: the
// gateway does not have it.
type firstRun struct {
	DataURL string
	Teams   string // to choose from, for the field; empty: the first one is made
	Models  string // likewise
	Key     string
	Made    bool // the key is new
	Model   string
	Tried   *trial
	Called  bool // a call was answered, now or before

	Publishes    bool   // who looks may
	Name, Source string // of the prompt
	Path         string // empty: it is not published
	Version      int
	Input        string
	Asked        *trial
}

// firstTeam is the team of a gateway that has none.
const firstTeam = "default"

// firstFields are the fields of its forms that refusals may name.
var firstFields = []string{"team", "key", "model", "text", "name", "source", "input"}

func (v *visit) firstRun() error { return v.showFirst(http.StatusOK, form{}, &firstRun{}) }

// firstStep makes one step, which the button names, and shows the page with all
// that came before it.
func (v *visit) firstStep() error {
	values := v.PostForm
	p := &firstRun{Key: strings.TrimSpace(values.Get("key")), Name: strings.TrimSpace(values.Get("name")),
		Source: strings.ReplaceAll(values.Get("source"), "\r\n", "\n"), Input: values.Get("input"),
		Called: values.Get("called") == "yes"}
	which := values.Get("do")
	var err error
	switch which {
	case "key":
		err = v.firstKey(p)
	case "own":
		if err = plainKey(p.Key); err != nil {
			p.Key = ""
		}
	case "call":
		p.Tried, err = v.c.ask(v.Context(), values)
	case "publish":
		err = v.firstPublish(p)
	case "ask":
		if err = v.firstPrompt(p); err == nil {
			p.Asked, err = v.c.askPrompt(v.Context(), p.Key, p.Path, p.Input)
		}
	default:
		err = &problem{Status: http.StatusBadRequest, Detail: "The form has no such step."}
	}
	if err == nil {
		if which == "publish" {
			err = v.firstPrompt(p)
		}
		if err == nil {
			return v.showFirst(http.StatusOK, form{Which: which, Values: values}, p)
		}
	}
	f, err := refused(which, values, err, firstFields...)
	if err != nil {
		return err
	}
	return v.showFirst(f.Status, f, p)
}

func (v *visit) showFirst(status int, f form, p *firstRun) error {
	p.DataURL, p.Model = v.c.DataURL, "mock/echo"
	p.Publishes = admin.May(v.who.Role, "POST /admin/v1/prompts/{name}/publish")
	p.Called = p.Called || p.Tried != nil && p.Tried.Status == http.StatusOK
	teams, err := all[struct {
		Name string `json:"name"`
	}](v, "teams", nil)
	if err != nil {
		return err
	}
	for _, t := range teams {
		p.Teams = strings.TrimPrefix(p.Teams+","+t.Name, ",")
	}
	models, err := all[admin.Model](v, "models", nil)
	if err != nil {
		return err
	}
	p.Models = p.Model
	for _, m := range models {
		p.Models += "," + m.ID
	}
	p.Name, p.Source, p.Input = cmp.Or(p.Name, "hello"), cmp.Or(p.Source, firstPrompt), cmp.Or(p.Input, `{"text": "Hello, Sluice!"}`)
	return v.show(status, "first-run.html", page{Title: "First steps", Form: f, Data: p})
}

// firstKey makes a key, and a team for it where there is none.
func (v *visit) firstKey(p *firstRun) error {
	team := v.PostForm.Get("team")
	if team == "" {
		teams, err := all[struct {
			Name string `json:"name"`
		}](v, "teams", nil)
		if err != nil {
			return err
		}
		if team = firstTeam; len(teams) > 0 {
			team = teams[0].Name
		} else if err := v.do(http.MethodPost, "teams", nil, map[string]string{"name": team}, nil); err != nil {
			return err
		}
	}
	var made key
	if err := v.do(http.MethodPost, "keys", nil, map[string]string{"team": team}, &made); err != nil {
		return err
	}
	p.Key, p.Made = made.Secret, true
	return nil
}

func (v *visit) firstPublish(p *firstRun) error {
	if p.Name == "" {
		return schema.Invalid("name", "Give the prompt a name.")
	}
	in := map[string]any{"source": p.Source, "message": "first steps"}
	return v.do(http.MethodPost, "prompts/"+url.PathEscape(p.Name)+"/publish", nil, in, nil)
}

// firstPrompt finds where the prompt is served.
func (v *visit) firstPrompt(p *firstRun) error {
	var served admin.Prompt
	if err := v.get("prompts/"+url.PathEscape(p.Name), nil, &served); err != nil {
		return err
	}
	p.Path, p.Version = served.Path, served.Version
	return nil
}

// Steps tells which are behind who looks.
func (p *firstRun) Steps() []bool {
	return []bool{p.Key != "", p.Called, p.Path != "", p.Asked != nil && p.Asked.Status == http.StatusOK}
}

// Done tells whether all are that who looks may make.
func (p *firstRun) Done() bool {
	steps := p.Steps()
	if !p.Publishes {
		steps = steps[:2]
	}
	return !slices.Contains(steps, false)
}

// Example is the input as it can stand between a shell's single quotes.
func (p *firstRun) Example() string { return strings.ReplaceAll(p.Input, "'", "'\\''") }

// Reaches tells whether a path can be called as it stands: those with
// parameters take more than an input.
func (p *firstRun) Reaches() bool { return p.Path != "" && !strings.Contains(p.Path, "{") }

// askPrompt calls a prompt the way any client does.
func (c *Console) askPrompt(ctx context.Context, key, path, input string) (*trial, error) {
	if err := plainKey(key); err != nil {
		return nil, err
	}
	if strings.TrimSpace(input) == "" {
		return nil, schema.Invalid("input", "Write the input, as JSON.")
	}
	t, said, err := c.post(ctx, key, path, []byte(input))
	var bad *schema.Error
	if errors.As(err, &bad) { // it names a field of the other form
		return nil, schema.Invalid("input", "%s", bad.Message)
	}
	if err != nil {
		return nil, err
	}
	t.Text = string(said)
	return t, nil
}
