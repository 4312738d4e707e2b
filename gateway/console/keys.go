package console

import (
	"net/http"
	"net/url"
	"strings"
)

// inForce tells whether a key may be used, or may be for a while yet.
func (f *face) inForce(k *key) bool {
	now := f.Now()
	return (k.Revoked == nil || k.Revoked.After(now)) && (k.Expires == nil || k.Expires.After(now))
}

// createKey makes a key of a team. Its secret is on the page that answers, and
// nowhere else ever after.
func (v *visit) createKey() error {
	in := map[string]any{"team": v.PathValue("name"), "name": strings.TrimSpace(v.PostForm.Get("name")),
		"user": strings.TrimSpace(v.PostForm.Get("user")), "expires": v.PostForm.Get("expires"), "prompts": append([]string{}, words(v.PostForm.Get("prompts"))...)}
	err := terms(v.PostForm, in)
	made := &key{}
	if err == nil {
		err = v.do(http.MethodPost, "keys", nil, in, made)
	}
	return v.keyMade("key", made, err)
}

// keyMade shows a new key once, or the form with its fault.
func (v *visit) keyMade(which string, made *key, err error) error {
	if err == nil {
		return v.showTeam(http.StatusCreated, form{}, made)
	}
	f, err := refused(which, v.PostForm, err, append(teamFields, "user", "expires", "prompts", "grace")...)
	if err != nil {
		return err
	}
	return v.showTeam(f.Status, f, nil)
}

func (v *visit) keyPath() string { return "keys/" + url.PathEscape(v.PathValue("id")) }

// rotateKey puts a new key in the place of one; the old one ends after a grace.
func (v *visit) rotateKey() error {
	made := &key{}
	err := v.do(http.MethodPost, v.keyPath()+"/rotate", nil, map[string]string{"grace": v.PostForm.Get("grace")}, made)
	return v.keyMade("rotate-"+v.PathValue("id"), made, err)
}

func (v *visit) revokeKey() error {
	return v.changed("revoke-"+v.PathValue("id"), "revoked", v.do(http.MethodDelete, v.keyPath(), nil, nil, nil))
}
