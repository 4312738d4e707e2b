package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/providers/schema"
)

// form is what was sent and what is wrong with it. The zero value is an empty
// form without a fault.
type form struct {
	Values url.Values
	Faults map[string]string // by the name of the field
	Error  string            // about none of the fields
	Which  string            // of several forms of a page
	Status int               // of the answer that the form is in
}

// refused is the form as it comes back to who sent it: the API's refusal stands
// beside the field that it names. Errors other than a refusal come back.
func refused(which string, values url.Values, err error, fields ...string) (form, error) {
	var p *problem
	if !errors.As(err, &p) || p.Status >= 500 {
		var bad *schema.Error
		if !errors.As(err, &bad) {
			return form{}, err
		}
		p = &problem{Status: http.StatusBadRequest, Detail: bad.Message, Param: bad.Param}
	}
	f := form{Values: values, Which: which, Status: p.Status, Faults: map[string]string{}}
	name := p.Param[strings.LastIndexByte(p.Param, '.')+1:]
	for _, field := range fields {
		if name == field {
			f.Faults[field] = p.Error()
			return f, nil
		}
	}
	f.Error = p.Error()
	return f, nil
}

// Of is the form of this name, which is the one that came back or an empty one.
func (f form) Of(which string) form {
	if f.Which == which {
		return f
	}
	return form{Which: which}
}

// field is an input with its label, for the template of this name.
type field struct {
	ID, Name, Label, Hint, Kind, Value, Fault string
	Options                                   []string
	Required                                  bool
}

// Field makes an input: kind is that of HTML, "select:a,b", "area" or any of
// them with a "!" at its end, for one that must be filled in. What was sent
// counts before the value.
func (f form) Field(name, label, kind, value, hint string) field {
	kind, required := strings.CutSuffix(kind, "!")
	out := field{ID: f.Which + "-" + name, Name: name, Label: label, Hint: hint, Value: value, Fault: f.Faults[name], Required: required}
	var options string
	if out.Kind, options, _ = strings.Cut(kind, ":"); options != "" || out.Kind == "select" {
		out.Options = strings.Split(strings.ReplaceAll(options, ", ", ","), ",")
	}
	if f.Values.Has(name) && out.Kind != "password" {
		out.Value = f.Values.Get(name)
	}
	return out
}

// words splits a list as people write it: by commas or spaces.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
}

// number reads a whole number of a form; empty is 0.
func number(values url.Values, name string) (int64, error) {
	text := strings.ReplaceAll(strings.TrimSpace(values.Get(name)), ",", "")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, schema.Invalid(name, "%.40q is not a whole number", text)
	}
	return n, nil
}

// limits reads the limits of a form, as the API takes them.
func limits(values url.Values) (map[string]int64, error) {
	out := map[string]int64{}
	for _, name := range []string{"rpm", "tpm", "parallel"} {
		n, err := number(values, name)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			out[name] = n
		}
	}
	return out, nil
}

// budgetOf reads the budget of a form, as the API takes it; nil: none is wanted.
func budgetOf(values url.Values) map[string]any {
	money := strings.TrimPrefix(strings.TrimSpace(values.Get("usd")), "$")
	if money == "" {
		return nil
	}
	return map[string]any{"usd": strings.ReplaceAll(money, ",", ""), "per": values.Get("per"), "hard": values.Get("hard") != "warn only"}
}

// moment is a time of a form, such as browsers send it (2026-11-30T13:45), for
// the API. What it is not is left for the API to refuse.
func (f *face) moment(text string) string {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, f.Location()); err == nil {
			return t.Format(time.RFC3339)
		}
	}
	return text
}
