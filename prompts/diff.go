package prompts

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/prompts/ordered"
)

// Diff is what differs between two versions of a prompt.
type Diff struct {
	From     int            `json:"from"`
	To       int            `json:"to"`
	Text     string         `json:"text"` // unified diff of the files and partials; "" if the bytes are the same
	Settings []Change       `json:"settings"`
	Schemas  []SchemaChange `json:"schemas"`
	// Breaking are the changes that callers of the first version may stumble
	// over, a line each.
	Breaking []string `json:"breaking"`
}

// Change is a setting that differs; null stands for one that is not there.
type Change struct {
	Key  string          `json:"key"`
	From json.RawMessage `json:"from"`
	To   json.RawMessage `json:"to"`
}

// SchemaChange is one difference between two schemas.
type SchemaChange struct {
	Side     string `json:"side"`    // input, or output
	Pointer  string `json:"pointer"` // to the value that is described
	Message  string `json:"message"`
	Breaking bool   `json:"breaking"`
}

// Compare tells what changes from one version of a prompt to another.
func Compare(from, to *Live) Diff {
	d := Diff{From: from.Version, To: to.Version, Text: textDiff(from, to), Settings: []Change{}, Schemas: []SchemaChange{}, Breaking: []string{}}
	a, b := from.Template, to.Template
	d.settings(a, b, from.Path, to.Path)
	in := comparison{side: "input", strict: true, filled: b.Input.Default}
	in.schemas(a.Input.Schema, b.Input.Schema, "", 0)
	out := comparison{side: "output"}
	if a.Output.JSON() && b.Output.JSON() {
		out.schemas(a.Output.Schema, b.Output.Schema, "", 0)
	}
	d.Schemas = append(append(d.Schemas, in.found...), out.found...)
	for _, c := range d.Schemas {
		if c.Breaking {
			d.Breaking = append(d.Breaking, strings.TrimSpace(c.Side+" "+c.Pointer)+": "+c.Message)
		}
	}
	return d
}

// settings compares everything but the schemas.
func (d *Diff) settings(a, b *Template, pathA, pathB string) {
	d.setting("model", a.Model, b.Model)
	d.values("config", a.Config, b.Config)
	d.setting("output.format", a.Output.Format, b.Output.Format)
	d.setting("path", pathA, pathB)
	d.setting("sluice.summary", a.Sluice.Summary, b.Sluice.Summary)
	d.setting("sluice.access", string(a.Sluice.Access), string(b.Sluice.Access))
	d.setting("sluice.cache", duration(a.Sluice.Cache), duration(b.Sluice.Cache))
	d.setting("sluice.limits", a.Sluice.Limits, b.Sluice.Limits)
	d.setting("sluice.repair", a.Sluice.Repair, b.Sluice.Repair)
	d.values("input.default", a.Input.Default, b.Input.Default)
	if pathA != pathB {
		d.Breaking = append(d.Breaking, fmt.Sprintf("path: %s is no longer served, it is %s now", pathA, pathB))
	}
	if a.Output.JSON() != b.Output.JSON() {
		kind := map[bool]string{true: "JSON", false: "text"}
		d.Breaking = append(d.Breaking, fmt.Sprintf("output: it was %s and is %s now", kind[a.Output.JSON()], kind[b.Output.JSON()]))
	}
	open := []Access{AccessSubscribed, AccessAnyKey, AccessPublic}
	if slices.Index(open, b.Sluice.Access) < slices.Index(open, a.Sluice.Access) {
		d.Breaking = append(d.Breaking, fmt.Sprintf("sluice.access: fewer may call it: %s was %s", b.Sluice.Access, a.Sluice.Access))
	}
}

func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// setting notes a setting that differs.
func (d *Diff) setting(key string, a, b any) {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	if cmp.Or(err, err2) != nil || string(x) == string(y) {
		return
	}
	none := func(raw []byte) json.RawMessage {
		if string(raw) == `""` {
			return json.RawMessage("null")
		}
		return raw
	}
	d.Settings = append(d.Settings, Change{key, none(x), none(y)})
}

// values compares objects key by key.
func (d *Diff) values(name string, a, b ordered.Object) {
	var keys []string
	for _, o := range []ordered.Object{a, b} {
		for _, m := range o {
			if !slices.Contains(keys, m.Key) {
				keys = append(keys, m.Key)
			}
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		x, _ := a.Get(k)
		y, _ := b.Get(k)
		if p, q := jsonText(x), jsonText(y); p != q {
			d.Settings = append(d.Settings, Change{name + "." + k, json.RawMessage(p), json.RawMessage(q)})
		}
	}
}

// textDiff compares the files and, under their names, the partials.
func textDiff(from, to *Live) string {
	var b strings.Builder
	name := to.Name + ".prompt"
	b.WriteString(unified(name, string(from.Source), string(to.Source)))
	var names []string
	for _, p := range []map[string]string{from.Partials, to.Partials} {
		for _, n := range partialNames(p) {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	slices.Sort(names)
	for _, n := range names {
		b.WriteString(unified("_"+n+".prompt", from.Partials[n], to.Partials[n]))
	}
	return b.String()
}
