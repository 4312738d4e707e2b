package admin

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"sluice/prompts"
	"sluice/providers/schema"
)

// versionOut is a version of a prompt as it is shown.
type versionOut struct {
	Version int       `json:"version"`
	Digest  string    `json:"digest"`
	Message string    `json:"message"`
	Author  string    `json:"author"`
	Parent  int       `json:"parent"` // production before it; 0: none
	Created time.Time `json:"created"`
	Labels  []string  `json:"labels"` // that point to it

	// Where one version is asked for: the .prompt file and what it includes.
	Source   string            `json:"source,omitempty"`
	Partials map[string]string `json:"partials,omitempty"`
}

func showVersionOf(v *prompts.Version, labels map[string]int) versionOut {
	out := versionOut{Version: v.N, Digest: v.Digest, Message: v.Message, Author: v.Author, Parent: v.Parent,
		Created: v.Created, Labels: []string{}}
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		if labels[label] == v.N {
			out.Labels = append(out.Labels, label)
		}
	}
	return out
}

func (a *api) listPrompts(q *request) error {
	values, err := q.query("limit", "after")
	if err != nil {
		return err
	}
	l, err := page(values, slices.Clone(a.View().Prompts), func(p *Prompt) string { return p.Name })
	if err != nil {
		return err
	}
	for i := range l.Data {
		if l.Data[i].Labels == nil {
			l.Data[i].Labels = map[string]int{}
		}
	}
	return q.answer(http.StatusOK, l)
}

// showPrompt is a prompt that is served, with the source of what it serves.
func (a *api) showPrompt(q *request) error {
	for _, p := range a.View().Prompts {
		if p.Name != q.PathValue("name") {
			continue
		}
		v, labels, err := a.version(q.Context(), p.Name, p.Version)
		if err != nil {
			return err
		}
		text, partials, err := prompts.Unbundle(v.Source)
		if err != nil {
			return err
		}
		p.Labels = labels
		return q.answer(http.StatusOK, struct {
			Prompt
			Digest   string            `json:"digest"`
			Since    time.Time         `json:"created"`
			Text     string            `json:"text"` // the .prompt file
			Partials map[string]string `json:"partials,omitempty"`
		}{p, v.Digest, v.Created, string(text), partials})
	}
	return errNotFound("there is no prompt %q", q.PathValue("name"))
}

// version finds one version of a prompt, and the labels of all.
func (a *api) version(ctx context.Context, name string, n int) (*prompts.Version, map[string]int, error) {
	versions, labels, err := a.versions(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	for i := range versions {
		if versions[i].N == n {
			return &versions[i], labels, nil
		}
	}
	return nil, nil, errNotFound("prompt %q has no version %d", name, n)
}

func (a *api) versions(ctx context.Context, name string) ([]prompts.Version, map[string]int, error) {
	versions, err := a.Prompts.Versions(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if len(versions) == 0 {
		return nil, nil, errNotFound("there is no prompt %q", name)
	}
	labels, err := a.Prompts.Labels(ctx, name)
	return versions, labels, err
}

// listVersions lists the versions of a prompt, newest first.
func (a *api) listVersions(q *request) error {
	values, err := q.query("limit", "after")
	if err != nil {
		return err
	}
	versions, labels, err := a.versions(q.Context(), q.PathValue("name"))
	if err != nil {
		return err
	}
	out := make([]versionOut, 0, len(versions))
	for i := range versions {
		out = append(out, showVersionOf(&versions[i], labels))
	}
	l, err := page(values, out, func(v *versionOut) string {
		return string(strconv.AppendInt(nil, 1e12-int64(v.Version), 10)) // counts down, always as long
	})
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, l)
}

func (a *api) showVersion(q *request) error {
	n, err := strconv.Atoi(q.PathValue("n"))
	if err != nil {
		return errNotFound("a version is a number, not %q", q.PathValue("n"))
	}
	v, labels, err := a.version(q.Context(), q.PathValue("name"), n)
	if err != nil {
		return err
	}
	text, partials, err := prompts.Unbundle(v.Source)
	if err != nil {
		return err
	}
	out := showVersionOf(v, labels)
	out.Source, out.Partials = string(text), partials
	return q.answer(http.StatusOK, out)
}

// publishIn is a prompt as it is sent to be published.
type publishIn struct {
	Source   string            `json:"source"`
	Partials map[string]string `json:"partials"` // what the source includes, by name
	Message  string            `json:"message"`
	Author   string            `json:"author"` // empty: the role
	Force    bool              `json:"force"`
}

// ledByFile tells whether a file of prompts.dir says what a prompt is.
func (a *api) ledByFile(name string) bool {
	return slices.ContainsFunc(a.View().Prompts, func(p Prompt) bool { return p.Name == name && p.Source == "file" })
}

// publish makes a version of a prompt and moves production to it: if its tests
// pass and it breaks no caller, or by force.
func (a *api) publish(q *request) error {
	var in publishIn
	if err := q.read(&in); err != nil {
		return err
	}
	if in.Source == "" {
		return schema.Invalid("source", "source is required: the text of the .prompt file")
	}
	name := q.PathValue("name")
	if err := checkName("name", name); err != nil {
		return err
	}
	if a.Publish == nil {
		return errConflict("prompts are published from the files of prompts.dir only")
	}
	if a.ledByFile(name) {
		return errConflict("prompt %q is declared by a file of prompts.dir and cannot be published over the API: change the file", name)
	}
	p := Publication{Name: name, Source: []byte(in.Source), Partials: in.Partials, Message: in.Message,
		Author: cmp.Or(in.Author, string(q.id.Role)), Force: in.Force}
	if err := a.review(q.Context(), p); err != nil { // it may take long: other changes do not wait for it
		return err
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	n, created, err := a.Publish(context.WithoutCancel(q.Context()), p)
	var faults prompts.Faults
	switch {
	case asFaults(err, &faults):
		return errFaulty("the prompt has faults and was not published", faults)
	case err != nil:
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return q.answer(status, struct {
		Version int  `json:"version"`
		Created bool `json:"created"` // false: production has these bytes already
	}{n, created})
}
