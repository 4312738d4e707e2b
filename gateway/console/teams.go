package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/billing"
)

// branch is a team in the tree, and how deep it stands.
type branch struct {
	team
	Depth int
	Own   []budget
}

// forest is the page of teams.
type forest struct {
	Teams []branch
	More  string // where more are; empty: there are none
	Names []string
}

// mostTeams bounds the page of teams.
const mostTeams = 150

// teams shows the tree of teams: what they spent, of what, and how many keys
// they have.
func (v *visit) teams() error { return v.showTeams(http.StatusOK, form{}) }

func (v *visit) showTeams(status int, f form) error {
	list, err := all[team](v, "teams", nil)
	if err != nil {
		return err
	}
	t := forest{Names: []string{""}}
	for _, one := range list {
		t.Names = append(t.Names, one.Name)
	}
	t.Teams, t.More = part("/teams", v.URL.Query(), "from", tree(list), mostTeams)
	return v.show(status, "teams.html", page{Title: "Teams", Form: f, Data: t})
}

// tree puts teams below their parents. A team whose parent is not shown, as a
// team-owner's, stands at the top.
func tree(list []team) []branch {
	children := map[string][]team{}
	known := map[string]bool{}
	for _, t := range list {
		known[t.Name] = true
	}
	for _, t := range list {
		parent := t.Parent
		if !known[parent] {
			parent = ""
		}
		children[parent] = append(children[parent], t)
	}
	var out []branch
	var walk func(name string, depth int)
	walk = func(name string, depth int) {
		for _, t := range children[name] {
			out = append(out, branch{team: t, Depth: depth, Own: t.own()})
			walk(t.Name, depth+1)
		}
	}
	walk("", 0)
	return out
}

// own are the budgets of the team itself.
func (t *team) own() []budget {
	return slices.DeleteFunc(slices.Clone(t.Budgets), func(b budget) bool {
		return b.Owner != billing.OwnerName{Team: t.Name}
	})
}

// teamFields are those of the forms that make and change teams.
var teamFields = []string{"name", "parent", "models", "rpm", "tpm", "parallel", "usd", "per"}

func (v *visit) createTeam() error {
	in := map[string]any{"name": strings.TrimSpace(v.PostForm.Get("name"))}
	err := terms(v.PostForm, in)
	if parent := v.PostForm.Get("parent"); parent != "" {
		in["parent"] = parent
	}
	if err == nil {
		err = v.do(http.MethodPost, "teams", nil, in, nil)
	}
	if err != nil {
		f, err := refused("create", v.PostForm, err, teamFields...)
		if err != nil {
			return err
		}
		return v.showTeams(f.Status, f)
	}
	return v.goTo("/teams/"+url.PathEscape(in["name"].(string)), "team")
}

// terms reads what a form says about models, limits and a budget.
func terms(values url.Values, in map[string]any) error {
	l, err := limits(values)
	if err != nil {
		return err
	}
	in["limits"] = l
	in["models"] = append([]string{}, words(values.Get("models"))...)
	if b := budgetOf(values); b != nil {
		in["budget"] = b
	}
	return nil
}

// teamPage is the page of one team.
type teamPage struct {
	team
	Own, Above []budget
	Below      []string
	Keys, Gone []key
	More, Late string // where more of these keys are; empty: there are none
	Made       *key   // just now, with its secret
	Charts     []chart
}

// Bounds of a page's lists of keys: one in force comes with two forms.
const (
	mostKeys = 50
	mostGone = 100
)

// teamPage shows one team.
func (v *visit) team() error { return v.showTeam(http.StatusOK, form{}, nil) }

func (v *visit) showTeam(status int, f form, made *key) error {
	t := teamPage{Made: made}
	name := v.PathValue("name")
	if err := v.get("teams/"+url.PathEscape(name), nil, &t.team); err != nil {
		return err
	}
	t.Own = t.own()
	for _, b := range t.Budgets {
		if b.Owner.Team != name {
			t.Above = append(t.Above, b)
		}
	}
	people, err := all[budget](v, "budgets", url.Values{"team": {name}})
	if err != nil {
		return err
	}
	for _, b := range people {
		if b.Owner.User != "" || b.Owner.Tag != "" || b.Owner.Key != "" {
			t.Own = append(t.Own, b)
		}
	}
	keys, err := all[key](v, "keys", url.Values{"team": {name}})
	if err != nil {
		return err
	}
	for i := range keys {
		if v.c.inForce(&keys[i]) {
			t.Keys = append(t.Keys, keys[i])
		} else {
			t.Gone = append(t.Gone, keys[i])
		}
	}
	slices.SortStableFunc(t.Gone, func(a, b key) int { return b.ended().Compare(a.ended()) })
	path := "/teams/" + url.PathEscape(name)
	t.Keys, t.More = part(path, v.URL.Query(), "keys", t.Keys, mostKeys)
	t.Gone, t.Late = part(path, v.URL.Query(), "gone", t.Gone, mostGone)
	if err := t.use(v); err != nil {
		return err
	}
	return v.show(status, "team.html", page{Title: "Team " + name, Form: f, Data: &t})
}

