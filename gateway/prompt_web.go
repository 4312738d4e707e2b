package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/prompts"
	"sluice/providers/schema"
)

// promptHeaders are those that a prompt's file asks for on every answer, faults
// included: for browsers of other origins, and about versions that go.
func (c *Call) promptHeaders() {
	if c.speaks == nil && len(c.prompt.Template.Sluice.Origins) > 0 {
		c.corsHeaders()
	}
	r := c.retirement()
	if r == nil {
		return
	}
	h := &c.rc.Response.Header
	if !r.Deprecated.IsZero() { // RFC 9745: a structured field's date
		h.Set("Deprecation", "@"+strconv.FormatInt(r.Deprecated.Unix(), 10))
	}
	if !r.Sunset.IsZero() { // RFC 8594
		h.Set("Sunset", r.Sunset.Format(http.TimeFormat))
	}
	if r.Link != "" {
		h.Add("Link", "<"+r.Link+`>; rel="deprecation"; type="text/html"`)
		h.Add("Link", "<"+r.Link+`>; rel="sunset"; type="text/html"`)
	}
}

// retirement is what production says of the version that is called; nil:
// nothing, as of what is not published.
func (c *Call) retirement() *prompts.Retirement {
	if c.prompt.Version == 0 {
		return nil
	}
	return c.production().Template.Sluice.Retirement(c.prompt.Version)
}

// served refuses a version whose sunset is over.
func (c *Call) served() error {
	r := c.retirement()
	if r == nil || r.Sunset.IsZero() || c.now.Before(r.Sunset) {
		return nil
	}
	message := "version " + strconv.Itoa(c.prompt.Version) + " of the prompt '" + c.prompt.Name + "' was served until " + r.Sunset.Format(time.DateOnly)
	if r.Link != "" {
		message += ": see " + r.Link
	}
	return &schema.Error{Code: schema.CodeNotFound, Status: http.StatusGone, Origin: schema.OriginGateway, Message: message}
}

// corsHeaders let a browser show the answer to pages of the origins allowed
// (Fetch standard, section 3.3).
func (c *Call) corsHeaders() {
	h := &c.rc.Response.Header
	allowed := c.prompt.Template.Sluice.Origins
	origin := string(c.rc.Request.Header.Peek("Origin"))
	any := slices.Contains(allowed, "*")
	if !any {
		h.Add("Vary", "Origin")
	}
	if origin == "" || !any && !slices.Contains(allowed, origin) {
		return
	}
	if any {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "X-Request-Id, X-Sluice-Prompt, X-Sluice-Cost, X-Sluice-Model, X-Sluice-Attempts, X-Sluice-Cache, Retry-After, Location, ETag, Deprecation, Sunset, Link")
}

// preflight answers a browser that asks whether a page may call the prompt. It
// sends no key.
func (c *Call) preflight() error {
	c.commonHeaders()
	h := &c.rc.Response.Header
	if len(h.Peek("Access-Control-Allow-Origin")) > 0 {
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		if asked := c.rc.Request.Header.Peek("Access-Control-Request-Headers"); len(asked) > 0 {
			h.SetBytesV("Access-Control-Allow-Headers", asked)
		}
		h.Set("Access-Control-Max-Age", "600")
	}
	c.rc.SetStatusCode(http.StatusNoContent)
	return nil
}

// cacheable tells caches of a GET how long its answer may be given again, and
// by what it is known; true: the caller has it, and gets no body.
func (c *Call) cacheable(body string) bool {
	ttl := c.prompt.Template.Sluice.Cache
	if ttl < time.Second || c.from.method != http.MethodGet {
		return false
	}
	sum := sha256.Sum256([]byte(body))
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h := &c.rc.Response.Header
	who := "private"
	if c.caller == c.snap.Public {
		who = "public"
	}
	h.Set("ETag", tag)
	h.Set("Cache-Control", who+", max-age="+strconv.Itoa(int(ttl/time.Second)))
	h.Add("Vary", "Accept, Authorization, Prefer, X-Prompt-Version, X-Prompt-Label")
	for known := range strings.SplitSeq(string(c.rc.Request.Header.Peek("If-None-Match")), ",") {
		if known = strings.TrimPrefix(strings.TrimSpace(known), "W/"); known == tag || known == "*" {
			c.rc.SetStatusCode(http.StatusNotModified)
			return true
		}
	}
	return false
}
