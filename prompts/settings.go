package prompts

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/prompts/ordered"
)

// Access says who may call a prompt.
type Access string

// The kinds of access.
const (
	AccessPublic     Access = "public"     // anyone, without a key
	AccessAnyKey     Access = "any-key"    // every valid key; what holds if a file says nothing
	AccessSubscribed Access = "subscribed" // teams whose subscription was approved
)

// Limits are a prompt's own limits, of all callers together; 0 is no limit.
type Limits struct {
	RPM       int64 `json:"rpm,omitempty"`        // calls in any 60 s
	TPM       int64 `json:"tpm,omitempty"`        // tokens in any 60 s, input and output together
	InputTPM  int64 `json:"input_tpm,omitempty"`  // of input alone
	OutputTPM int64 `json:"output_tpm,omitempty"` // of output alone
	RPD       int64 `json:"rpd,omitempty"`        // calls in any 24 h
	TPD       int64 `json:"tpd,omitempty"`        // tokens in any 24 h
	Parallel  int64 `json:"parallel,omitempty"`   // calls at once
}

// maxLimit is the most that a limit may be.
const maxLimit = math.MaxUint32

var limitNames = []string{"rpm", "tpm", "input_tpm", "output_tpm", "rpd", "tpd", "parallel"}

// Settings are the keys of the sluice namespace.
type Settings struct {
	Path    string // as written, without the configured prefix; "": /prompts/NAME
	Summary string
	Tags    []string // by which people find it
	Access  Access
	Team    string        // that publishes it: its owner decides about subscriptions; empty: admins alone
	Cache   time.Duration // how long an answer may be given again; 0: never
	Limits  Limits
	Repair  int // turns that a broken answer may be repaired in
	Tests   []Test
	Steps   []Stage
	Origins []string // of pages whose browsers may call it; *: all
	// Versions are those that go out of use; 0: all of them.
	Versions map[int]*Retirement
	Split    Splitting // how its calls are shared among versions, when they are
}

// settingKeys are the keys of the sluice namespace.
var settingKeys = []string{"path", "summary", "tags", "access", "team", "cache", "limits", "repair", "tests", "steps", "split", "cors", "versions"}

// maxRepair bounds the repair turns of one call.
const maxRepair = 5

// setting reads one key of ours. full is the key as it stands in the file.
func (m *metadata) setting(full, key string, v any) {
	s := &m.t.Sluice
	switch key {
	case "path":
		s.Path = m.text(full, v)
		if s.Path != "" {
			if err := checkPath(s.Path); err != "" {
				m.fault(full, "%s", err)
			}
		}
	case "summary":
		s.Summary = m.text(full, v)
	case "tags":
		s.Tags = m.tags(full, v)
	case "access":
		word := m.text(full, v)
		known := []string{string(AccessPublic), string(AccessAnyKey), string(AccessSubscribed)}
		if word != "" && !slices.Contains(known, word) {
			m.fault(full, "%q is no kind of access%s", word, meant(word, known))
		}
		s.Access = Access(word)
	case "team":
		s.Team = m.text(full, v)
	case "cache":
		s.Cache = m.duration(full, v)
	case "limits":
		m.limits(full, v)
	case "repair":
		if n, ok := whole(v); ok && n >= 0 && n <= maxRepair {
			s.Repair = int(n)
		} else {
			m.fault(full, "must be a whole number from 0 to %d", maxRepair)
		}
	case "tests":
		m.tests(full, v)
	case "steps":
		m.steps(full, v)
	case "cors":
		m.cors(full, v)
	case "versions":
		m.versions(full, v)
	case "split":
		m.split(full, v)
	default:
		m.fault(full, "unknown key%s", meant(key, settingKeys))
	}
}

func (m *metadata) text(key string, v any) string {
	s, ok := v.(string)
	if !ok || s == "" {
		m.fault(key, "must be a word, not %s", kindOf(v))
	}
	return s
}

func (m *metadata) duration(key string, v any) time.Duration {
	d, err := time.ParseDuration(m.text(key, v))
	if err != nil || d < 0 {
		if v != nil {
			m.fault(key, "must be a duration such as 10m, not %v", v)
		}
		return 0
	}
	return d
}

func (m *metadata) limits(key string, v any) {
	o, ok := v.(ordered.Object)
	if !ok {
		m.fault(key, "must be a mapping such as {rpm: 100}, not %s", kindOf(v))
		return
	}
	l := &m.t.Sluice.Limits
	fields := map[string]*int64{"rpm": &l.RPM, "tpm": &l.TPM, "input_tpm": &l.InputTPM, "output_tpm": &l.OutputTPM,
		"rpd": &l.RPD, "tpd": &l.TPD, "parallel": &l.Parallel}
	for _, f := range o {
		dst, ok := fields[f.Key]
		if !ok {
			m.fault(key, "unknown limit %q%s", f.Key, meant(f.Key, limitNames))
			continue
		}
		n, ok := whole(f.Value)
		if !ok || n < 1 || n > maxLimit {
			m.fault(key, "%s must be a whole number from 1 to %d", f.Key, int64(maxLimit))
		}
		*dst = n
	}
}

// whole is the value of a whole number.
func whole(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(string(n), 10, 64)
	return i, err == nil
}

var pathSyntax = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// reserved are the gateway's own paths; all below them is reserved too.
var reserved = []string{"/v1", "/v1beta", "/mcp", "/portal", "/openapi.json", "/docs", "/healthz", "/livez", "/readyz"}

// checkPath says what is wrong with a prompt's path; "" if nothing is.
func checkPath(path string) string {
	if !pathSyntax.MatchString(path) || strings.Contains(path, "/.") {
		return "the path must look like /name or /area/name, of letters, digits and . _ ~ -"
	}
	for _, r := range reserved {
		if path == r || strings.HasPrefix(path, r+"/") {
			return "the path " + r + " belongs to the gateway"
		}
	}
	return ""
}
