package config

import "testing"

func TestRetention(t *testing.T) {
	c := load(t, `
billing: {retention: 400d}
teams:
  top: {retention: 30d}
  below: {parent: top}
  kept: {parent: top, retention: forever}
  other: {}
`)
	parents := map[string]string{"top": "", "below": "top", "kept": "top", "other": "", "made": "below"}
	for team, want := range map[string]Days{"top": 30, "below": 30, "made": 30, "kept": Forever, "other": 400, "gone": 400} {
		if got := c.RetentionOf(team, parents); got != want {
			t.Errorf("%s: %d, want %d", team, got, want)
		}
	}
	if !c.Retains() || load(t, "teams: {kept: {retention: forever}}").Retains() {
		t.Error("Retains")
	}
	for _, want := range []Days{0, 1, 400, Forever} {
		text, err := want.MarshalText()
		var got Days
		if err != nil || got.UnmarshalText(text) != nil || got != want {
			t.Errorf("%d is written as %q and read as %d", want, text, got)
		}
	}
	for _, text := range []string{"400", "0d", "-1d", "1y", "99999d", "d"} {
		var d Days
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d", text, d)
		}
	}
}

func TestAuditRetention(t *testing.T) {
	for text, want := range map[string]Days{"audit: {retention: 400d}": 400, "audit: {retention: forever}": Forever, "audit: {retention: 0}": 0, "{}": 0} {
		if got := load(t, text).Audit.Retention; got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}
