package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/providers/schema"
)

// Configuration is the life of the configuration, which the file or the store
// leads. Errors about a text are ConfigFaults.
type Configuration struct {
	// Shown is the configuration as it was written, or with effective as it is in
	// force, with defaults and what the environment sets.
	Shown func(ctx context.Context, effective bool) (ConfigShown, error)
	// Validate tells what is wrong with a text.
	Validate func(ctx context.Context, text []byte) error
	// Diff is what a text would change.
	Diff func(ctx context.Context, text []byte) (ConfigDiff, error)
	// Put puts a text in force, or a revision again if it is nil.
	Put func(ctx context.Context, text []byte, e ConfigEdit) (ConfigApplied, error)

	Revisions func(ctx context.Context) ([]Revision, error) // newest first
	Revision  func(ctx context.Context, n int64) (RevisionText, error)
}

// ConfigShown is a configuration without its secrets.
type ConfigShown struct {
	JSON, YAML []byte // YAML is nil of what is effective
	Digest     string
	Lead       string // file, or store
	File       string // that leads; empty: there is none
	Revision   int64  // 0: it is not recorded
}

// ConfigEdit is who changes the configuration, and how.
type ConfigEdit struct {
	Author, Message string
	Match           string // the digest that it must have now; empty: any
	To              int64  // the revision that is put in force again
	Force           bool   // though it breaks callers of routes
}

// ConfigDiff is what a configuration would change.
type ConfigDiff struct {
	Changes []ConfigChange `json:"changes"`
	Breaks  []string       `json:"breaks"` // of it what breaks callers of routes, and is put in force by force only
}

// ConfigChange is what changes of one object.
type ConfigChange struct {
	Op     string        `json:"op"`     // create, update or delete
	Object string        `json:"object"` // such as teams/research, or server
	Fields []ConfigField `json:"fields"`
}

// ConfigField is a value that changes; null on the side that has none.
type ConfigField struct {
	Path string          `json:"path"`
	From json.RawMessage `json:"from"`
	To   json.RawMessage `json:"to"`
}

// ConfigApplied is a change that is in force.
type ConfigApplied struct {
	Revision int64          `json:"revision"`
	Digest   string         `json:"digest"`
	Changes  []ConfigChange `json:"changes"`
	Restart  []string       `json:"restart"` // keys that are in force only when the process starts anew
}

// Revision is a state that the configuration had.
type Revision struct {
	N       int64     `json:"revision"`
	Created time.Time `json:"created"`
	Author  string    `json:"author"` // a role of the admin plane, or file
	Message string    `json:"message"`
	Digest  string    `json:"digest"`
	Source  string    `json:"source"` // file, or store: what led
	Running bool      `json:"running"`
}

// RevisionText is a revision with what it says.
type RevisionText struct {
	Revision
	Text   string          `json:"text"`   // YAML
	Config json.RawMessage `json:"config"` // the same as JSON
}

// ConfigFaults is what is wrong with a configuration.
type ConfigFaults []ConfigFault

// ConfigFault is one fault, with its line in the text that was sent.
type ConfigFault struct {
	Line    int
	File    string // where it is not in the text, such as the name of a variable
	Message string
}

func (f ConfigFaults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.Message
	}
	return strings.Join(lines, "\n")
}

// ErrConfigMoved says that the configuration is another than the one that a
// change was made from.
type ErrConfigMoved struct{ Digest string }

func (ErrConfigMoved) Error() string { return "the configuration has changed since it was read" }

// ErrConfigLed says that the API does not lead the configuration.
type ErrConfigLed struct{ File string }

func (e ErrConfigLed) Error() string {
	if e.File == "" {
		return "config.lead is file and there is no file: make ./sluice.yaml, or start the gateway with -c FILE; with config: {lead: store} in it the API leads"
	}
	return "config.lead is file: " + e.File + " leads the configuration, change it there, and it is read again by itself; with config: {lead: store} in it the API leads"
}

// ErrConfigBreaks says which changes break callers of routes.
type ErrConfigBreaks struct{ Changes []string }

func (ErrConfigBreaks) Error() string {
	return "the configuration was not put in force, for it breaks callers who keep to the documents of routes; force puts it in force all the same"
}

// configError is what the API says of an error about the configuration; nil: it
// is another.
func configError(q *request, err error) *schema.Error {
	e := &schema.Error{Origin: schema.OriginGateway, Cause: err}
	var faults ConfigFaults
	var moved ErrConfigMoved
	var led ErrConfigLed
	var breaks ErrConfigBreaks
	switch {
	case errors.As(err, &breaks):
		e.Code, e.Status, e.Message = codeFaulty, http.StatusUnprocessableEntity, breaks.Error()
	case errors.As(err, &faults):
		e.Code, e.Status, e.Message = codeFaulty, http.StatusUnprocessableEntity, "the configuration has faults; the one in force serves on"
	case errors.As(err, &moved):
		e.Code, e.Status, e.Message = codeMoved, http.StatusPreconditionFailed, moved.Error()+"; If-Match must be the ETag of GET /admin/v1/config"
		q.w.Header().Set("ETag", `"`+moved.Digest+`"`)
	case errors.As(err, &led):
		e.Code, e.Status, e.Message = codeConflict, http.StatusConflict, led.Error()
	default:
		return nil
	}
	return e
}

