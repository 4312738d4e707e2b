package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/billing"
)

func TestModerated(t *testing.T) {
	for answer, want := range map[string]string{
		`{"results":[{"flagged":false,"categories":{"hate":false}}]}`:                                           "allow ",
		`{"results":[{"flagged":false},{"flagged":true,"categories":{"violence":true,"hate":true,"x":false}}]}`: "deny the text was flagged as hate, violence",
		`{"results":[{"flagged":true}]}`:                                                                        "deny the text was flagged",
		`{"results":[]}`:                                                                                        "the model's answer is no moderation",
		`no`:                                                                                                    "the model's answer is no moderation",
	} {
		v, err := moderated([]byte(answer))
		got := "deny " + v.Reason
		if v.Allow {
			got = "allow " + v.Reason
		}
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", answer, got, want)
		}
	}
}

func TestJudged(t *testing.T) {
	for answer, want := range map[string]string{
		`{"allow":true,"reason":"fine"}`:                             "allow",
		"```json\n{\"allow\": false, \"reason\": \"a secret\"}\n```": "deny",
		`{"reason":"x"}`: "error", `{"allow":"yes"}`: "error", `maybe`: "error", `}{`: "error",
	} {
		v, err := judged([]byte(answer))
		got := "deny"
		if v.Allow {
			got = "allow"
		}
		if err != nil {
			got = "error"
		}
		if got != want || strings.Contains(v.Reason, "secret") {
			t.Errorf("%s: %s %q, want %s", answer, got, v.Reason, want)
		}
	}
}

func FuzzVerdicts(f *testing.F) {
	f.Add([]byte(`{"allow":true}`))
	f.Add([]byte(`{"results":[{"flagged":true,"categories":{"a":true}}]}`))
	f.Fuzz(func(_ *testing.T, answer []byte) {
		_, _ = judged(answer)
		_, _ = moderated(answer)
	})
}

// TestPostQuestion: what a webhook says, however it says it.
func TestPostQuestion(t *testing.T) {
	answer, status := "", 200
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get(billing.SignatureHeader), "sha256=") {
			t.Error("it is not signed")
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	for _, c := range []struct {
		status       int
		answer, want string
	}{
		{200, `{"allow":true,"text":""}`, ""},
		{200, `{"reason":"x"}`, "does not say allow"},
		{200, `[]`, "is not {allow"},
		{500, `{"allow":true}`, "500"},
		{204, ``, "204"},
		{307, `{"allow":true}`, "must not redirect"},
	} {
		status, answer = c.status, c.answer
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		v, err := postQuestion(ctx, server.URL, "s", []byte(`{"text":"a"}`))
		stop()
		switch {
		case c.want == "" && (err != nil || !v.Allow || v.Text == nil || *v.Text != ""):
			t.Errorf("%s: %+v, %v", c.answer, v, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%d %s: %v", c.status, c.answer, err)
		}
	}
}
