package alert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"
	"time"
)

// Notice is a message to a receiver: an alert that fires, again or for the first
// time, or that is resolved.
type Notice struct {
	Event    State // Firing or Resolved
	Receiver string
	Alert    Alert // as it was then
	Time     time.Time

	to Receiver
	of *Alert
}

// json is what a webhook gets: {event: "alert.firing", time, alert}. Who else
// was told is no affair of it.
func (n *Notice) json() ([]byte, error) {
	shown := n.Alert
	shown.Deliveries = nil
	return json.Marshal(map[string]any{"event": "alert." + string(n.Event), "time": n.Time.UTC(), "alert": shown})
}

// subject is the message in a line.
func (n *Notice) subject() string {
	return fmt.Sprintf("[%s] %s: %s", n.Event, n.Alert.Severity, n.Alert.Title())
}

// lines are the message for people, without its subject.
func (n *Notice) lines() []string {
	a := &n.Alert
	out := []string{a.Text}
	if a.Summary != "" {
		out = append(out, a.Summary)
	}
	out = append(out, "rule: "+a.Condition, "since: "+a.Since.UTC().Format(time.RFC3339))
	if n.Event == Resolved {
		out[0] = "It holds no more. When it did last: " + a.Text
		out = append(out, "resolved: "+a.Resolved.UTC().Format(time.RFC3339))
	}
	return out
}

// slack is the message in the form of Slack's incoming webhooks, which others
// take too.
func (n *Notice) slack() ([]byte, error) {
	color := map[string]string{"critical": "#c62828"}[n.Alert.Severity]
	switch {
	case n.Event == Resolved:
		color = "#2e7d32"
	case color == "":
		color = "#ef6c00"
	}
	// Names come from callers: nothing in them may be a mention or a link.
	plain := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	return json.Marshal(map[string]any{"text": plain(n.subject()), "attachments": []map[string]any{
		{"color": color, "text": plain(strings.Join(n.lines(), "\n")), "fallback": plain(n.subject())}}})
}

// mail is the message as RFC 5322 has it.
func (n *Notice) mail(from string, to []string) ([]byte, error) {
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	header("From", from)
	header("To", strings.Join(to, ", "))
	header("Subject", mime.QEncoding.Encode("utf-8", "Sluice "+oneLine(n.subject())))
	header("Date", n.Time.UTC().Format(time.RFC1123Z))
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	lines := slices.Clone(n.lines())
	for i := range lines {
		lines[i] = oneLine(lines[i])
	}
	if _, err := w.Write([]byte(strings.Join(lines, "\r\n") + "\r\n")); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

// oneLine keeps names that callers chose from beginning a header or a line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