// use draws what the team itself was used for in thirty days.
func (t *teamPage) use(v *visit) error {
	s := spans[2]
	starts := s.starts(v.c.Now(), v.c.Location())
	r, err := v.report(url.Values{"from": {starts[s.parts].Format("2006-01-02")}, "group_by": {"day"}, "team": {t.Name}})
	if err != nil {
		return err
	}
	sums := map[string]*billing.Sums{}
	for i := range r.Rows {
		sums[r.Rows[i].Values[0]] = &r.Rows[i].Sums
	}
	for _, f := range figures[:3] {
		c := chart{Name: f.name, Value: f.text(f.of(&r.Total)), Note: f.note(&r.Total), Bad: f.bad && f.of(&r.Total) > 0}
		var points []point
		for _, at := range starts[s.parts:] {
			p := point{Label: s.label(at)}
			if sum := sums[s.value(at)]; sum != nil {
				p.Value = f.of(sum)
			}
			points = append(points, p)
		}
		c.draw(points, nil, f.text)
		t.Charts = append(t.Charts, c)
	}
	return nil
}

// change reads a team, lets edit change it, and puts it back. What no form shows
// stays as it is.
func (v *visit) change(path string, edit func(map[string]json.RawMessage) error) error {
	var raw map[string]json.RawMessage
	if err := v.get(path, nil, &raw); err != nil {
		return err
	}
	if err := edit(raw); err != nil {
		return err
	}
	return v.do(http.MethodPut, path, nil, raw, nil)
}

// changed ends the form of a team: back to its page, or the form with its fault.
func (v *visit) changed(which, what string, err error) error {
	if err != nil {
		f, err := refused(which, v.PostForm, err, teamFields...)
		if err != nil {
			return err
		}
		return v.showTeam(f.Status, f, nil)
	}
	return v.goTo("/teams/"+url.PathEscape(v.PathValue("name")), what)
}

func (v *visit) teamPath() string { return "teams/" + url.PathEscape(v.PathValue("name")) }

// setTerms changes the models and limits of a team.
func (v *visit) setTerms() error {
	err := v.change(v.teamPath(), func(raw map[string]json.RawMessage) error {
		old := map[string]int64{}
		if err := json.Unmarshal(raw["limits"], &old); err != nil {
			return err
		}
		l, err := limits(v.PostForm)
		if err != nil {
			return err
		}
		for _, name := range []string{"rpm", "tpm", "parallel"} { // others stay
			delete(old, name)
			if l[name] > 0 {
				old[name] = l[name]
			}
		}
		return put(raw, map[string]any{"limits": old, "models": append([]string{}, words(v.PostForm.Get("models"))...)})
	})
	return v.changed("terms", "saved", err)
}

// put encodes fields of a resource.
func put(raw map[string]json.RawMessage, fields map[string]any) error {
	for name, value := range fields {
		b, err := json.Marshal(value)
		if err != nil {
			return err
		}
		raw[name] = b
	}
	return nil
}

// rawBudgets are the budgets of a resource, one or a list, as they are written.
func rawBudgets(raw json.RawMessage) ([]map[string]json.RawMessage, error) {
	if text := strings.TrimSpace(string(raw)); strings.HasPrefix(text, "{") {
		raw = json.RawMessage("[" + text + "]")
	}
	var out []map[string]json.RawMessage
	return out, json.Unmarshal(raw, &out)
}

// setBudget gives a team a budget of money, in the place of the one for the same
// period if there is one; an empty amount takes that away.
func (v *visit) setBudget() error {
	in, per := budgetOf(v.PostForm), v.PostForm.Get("per")
	err := v.change(v.teamPath(), func(raw map[string]json.RawMessage) error {
		old, err := rawBudgets(raw["budget"])
		if err != nil {
			return err
		}
		kept := []any{}
		for _, b := range old {
			if b["usd"] != nil && string(b["per"]) == `"`+per+`"` && b["models"] == nil {
				continue
			}
			kept = append(kept, b)
		}
		if in != nil {
			kept = append(kept, in)
		}
		return put(raw, map[string]any{"budget": kept})
	})
	return v.changed("budget", "saved", err)
}

func (v *visit) deleteTeam() error {
	if err := v.do(http.MethodDelete, v.teamPath(), nil, nil, nil); err != nil {
		return v.changed("delete", "", err)
	}
	return v.goTo("/teams", "team-deleted")
}
