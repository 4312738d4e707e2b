package gateway

import (
	"io"
	"testing"
	"time"

	"sluice/billing"
)

// A realtime session holds its place at the provider from the handshake to its
// end, however many responses it is charged for; what it used counts in full.
func TestRealtimeHoldsItsPlace(t *testing.T) {
	h, sessions := realtimeHost(t)
	limits, err := billing.NewBook(nil, nil).Rebuild([]billing.Team{{Name: ProviderOwner("up"), Limits: billing.Limits{Parallel: 1, TPM: 1e6}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	up := limits.Team(ProviderOwner("up"))
	e := passEdge(t, h, func(p *Parts) { p.Providers[0].Limits = up })
	v := e.connect("?model=up/talk", bearer(testKey)...)
	if v.res.StatusCode != 101 {
		t.Fatalf("%d", v.res.StatusCode)
	}
	s := <-sessions
	for range 2 {
		if _, err := s.conn.Write(appendFrame(nil, frameText, []byte(doneEvent))); err != nil {
			t.Fatal(err)
		}
		readFrame(t, v.in)
	}
	refused := e.connect("?model=up/talk", bearer(testKey)...)
	body, err := io.ReadAll(refused.res.Body)
	if err != nil || refused.res.StatusCode != 429 || refused.res.Header.Get("Retry-After") != "1" {
		t.Errorf("a second session: %d %v %s", refused.res.StatusCode, refused.res.Header, body)
	}
	_ = s.conn.Close()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if _, tokens, _, _ := up.LimitState(time.Now()); tokens.Limit-tokens.Remaining == 300 {
			break
		} else if time.Since(begin) > 10*time.Second {
			t.Fatalf("the session counts as %d tokens, want 300", tokens.Limit-tokens.Remaining)
		}
	}
	if again := e.connect("?model=up/talk", bearer(testKey)...); again.res.StatusCode != 101 {
		t.Errorf("the place is not free: %d", again.res.StatusCode)
	}
	_ = (<-sessions).conn.Close()
}

// What is passed on counts at its provider too.
func TestPassedCallsCountAtTheProvider(t *testing.T) {
	h := newHost(t, answers("application/json", `{"object":"list","data":[]}`))
	limits, err := billing.NewBook(nil, nil).Rebuild([]billing.Team{{Name: ProviderOwner("up"), Limits: billing.Limits{RPM: 2}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := passEdge(t, h, func(p *Parts) { p.Providers[0].Limits = limits.Team(ProviderOwner("up")) })
	for i, want := range []int{200, 200, 429} {
		if a := e.call("GET", "/v1/files", ""); a.status != want {
			t.Errorf("call %d: %d %s", i, a.status, a.body)
		}
	}
	if h.calls() != 2 {
		t.Errorf("the host was asked %d times", h.calls())
	}
}
