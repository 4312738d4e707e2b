package console

import (
	"net/url"
	"strings"
	"testing"
)

// Rules, what fires, and muting a rule until it is over.
func TestAlerts(t *testing.T) {
	b := signedIn(t, newWorld().console(), "secret")
	b.want("/alerts", 200, "half-spent", "firing", "budget used to 50 %", "Mute 1 h", "nobody yet")
	b.want("/", 200, "Alert half-spent (")
	post := func(rule, length string, status int, parts ...string) {
		t.Helper()
		rec := b.do("POST", "/alerts/"+rule+"/mute", b.form(url.Values{"for": {length}}))
		for _, part := range parts {
			if !strings.Contains(rec.Body.String(), part) {
				t.Errorf("%q is not on the page", part)
			}
		}
		if rec.Code != status {
			t.Errorf("mute %s for %q: %d", rule, length, rec.Code)
		}
	}
	post("half-spent", "1h", 200, "The rule is muted.", "muted until", "Unmute")
	post("half-spent", "soon", 400, "for wants a duration such as 2h")
	post("half-spent", "", 200, "not muted any more", "Mute 24 h")
	post("none", "1h", 404)
}
