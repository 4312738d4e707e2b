package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/billing"
)

// keyring is the page of keys.
type keyring struct {
	Own    string // id of the session's key; empty: it has none
	Keys   []key
	Made   *key // nil: none was made just now
	Team   string
	Mine   *billing.Key
	Person bool   // and not a key is signed in
	More   string // where more keys are; empty: there are none
}

func (v *portalVisit) keys() error { return v.showKeys(http.StatusOK, form{}, nil) }

func (v *portalVisit) showKeys(status int, f form, made *key) error {
	list, err := all[key](v, "keys", nil)
	if err != nil {
		return err
	}
	r := keyring{Own: v.ownKey(), Made: made, Team: v.member.Key.Team, Mine: v.member.Key, Person: v.who.IsPerson()}
	for i := range list {
		if v.p.inForce(&list[i]) {
			r.Keys = append(r.Keys, list[i])
		}
	}
	r.Keys, r.More = part("/portal/keys", v.URL.Query(), "keys", r.Keys, mostKeys)
	return v.show(status, "portal-keys.html", page{Title: "Keys", Form: f, Data: r})
}

// createKey makes a key that may do what the one that is signed in with may, or
// less.
func (v *portalVisit) createKey() error {
	in := map[string]any{"team": v.member.Key.Team, "name": strings.TrimSpace(v.PostForm.Get("name")), "expires": v.PostForm.Get("expires"),
		"models": append([]string{}, words(v.PostForm.Get("models"))...), "prompts": append([]string{}, words(v.PostForm.Get("prompts"))...)}
	l, err := limits(v.PostForm)
	made := &key{}
	if err == nil {
		in["limits"] = l
		if b := budgetOf(v.PostForm); b != nil {
			in["budget"] = b
		}
		if err = v.do(http.MethodPost, "keys", nil, in, made); err == nil && v.who.IsPerson() {
			v.changeKey(made.Secret)
		}
	}
	return v.keyMade("key", made, err)
}

// keyMade shows a new key once, or the form with its fault.
func (v *portalVisit) keyMade(which string, made *key, err error) error {
	if err == nil {
		return v.showKeys(http.StatusCreated, form{}, made)
	}
	f, err := refused(which, v.PostForm, err, "name", "models", "prompts", "usd", "per", "rpm", "tpm", "parallel", "expires", "grace")
	if err != nil {
		return err
	}
	return v.showKeys(f.Status, f, nil)
}

func (v *portalVisit) keyPath() string { return "keys/" + url.PathEscape(v.PathValue("id")) }

// rotateKey puts a new key in the place of one. Who rotates the key of the
// session goes on with the new one.
func (v *portalVisit) rotateKey() error {
	made, own := &key{}, v.PathValue("id") == v.ownKey()
	err := v.do(http.MethodPost, v.keyPath()+"/rotate", nil, map[string]string{"grace": v.PostForm.Get("grace")}, made)
	if err == nil && own {
		v.changeKey(made.Secret)
		if m := v.p.who(v.Request); m != nil {
			v.member, v.who.Key = m, m.Key
		}
	}
	return v.keyMade("rotate-"+v.PathValue("id"), made, err)
}

// ownKey is the id of the key that the session has; empty: it has none. That of
// a person is the one made last.
func (v *portalVisit) ownKey() string {
	one, _, _ := v.p.current(v.Request)
	if m := v.p.Member(one.token, v.RemoteAddr); m != nil {
		return m.Key.ID
	}
	return ""
}

// changeKey puts another key into the session.
func (v *portalVisit) changeKey(secret string) {
	if _, session, ok := v.p.current(v.Request); ok {
		v.p.sessions.rekey(session, secret, v.member.Key.Team)
	}
}

func (v *portalVisit) revokeKey() error {
	which := "revoke-" + v.PathValue("id")
	if err := v.do(http.MethodDelete, v.keyPath(), nil, nil, nil); err != nil {
		f, err := refused(which, v.PostForm, err)
		if err != nil {
			return err
		}
		return v.showKeys(f.Status, f, nil)
	}
	return v.goTo("/portal/keys", "revoked")
}