// maxConfig bounds a configuration that is sent.
const maxConfig = 8 << 20

// text is the body: YAML, or JSON.
func (q *request) text() ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(q.w, q.Body, maxConfig))
}

const yamlType = "application/yaml"

// showConfig answers with JSON, or with YAML for who accepts that alone.
func (a *api) showConfig(q *request) error {
	values, err := q.query("view")
	if err != nil {
		return err
	}
	view := values.Get("view")
	if view != "" && view != "effective" && view != "written" {
		return schema.Invalid("view", "view must be written or effective, not %q", view)
	}
	c, err := a.Configuration.Shown(q.Context(), view == "effective")
	if err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("ETag", `"`+c.Digest+`"`)
	h.Set("X-Sluice-Revision", strconv.FormatInt(c.Revision, 10))
	h.Set("X-Sluice-Lead", c.Lead)
	h.Set("Content-Type", "application/json")
	body := c.JSON
	if strings.Contains(q.Header.Get("Accept"), "yaml") && c.YAML != nil {
		h.Set("Content-Type", yamlType)
		body = c.YAML
	}
	_, _ = q.w.Write(append(bytes.TrimRight(body, "\n"), '\n')) // the client may have left
	return nil
}

func (a *api) validateConfig(q *request) error {
	if _, err := q.query(); err != nil {
		return err
	}
	text, err := q.text()
	if err != nil {
		return err
	}
	if err := a.Configuration.Validate(q.Context(), text); err != nil {
		return err
	}
	return q.answer(http.StatusOK, map[string]bool{"valid": true})
}

func (a *api) diffConfig(q *request) error {
	if _, err := q.query(); err != nil {
		return err
	}
	text, err := q.text()
	if err != nil {
		return err
	}
	diff, err := a.Configuration.Diff(q.Context(), text)
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, diff)
}

func (a *api) putConfig(q *request) error {
	values, err := q.query("message", "force")
	if err != nil {
		return err
	}
	force, err := strconv.ParseBool(cmp.Or(values.Get("force"), "false"))
	if err != nil {
		return schema.Invalid("force", "force must be true or false, not %q", values.Get("force"))
	}
	text, err := q.text()
	if err != nil {
		return err
	}
	if text == nil {
		text = []byte{}
	}
	return a.putInForce(q, text, ConfigEdit{Author: string(q.id.Role), Message: values.Get("message"), Force: force})
}

func (a *api) rollbackConfig(q *request) error {
	if _, err := q.query(); err != nil {
		return err
	}
	var in rollbackIn
	if err := q.read(&in); err != nil {
		return err
	}
	if in.To < 1 {
		return schema.Invalid("to", "to is required: the number of a revision")
	}
	return a.putInForce(q, nil, ConfigEdit{Author: string(q.id.Role), Message: in.Message, To: in.To})
}

type rollbackIn struct {
	To      int64  `json:"to"`
	Message string `json:"message"`
}

func (a *api) putInForce(q *request, text []byte, e ConfigEdit) error {
	const longest = 500
	if len(e.Message) > longest {
		return schema.Invalid("message", "message must have at most %d bytes", longest)
	}
	if e.Match = strings.TrimSpace(q.Header.Get("If-Match")); e.Match == "*" {
		e.Match = ""
	}
	e.Match = strings.Trim(strings.TrimPrefix(e.Match, "W/"), `"`)
	// What has begun comes in force, or not, whether or not who asked waits.
	applied, err := a.Configuration.Put(context.WithoutCancel(q.Context()), text, e)
	if err != nil {
		return err
	}
	q.w.Header().Set("ETag", `"`+applied.Digest+`"`)
	if applied.Changes == nil {
		applied.Changes = []ConfigChange{}
	}
	applied.Restart = notNil(applied.Restart)
	return q.answer(http.StatusOK, applied)
}

func (a *api) listRevisions(q *request) error {
	values, err := q.query("limit", "after")
	if err != nil {
		return err
	}
	items, err := a.Configuration.Revisions(q.Context())
	if err != nil {
		return err
	}
	// The newest comes first: the cursor grows while numbers fall.
	l, err := page(values, items, func(r *Revision) string { return strconv.FormatInt(1<<62-r.N, 10) })
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, l)
}

func (a *api) showRevision(q *request) error {
	n, err := strconv.ParseInt(q.PathValue("n"), 10, 64)
	if err != nil || n < 1 {
		return errNotFound("%q is no number of a revision", q.PathValue("n"))
	}
	r, err := a.Configuration.Revision(q.Context(), n)
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, r)
}
