package alert

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

func failing(deliver ...string) Rule {
	return Rule{Name: "failing", Kind: "threshold", Severity: "critical", Each: "model", For: time.Minute, Repeat: time.Hour, Deliver: deliver,
		Condition: &Threshold{Figure: "failure_share", Bound: 0.1, Over: 5 * time.Minute, Calls: 5}}
}

// An alert is told once, after its time, again after repeat, and its end once;
// each model has one of its own.
func TestLifeOfAnAlert(t *testing.T) {
	w := newWorld()
	e := w.engine("", failing("ops", "chat"))
	w.add(10, call{model: "fast", status: 200})
	w.add(4, call{model: "rare", status: 502})
	same(t, "all well, and too few", w.tick(t, e, nil))
	w.add(10, call{model: "fast", status: 502})
	w.add(9, call{model: "slow", status: 400})
	same(t, "not for a minute yet", w.tick(t, e, nil))
	if s := e.Status(w.now)[0]; s.State != "pending" || s.Alerts[0].Value != 0.5 {
		t.Errorf("status %+v", s)
	}
	w.pass(time.Minute)
	same(t, "fires", w.tick(t, e, nil), "firing chat failing (model=fast)", "firing ops failing (model=fast)")
	for range 3 {
		w.pass(30 * time.Second)
		same(t, "told already", w.tick(t, e, nil))
	}
	for range 30 {
		w.pass(2 * time.Minute)
		w.add(10, call{model: "fast", status: 500})
		w.tick(t, e, nil)
	}
	w.pass(time.Hour)
	w.add(10, call{model: "fast", status: 500})
	same(t, "repeated", w.tick(t, e, nil), "firing chat failing (model=fast)", "firing ops failing (model=fast)")
	w.pass(5*time.Minute + time.Second)
	same(t, "resolved", w.tick(t, e, nil), "resolved chat failing (model=fast)", "resolved ops failing (model=fast)")
	same(t, "its end is told once", w.tick(t, e, nil))
	if s := e.Status(w.now)[0]; s.State != "ok" || s.Alerts[0].State != Resolved {
		t.Errorf("status %+v", s)
	}
	w.pass(25 * time.Hour)
	w.tick(t, e, nil)
	if s := e.Status(w.now)[0]; len(s.Alerts) != 0 {
		t.Errorf("an old alert is still there: %+v", s)
	}
}

// What holds for less than the rule's time is never told.
func TestBlip(t *testing.T) {
	w := newWorld()
	e := w.engine("", failing("ops"))
	w.add(10, call{model: "fast", status: 502})
	same(t, "pending", w.tick(t, e, nil))
	w.pass(30 * time.Second)
	w.add(200, call{model: "fast", status: 200})
	same(t, "over", w.tick(t, e, nil))
	w.pass(time.Minute)
	same(t, "never told", w.tick(t, e, nil))
}

// A delivery that was given up is begun anew, shown, and its end is told only
// where its beginning was.
func TestGivenUp(t *testing.T) {
	w := newWorld()
	rule := failing("ops")
	rule.For = 0
	e := w.engine("", rule)
	broken := errors.New("the webhook answered 503")
	w.add(10, call{model: "fast", status: 502})
	same(t, "tried", w.tick(t, e, broken), "firing ops failing (model=fast)")
	if d := e.Status(w.now)[0].Alerts[0].Deliveries["ops"]; d.Error != broken.Error() {
		t.Errorf("shown %+v", d)
	}
	w.pass(time.Minute)
	same(t, "not at once", w.tick(t, e, broken))
	w.pass(4 * time.Minute)
	w.add(10, call{model: "fast", status: 502})
	same(t, "anew", w.tick(t, e, nil), "firing ops failing (model=fast)")
	w.pass(6 * time.Minute)
	same(t, "its end", w.tick(t, e, broken), "resolved ops failing (model=fast)")
	w.pass(5 * time.Minute)
	same(t, "its end anew", w.tick(t, e, nil), "resolved ops failing (model=fast)")
	w.add(10, call{model: "fast", status: 502})
	same(t, "again", w.tick(t, e, broken), "firing ops failing (model=fast)")
	w.pass(6 * time.Minute)
	same(t, "who was not told of it is not told of its end", w.tick(t, e, nil))
}

