package proxy

// Names of a Fallback: a fixed answer, other servers, and an answer that was kept
// and is older than its time.
const (
	FallbackStatic  = "static"
	FallbackTargets = "targets"
	FallbackStale   = "stale"
)

// FallbackRoute is the name of a Fallback to the backend of a route.
func FallbackRoute(name string) string { return "route:" + name }

// Fallback answers in the place of targets of which none can be asked. Its
// backend may have one of its own; none leads back to where it began.
type Fallback struct {
	Name    string // as answers, metrics and the access log tell it
	Backend Backend
}

const headerFallback = "X-Sluice-Fallback"

// serve answers, and tells who does: the last of several that take over from one
// another.
func (f *Fallback) serve(x *Exchange) error {
	x.Fallback = f.Name
	err := f.Backend.Serve(x)
	if err == nil && x.Fallback == f.Name && !x.switched {
		x.RC.Response.Header.Set(headerFallback, f.Name)
	}
	return err
}