// usagePage is what was used, of the key or of the team.
type usagePage struct {
	Own, Team string // label of the key or name of the user, and name of the team
	Whole     bool   // of the team
	Person    bool   // and not a key is signed in
	Charts    []chart
	Total     billing.Sums
	By        []billing.Row // by prompt and model
	Days      []billing.Row // newest first
	Budgets   []budget
	Limits    string
}

const usageDays = 30

func (v *portalVisit) usage() error {
	k := v.member.Key
	u := usagePage{Own: v.member.called, Team: k.Team, Whole: v.URL.Query().Get("of") == "team", Person: v.who.IsPerson(), Limits: limitsText(k.Limits)}
	q := v.ownUsage()
	if u.Whole {
		q = url.Values{"team": {k.Team}}
	}
	q.Set("from", v.daysAgo(usageDays-1).Format(time.DateOnly))
	q.Set("group_by", "day")
	days, err := v.report(q)
	if err != nil {
		return err
	}
	q.Set("group_by", "prompt,model")
	by, err := v.report(q)
	if err != nil {
		return err
	}
	u.Total, u.Days = days.Total, days.Rows
	u.Charts = v.usageCharts(days)
	slices.Reverse(u.Days)
	slices.SortFunc(by.Rows, func(a, b billing.Row) int {
		return cmp.Or(cmp.Compare(b.USD, a.USD), cmp.Compare(b.Calls, a.Calls))
	})
	u.By = by.Rows[:min(len(by.Rows), 20)]
	list, err := all[budget](v, "budgets", nil)
	if err != nil {
		return err
	}
	for i := range list {
		if v.concerned(list[i].Owner) {
			u.Budgets = append(u.Budgets, list[i])
		}
	}
	return v.show(http.StatusOK, "portal-usage.html", page{Title: "Usage", Data: u})
}

// ownUsage asks for what the key was used for, or the person did.
func (v *portalVisit) ownUsage() url.Values {
	k := v.member.Key
	if v.who.IsPerson() {
		return url.Values{"team": {k.Team}, "user": {k.User}}
	}
	return url.Values{"team": {k.Team}, "key": {k.Team + "/" + k.Name}}
}

// concerned tells whether calls of who is signed in count in an owner's budget.
func (v *portalVisit) concerned(o billing.OwnerName) bool {
	k := v.member.Key
	switch {
	case o.Key != "":
		return !v.who.IsPerson() && o.Key == k.Team+"/"+k.Name
	case o.Tag != "":
		return strings.HasPrefix(o.Tag, "subscription:")
	}
	return o.User == "" || o.User == k.User
}

// usageCharts are calls, cost and errors by day.
func (v *portalVisit) usageCharts(r *billing.Report) []chart {
	byDay := map[string]*billing.Row{}
	for i := range r.Rows {
		if len(r.Rows[i].Values) > 0 && len(r.Rows[i].Values[0]) >= len(time.DateOnly) {
			byDay[r.Rows[i].Values[0][:len(time.DateOnly)]] = &r.Rows[i]
		}
	}
	dollars := func(n int64) string { return usd(billing.Nano(n)) }
	figures := []struct {
		chart
		of   func(*billing.Sums) int64
		text func(int64) string
	}{
		{chart{Name: "Calls", Note: short(r.Total.InputTokens) + " tokens in, " + short(r.Total.OutputTokens) + " out"}, func(s *billing.Sums) int64 { return s.Calls }, count},
		{chart{Name: "Cost", Note: "as the ledger has it"}, func(s *billing.Sums) int64 { return int64(s.USD) }, dollars},
		{chart{Name: "Errors", Note: plural(r.Total.Refused, "call") + " refused besides"}, func(s *billing.Sums) int64 { return s.Errors }, count},
	}
	var out []chart
	for _, f := range figures {
		var points []point
		for n := usageDays - 1; n >= 0; n-- {
			day := v.daysAgo(n)
			p := point{Label: day.Format("2 Jan")}
			if row := byDay[day.Format(time.DateOnly)]; row != nil {
				p.Value = f.of(&row.Sums)
			}
			points = append(points, p)
		}
		f.Value = f.text(f.of(&r.Total))
		f.Bad = f.Name == "Errors" && r.Total.Errors > 0
		f.draw(points, nil, f.text)
		out = append(out, f.chart)
	}
	return out
}
