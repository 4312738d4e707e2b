package mock

import (
	"net/http"
	"strconv"
	"strings"
)

// wish is what a request would have.
type wish struct {
	code    string // three digits
	example string
	dynamic bool // made from the schema, whatever examples there are
	accept  []accepted
}

// accepted is a range of types in Accept.
type accepted struct {
	kind string
	q    float64
}

// wishOf reads Prefer and Accept. Preferences that are not known are passed over.
func wishOf(h http.Header) (w wish, err error) {
	for _, part := range strings.FieldsFunc(strings.Join(h["Prefer"], ","), func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(part, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "code":
			if n, err := strconv.Atoi(value); err != nil || n < 200 || n > 599 || len(value) != 3 {
				return w, refuse(http.StatusBadRequest, "Prefer: code: want a status from 200 to 599")
			}
			w.code = value
		case "example":
			w.example = value
		case "dynamic":
			w.dynamic = value == "true"
		}
	}
	for part := range strings.SplitSeq(strings.Join(h["Accept"], ","), ",") {
		kind, params, _ := strings.Cut(part, ";")
		a := accepted{strings.ToLower(strings.TrimSpace(kind)), 1}
		for p := range strings.SplitSeq(params, ";") {
			if q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "q="); ok {
				if a.q, err = strconv.ParseFloat(q, 64); err != nil || !(a.q >= 0 && a.q <= 1) {
					a.q, err = 0, nil
				}
			}
		}
		if a.kind != "" {
			w.accept = append(w.accept, a)
		}
	}
	return w, nil
}

// applied are the preferences as the answer names them.
func (w wish) applied() string {
	var list []string
	if w.code != "" {
		list = append(list, "code="+w.code)
	}
	if w.example != "" {
		list = append(list, "example="+strconv.Quote(w.example))
	}
	if w.dynamic {
		list = append(list, "dynamic=true")
	}
	return strings.Join(list, ", ")
}

// weight is how much a type is wanted, by the range that names it best.
func (w wish) weight(kind string) float64 {
	if len(w.accept) == 0 {
		return 1
	}
	q, best := 0.0, -1
	for _, a := range w.accept {
		precision := -1
		switch prefix, any := strings.CutSuffix(a.kind, "*"); {
		case a.kind == kind:
			precision = 2
		case a.kind == "*/*":
			precision = 0
		case any && strings.HasPrefix(kind, prefix):
			precision = 1
		}
		if precision > best {
			q, best = a.q, precision
		}
	}
	return q
}
