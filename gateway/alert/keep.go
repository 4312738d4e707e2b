package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// kept is the file of alerts.
type kept struct {
	Alerts []*Alert             `json:"alerts"`
	Muted  map[string]time.Time `json:"muted,omitempty"`
}

// keep writes the alerts, whole or not at all. What fails is told, and tried
// again at the next change.
func (e *Engine) keep() {
	if e.file == "" {
		return
	}
	k := kept{Alerts: []*Alert{}, Muted: e.muted}
	for _, a := range e.alerts {
		k.Alerts = append(k.Alerts, a)
	}
	b, err := json.Marshal(k)
	if err == nil {
		err = os.WriteFile(e.file+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(e.file+".new", e.file)
	}
	if err != nil {
		e.log.Error("alerts are not kept: after a restart they are told of again", "error", err)
	}
}

// recall reads the alerts of the last run.
func (e *Engine) recall() error {
	if e.file == "" {
		return nil
	}
	b, err := os.ReadFile(e.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return fmt.Errorf("cannot read %s: %w", e.file, err)
	}
	for _, a := range k.Alerts {
		if a != nil {
			e.alerts[a.id()] = a
		}
	}
	for rule, until := range k.Muted {
		e.muted[rule] = until
	}
	return nil
}

// Keep writes what has changed since the last Tick, at the end.
func (e *Engine) Keep() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changed {
		e.changed = false
		e.keep()
	}
}