// While a notice is under way nobody is told the same.
func TestOneNoticeAtATime(t *testing.T) {
	w := newWorld()
	rule := failing("ops")
	rule.For = 0
	e := w.engine("", rule)
	w.add(10, call{model: "fast", status: 502})
	first := e.Tick(t.Context(), w.now)
	if again := e.Tick(t.Context(), w.now); len(first) != 1 || len(again) != 0 {
		t.Fatalf("first %v, then %v", first, again)
	}
	w.pass(6 * time.Minute)
	if n := e.Tick(t.Context(), w.now); len(n) != 0 {
		t.Errorf("its end before its beginning: %v", n)
	}
	e.Done(&first[0], w.now, nil)
	same(t, "its end", w.tick(t, e, nil), "resolved ops failing (model=fast)")
}

// A muted rule fires in silence, by the configuration or by word, and tells when
// it is muted no more.
func TestMute(t *testing.T) {
	w := newWorld()
	rule := failing("ops")
	rule.For, rule.MuteUntil = 0, w.now.Add(time.Minute)
	e := w.engine("", rule)
	w.add(10, call{model: "fast", status: 502})
	same(t, "muted", w.tick(t, e, nil))
	if err := e.Mute(t.Context(), "failing", w.now.Add(3*time.Minute)); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Minute)
	same(t, "still", w.tick(t, e, nil))
	if s := e.Status(w.now)[0]; s.State != "firing" || s.MutedUntil == nil {
		t.Errorf("status %+v", s)
	}
	w.pass(time.Minute)
	same(t, "no more", w.tick(t, e, nil), "firing ops failing (model=fast)")
	if !errors.Is(e.Mute(t.Context(), "none", w.now), ErrUnknown) {
		t.Error("a rule that there is not is muted")
	}
}

// A ledger that does not answer changes nothing, and shows.
func TestUnknown(t *testing.T) {
	w := newWorld()
	rule := failing("ops")
	rule.For = 0
	e := w.engine("", rule)
	w.broken = errors.New("no store")
	same(t, "unknown", w.tick(t, e, nil))
	if s := e.Status(w.now)[0]; s.State != "unknown" || s.Error != "no store" {
		t.Errorf("status %+v", s)
	}
	w.broken = nil
	w.add(10, call{model: "fast", status: 502})
	same(t, "fires", w.tick(t, e, nil), "firing ops failing (model=fast)")
	w.pass(10 * time.Minute)
	w.broken = errors.New("no store")
	same(t, "not resolved", w.tick(t, e, nil))
	if s := e.Status(w.now)[0]; s.State != "firing" {
		t.Errorf("status %+v", s)
	}
}

// A restart tells nobody again, and does not forget what it owes.
func TestRestart(t *testing.T) {
	w, file := newWorld(), filepath.Join(t.TempDir(), "alerts.json")
	rule := failing("ops")
	rule.For = 0
	e := w.engine(file, rule)
	w.add(10, call{model: "fast", status: 502})
	same(t, "fires", w.tick(t, e, nil), "firing ops failing (model=fast)")
	if err := e.Mute(t.Context(), "failing", w.now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	e.keep(t.Context())
	e = w.engine(file, rule)
	if s := e.Status(w.now)[0]; s.MutedUntil == nil {
		t.Error("a mute is forgotten")
	}
	w.pass(time.Minute)
	same(t, "told before", w.tick(t, e, nil))
	e.keep(t.Context())
	w.pass(6 * time.Minute)
	e = w.engine(file, rule)
	same(t, "its end", w.tick(t, e, nil), "resolved ops failing (model=fast)")
}

// A rule that is taken out resolves its alerts.
func TestRuleIsGone(t *testing.T) {
	w := newWorld()
	rule := failing("ops")
	rule.For = 0
	e := w.engine("", rule)
	w.add(10, call{model: "fast", status: 502})
	w.tick(t, e, nil)
	e.Set(nil, map[string]Receiver{"ops": {}})
	same(t, "gone", w.tick(t, e, nil), "resolved ops failing (model=fast)")
}
