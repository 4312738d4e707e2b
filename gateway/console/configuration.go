package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sluice/gateway/admin"
)

// configPage is the configuration, its history, and what a text would change.
type configPage struct {
	Text      string // as it was written, references and no secrets
	Effective string // with defaults and what the environment sets; empty: it was not asked for
	Digest    string
	Lead      string
	Revisions []admin.Revision
	Shown     *admin.RevisionText  // one of them
	Back      []admin.ConfigChange // what going back to it changes
	NoWay     string               // why nobody can
	Diff      admin.ConfigDiff
	Compared  bool
}

func (v *visit) configuration() error {
	return v.showConfiguration(http.StatusOK, form{}, configPage{})
}

func (v *visit) showConfiguration(status int, f form, p configPage) error {
	a, err := v.send(http.MethodGet, "config", url.Values{"view": {"effective"}}, nil)
	if err != nil {
		return err
	}
	p.Lead, p.Digest = a.header.Get("X-Sluice-Lead"), a.header.Get("ETag")
	if v.URL.Query().Get("view") == "effective" {
		p.Effective = a.body.String()
	}
	if p.Revisions, err = all[admin.Revision](v, "config/revisions", nil); err != nil {
		return err
	}
	for _, r := range p.Revisions {
		if !r.Running || p.Text != "" {
			continue
		}
		var running admin.RevisionText
		if err := v.get("config/revisions/"+strconv.FormatInt(r.N, 10), nil, &running); err != nil {
			return err
		}
		p.Text = running.Text
	}
	if f.Which == "edit" {
		p.Text = f.Values.Get("text")
	}
	if n := v.URL.Query().Get("revision"); n != "" {
		if err := v.lookBack(n, &p); err != nil {
			return err
		}
	}
	return v.show(status, "config.html", page{Title: "Configuration", Form: f, Data: &p})
}

// lookBack adds a revision to the page, and what going back to it changes: an
// old one may be refused now.
func (v *visit) lookBack(n string, p *configPage) error {
	if err := v.get("config/revisions/"+url.PathEscape(n), nil, &p.Shown); err != nil {
		return err
	}
	if p.Shown.Running || !admin.May(v.who.Role, "POST /admin/v1/config/diff") {
		return nil
	}
	diff, err := v.diff(p.Shown.Text)
	var refusal *problem
	if errors.As(err, &refusal) && refusal.Status < 500 {
		p.NoWay, err = "There is no way back to it: "+refusal.Error(), nil
	}
	p.Back = diff.Changes
	return err
}

// diff is what a text would change.
func (v *visit) diff(text string) (out admin.ConfigDiff, err error) {
	a, err := v.sendBody(http.MethodPost, "config/diff", nil, strings.NewReader(text), "")
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(a.body.Bytes(), &out); err != nil {
		return out, fmt.Errorf("cannot read what would change: %w", err)
	}
	return out, nil
}

// compareConfiguration shows what a text would change, or makes the change.
func (v *visit) compareConfiguration() error {
	text := v.PostForm.Get("text")
	if do := v.PostForm.Get("do"); do == "apply" || do == "force" {
		query := url.Values{"message": {v.PostForm.Get("message")}, "force": {strconv.FormatBool(do == "force")}}
		a, err := v.sendBody(http.MethodPut, "config", query, strings.NewReader(text), v.PostForm.Get("digest"))
		if err != nil {
			return v.refuseConfiguration(err)
		}
		return v.inForce(a)
	}
	diff, err := v.diff(text)
	if err != nil {
		return v.refuseConfiguration(err)
	}
	return v.showConfiguration(http.StatusOK, form{Which: "edit", Values: v.PostForm}, configPage{Compared: true, Diff: diff})
}

// refuseConfiguration shows what is wrong with a text beside it, each fault with
// the line that it is in.
func (v *visit) refuseConfiguration(err error) error {
	f, err := refused("edit", v.PostForm, faulty(err, v.PostForm.Get("text")), "text", "message")
	if err != nil {
		return err
	}
	var p configPage
	if f.Status == http.StatusPreconditionFailed || f.Faults["message"] != "" { // the text itself has no fault
		if f.Faults["message"] == "" {
			f.Error = "Somebody has changed the configuration meanwhile. Look at what your text changes now, then put it in force."
		}
		if p.Diff, err = v.diff(v.PostForm.Get("text")); err != nil {
			return err
		}
		p.Compared = true
	}
	return v.showConfiguration(f.Status, f, p)
}

// faulty is an error about a text that quotes the lines at fault.
func faulty(err error, text string) error {
	var p *problem
	if !errors.As(err, &p) || len(p.Errors) == 0 {
		return err
	}
	const longest = 100
	lines := strings.Split(text, "\n")
	for i := range p.Errors {
		if n := p.Errors[i].Line; p.Errors[i].File == "" && n > 0 && n <= len(lines) {
			p.Errors[i].Message += fmt.Sprintf("\n→ %.*s", longest, strings.TrimSpace(lines[n-1]))
		}
	}
	p.Param = "text"
	return p
}

func (v *visit) rollback() error {
	n, err := number(v.PostForm, "to")
	var a *answer
	if err == nil {
		a, err = v.send(http.MethodPost, "config/rollback", nil, map[string]int64{"to": n})
	}
	if err != nil {
		f, err := refused("rollback", v.PostForm, err)
		if err != nil {
			return err
		}
		return v.showConfiguration(f.Status, f, configPage{})
	}
	return v.inForce(a)
}

// inForce goes on to the page after a change, which tells whether all of it is
// in force.
func (v *visit) inForce(a *answer) error {
	var applied admin.ConfigApplied
	if err := json.Unmarshal(a.body.Bytes(), &applied); err != nil {
		return fmt.Errorf("cannot read what was applied: %w", err)
	}
	if len(applied.Restart) > 0 {
		return v.goTo("/config", "restart")
	}
	return v.goTo("/config", "saved")
}

// value is one side of a change for people; empty: there is none.
func value(raw json.RawMessage) string {
	if string(raw) == "null" {
		return ""
	}
	var text string
	if err := json.Unmarshal(raw, &text); err == nil && text != "" {
		return text
	}
	return string(raw)
}
