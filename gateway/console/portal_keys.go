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
	Own  string // id of the key that is signed in with
	Keys []key
	More string // where more keys are; empty: there are none
	Made *key   // nil: none was made just now
	Team string
	Mine *billing.Key
}

func (v *portalVisit) keys() error { return v.showKeys(http.StatusOK, form{}, nil) }

func (v *portalVisit) showKeys(status int, f form, made *key) error {
	list, err := all[key](v, "keys", nil)
	if err != nil {
		return err
	}
	r := keyring{Own: v.member.Key.ID, Made: made, Team: v.member.Key.Team, Mine: v.member.Key}
	for i := range list {
		if v.p.shared.inForce(&list[i]) {
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
		err = v.do(http.MethodPost, "keys", nil, in, made)
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
	made := &key{}
	err := v.do(http.MethodPost, v.keyPath()+"/rotate", nil, map[string]string{"grace": v.PostForm.Get("grace")}, made)
	if err == nil && v.PathValue("id") == v.member.Key.ID {
		if m := v.p.Member(billing.HashKey(made.Secret), v.RemoteAddr); m != nil {
			v.changeKey(made.Secret)
			v.member, v.who.Key = m, m.Key
		}
	}
	return v.keyMade("rotate-"+v.PathValue("id"), made, err)
}

// changeKey puts another key into the session.
func (v *portalVisit) changeKey(secret string) {
	if cookie, err := v.Cookie(v.p.Cookie); err == nil {
		v.p.sessions.rekey(cookie.Value, secret)
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
	Key, Team string // label of the key, name of the team
	Whole     bool   // of the team
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
	u := usagePage{Key: k.Team + "/" + k.Name, Team: k.Team, Whole: v.URL.Query().Get("of") == "team", Limits: limitsText(k.Limits)}
	q := url.Values{"team": {k.Team}, "from": {v.daysAgo(usageDays - 1).Format(time.DateOnly)}}
	if !u.Whole {
		q.Set("key", u.Key)
	}
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
		if o := list[i].Owner; o.Key == u.Key || o.Key == "" && o.User == "" && o.Tag == "" || strings.HasPrefix(o.Tag, "subscription:") {
			u.Budgets = append(u.Budgets, list[i])
		}
	}
	return v.show(http.StatusOK, "portal-usage.html", page{Title: "Usage", Data: u})
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
