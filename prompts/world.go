package prompts

import (
	"fmt"
	"strconv"
	"strings"
)

// World is what prompts are published into.
type World struct {
	// Owner says whose a path is, such as `route "orders"`; "" if it is free. nil:
	// all are.
	Owner func(path string) string
	// Serves tells whether there is a model of a name; nil: of every one.
	Serves func(model string) bool
}

// SetWorld says what prompts are published into from now on. What is served
// already goes on being served: see Strangers.
func (r *Registry) SetWorld(w World) { r.world.Store(&w) }

// owned says whose a prompt's path is already; "" if nobody's.
func (w *World) owned(l *Live) string {
	if w == nil || w.Owner == nil {
		return ""
	}
	if owner := w.Owner(l.Path); owner != "" {
		return fmt.Sprintf("sluice.path: the path %s is already that of %s", l.Path, owner)
	}
	return ""
}

// refused says why a prompt is not to be published for its model; "" if it may
// be. One that names its provider may be: where that has its key, which need not
// be where prompts are checked, it is served.
func (w *World) refused(t *Template) string {
	if strings.Contains(t.Model, "/") {
		return ""
	}
	return w.unserved(t)
}

// unserved says what is wrong with the model of a prompt; "" if nothing is.
func (w *World) unserved(t *Template) string {
	switch {
	case w == nil || w.Serves == nil:
		return ""
	case t.Model == "":
		return "model: is needed: provider/model, or a name under models:"
	case !w.Serves(t.Model):
		return "model: " + strconv.Quote(t.Model) + " is not served: it is no name under models:, and no provider has it"
	}
	return ""
}

// Strangers says of the prompts that are served what the world does not fit: a
// path that a route has too, which gets no calls then, and a model that is not
// served.
func (r *Registry) Strangers() Faults {
	var out Faults
	w := r.world.Load()
	for _, l := range r.Snapshot().All() {
		for _, why := range []string{w.owned(l), w.unserved(l.Template)} {
			if why != "" {
				out.addf(l.ID(), 0, "%s", why)
			}
		}
	}
	return out
}
