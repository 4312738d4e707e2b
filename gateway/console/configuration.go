package console

import (
	"encoding/json"
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
	Shown     *admin.RevisionText // one of them
	Changes   []admin.ConfigChange
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
	if n := v.URL.Query().Get("revision"); n != "" {
		if err := v.get("config/revisions/"+url.PathEscape(n), nil, &p.Shown); err != nil {
			return err
		}
	}
	return v.show(status, "config.html", page{Title: "Configuration", Form: f, Data: &p})
}

// compareConfiguration shows what a text would change, or makes the change.
func (v *visit) compareConfiguration() error {
	text := v.PostForm.Get("text")
	var out struct {
		Changes []admin.ConfigChange `json:"changes"`
	}
	a, err := v.sendBody(http.MethodPost, "config/diff", nil, strings.NewReader(text), "")
	if err == nil && v.PostForm.Get("do") == "apply" {
		query := url.Values{"message": {v.PostForm.Get("message")}}
		if _, err = v.sendBody(http.MethodPut, "config", query, strings.NewReader(text), v.PostForm.Get("digest")); err == nil {
			return v.goTo("/config", "saved")
		}
	}
	if err == nil {
		err = json.Unmarshal(a.body.Bytes(), &out)
	}
	f := form{Which: "edit", Values: v.PostForm, Status: http.StatusOK}
	if err != nil {
		if f, err = refused("edit", v.PostForm, err, "text", "message"); err != nil {
			return err
		}
	}
	return v.showConfiguration(f.Status, f, configPage{Compared: f.Error == "" && len(f.Faults) == 0, Changes: out.Changes})
}

func (v *visit) rollback() error {
	n, err := number(v.PostForm, "to")
	if err == nil {
		err = v.do(http.MethodPost, "config/rollback", nil, map[string]int64{"to": n}, nil)
	}
	if err != nil {
		f, err := refused("rollback", v.PostForm, err)
		if err != nil {
			return err
		}
		return v.showConfiguration(f.Status, f, configPage{})
	}
	return v.goTo("/config", "saved")
}

// value is one side of a change for people; empty: there is none.
func value(raw json.RawMessage) string {
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}
