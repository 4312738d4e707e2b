package gateway

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"sluice/billing"
	"sluice/providers"
	"sluice/providers/schema"
)

// A provider's account holds the files and batches of all teams whose calls go
// there; whose each is, the gateway alone knows. It is kept beside the answers of
// the Responses API, of no team: who made it is what is kept. What was made
// without the gateway is nobody's, and everybody's who may call the provider.

// ownerName is under what it is kept whose a file or batch is.
func ownerName(p *Provider, id string) string { return "owner\n" + p.Name + "\n" + id }

// madeBy is the team that made a file or batch; empty: nobody has, here.
func (c *Call) madeBy(p *Provider, id string) (string, error) {
	team, err := c.g.responses.get(c.g.ctx, "", ownerName(p, id))
	switch {
	case errors.Is(err, billing.ErrNotFound):
		return "", nil
	case err != nil:
		return "", &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway,
			Message: "whose files are cannot be read now", RetryAfter: 5 * time.Second, Cause: err}
	}
	return string(team), nil
}

// own keeps that the caller's team made a file or batch.
func (c *Call) own(p *Provider, id string) {
	if id != "" && c.g.responses != nil {
		c.g.responses.put("", ownerName(p, id), c.now, []byte(c.entry.Team))
	}
}

// mayReach refuses what another team has made, as if it were not there.
func (c *Call) mayReach(p *Provider, param string, ids ...string) error {
	for _, id := range ids {
		team, err := c.madeBy(p, id)
		if err != nil {
			return err
		}
		if team != "" && team != c.entry.Team {
			return &schema.Error{Code: schema.CodeNotFound, Status: 404, Origin: schema.OriginGateway, Param: param,
				Class: schema.ClassInvalidRequest, Message: "there is no '" + label(id) + "'"}
		}
	}
	return nil
}

// passedID is the file or batch that a path names, or nothing.
func (c *Call) passedID() string {
	if op := c.passed.op; op != schema.OpFile && op != schema.OpBatch {
		return ""
	}
	parts := strings.Split(c.from.path, "/") // "", v1, files, ID, …
	if len(parts) < 4 {
		return ""
	}
	return parts[3]
}

// reaches refuses a request that is passed on, where it names what another team
// has made.
func (c *Call) reaches() error {
	p := c.model.Targets[0].Provider
	if id := c.passedID(); id != "" {
		return c.mayReach(p, "id", id)
	}
	if c.passed.op != schema.OpFile || c.g.responses == nil {
		return nil
	}
	for _, file := range c.passed.sent {
		ids := filesInLines(c.passed.raw[file.From:file.To])
		if len(ids) > maxFilesNamed {
			return schema.Invalid("file", "the file's lines name more than %d files: divide it", maxFilesNamed)
		}
		if err := c.mayReach(p, "file", ids...); err != nil {
			return err
		}
	}
	return nil
}

// maxFilesNamed bounds how many files an uploaded one may name: whose each is
// has to be looked up.
const maxFilesNamed = 10_000

// filesInLines are the files that the lines of a file name, each once: a batch
// makes calls of them, with the provider's key.
func filesInLines(raw []byte) []string {
	if !mayNameFile(raw) {
		return nil
	}
	seen := map[string]bool{}
	for line := range bytes.FieldsFuncSeq(raw, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if len(seen) > maxFilesNamed {
			break
		}
		if mayNameFile(line) {
			for _, id := range filesIn(gjson.ParseBytes(line), nil) {
				seen[id] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// keepOwned notes whose that is which a file's or batch's answer tells of, and
// takes out of a list what is another team's.
func (c *Call) keepOwned(answer *providers.Answer) error {
	p, body := c.target.Provider, gjson.ParseBytes(answer.Body)
	switch op, id := c.passed.op, c.passedID(); {
	case op != schema.OpFile && op != schema.OpBatch:
	case c.from.method == "GET" && id == "":
		return c.ownOnly(p, answer, body)
	case id == "":
		c.own(p, body.Get("id").String())
	case c.from.method == "DELETE" && c.g.responses != nil:
		if err := c.g.responses.delete(c.g.ctx, "", ownerName(p, id)); err != nil { // the file is gone all the same
			c.g.log.Warn("it is still kept whose a deleted file was", "file", id, "error", err)
		}
	case op == schema.OpBatch: // whose results are whose it is
		team, err := c.madeBy(p, id)
		if err != nil || team == "" {
			return err
		}
		for _, result := range []string{"output_file_id", "error_file_id"} {
			c.own(p, body.Get(result).String())
		}
	}
	return nil
}

// ownOnly takes out of a list what is another team's. Its last_id stays: the list
// goes on there, though nothing of the page is left.
func (c *Call) ownOnly(p *Provider, answer *providers.Answer, body gjson.Result) error {
	kept, first, all := []byte{'['}, "", body.Get("data").Array()
	for _, item := range all {
		id := item.Get("id").String()
		if team, err := c.madeBy(p, id); err != nil {
			return err
		} else if team != "" && team != c.entry.Team {
			continue
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		} else {
			first = id
		}
		kept = append(kept, item.Raw...)
	}
	out, err := sjson.SetRawBytes(answer.Body, "data", append(kept, ']'))
	if err == nil && body.Get("first_id").Exists() && first != body.Get("first_id").String() {
		out, err = sjson.SetBytes(out, "first_id", first)
	}
	if err != nil {
		return err
	}
	answer.Body = out
	return nil
}

// reachesFiles refuses a request whose body names a file that another team has
// made at the target's provider.
func (c *Call) reachesFiles(t *Target) error {
	if c.g.responses == nil || !mayNameFile(c.req.Raw) {
		return nil
	}
	return c.mayReach(t.Provider, "file_id", filesIn(gjson.ParseBytes(c.req.Raw), nil)...)
}

// mayNameFile is a quick look for a field of that name: as it is, or with a
// letter of it written as an escape.
func mayNameFile(raw []byte) bool {
	if bytes.Contains(raw, []byte("file_id")) {
		return true
	}
	for rest := raw; ; {
		at := bytes.Index(rest, []byte(`\u00`))
		if at < 0 || at+4 >= len(rest) {
			return false
		}
		if rest = rest[at+4:]; rest[0] >= '2' && rest[0] <= '7' {
			return true
		}
	}
}

// filesIn adds the files that a JSON value names.
func filesIn(v gjson.Result, ids []string) []string {
	v.ForEach(func(name, in gjson.Result) bool {
		switch name.String() {
		case "file_id", "input_file_id":
			ids = append(ids, in.String())
		case "file_ids":
			for _, id := range in.Array() {
				ids = append(ids, id.String())
			}
		default:
			if in.IsObject() || in.IsArray() {
				ids = filesIn(in, ids)
			}
		}
		return true
	})
	return ids
}
