package prompts

import (
	"fmt"
	"strings"
	"time"

	"sluice/prompts/ordered"
)

// retired tells, in an operation, that the version which serves it goes out of
// use, and when.
func retired(op ordered.Object, l *Live) ordered.Object {
	r := l.Template.Sluice.Retirement(l.Version)
	if r == nil || l.Version == 0 {
		return op
	}
	said := fmt.Sprintf("Version %d goes out of use.", l.Version)
	if !r.Deprecated.IsZero() {
		said += " It is deprecated from " + r.Deprecated.Format(time.DateOnly) + " on."
	}
	if !r.Sunset.IsZero() {
		said += " It is served until " + r.Sunset.Format(time.DateOnly) + ", then the answer is 410."
	}
	if r.Link != "" {
		said += " See " + r.Link + "."
	}
	text, _ := op.Get("description")
	op = op.With("description", fmt.Sprint(text, "\n\n", said)).With("deprecated", true)
	return op.With("responses", responsesOf(op).With("410", reference("responses", "Gone")))
}

func responsesOf(op ordered.Object) ordered.Object {
	v, _ := op.Get("responses")
	o, _ := v.(ordered.Object)
	return o
}

// readable is a prompt's GET: of one whose answers caches may keep, and whose
// input fits into a query. nil: it is none.
func readable(l *Live, post ordered.Object) ordered.Object {
	t := l.Template
	if t.Sluice.Cache < time.Second {
		return nil
	}
	list, ok := queryOf(t.CallerSchema())
	if !ok {
		return nil
	}
	id, _ := post.Get("operationId")
	shared, _ := post.Get("parameters")
	common, _ := shared.([]any)
	get := ordered.Object{{Key: "operationId", Value: "get" + strings.ToUpper(id.(string)[:1]) + id.(string)[1:]}}
	for _, m := range post {
		switch m.Key {
		case "operationId", "requestBody", "x-codeSamples":
			continue
		case "parameters":
			m.Value = append(list, append(common[:len(common):len(common)], reference("parameters", "IfNoneMatch"))...)
		case "responses":
			m.Value = cached(responsesOf(post))
		}
		get = append(get, m)
	}
	return get
}

// cached are the responses of a GET that caches may keep.
func cached(responses ordered.Object) ordered.Object {
	text := pairsOf("type", "string")
	out := make(ordered.Object, 0, len(responses)+1)
	for _, r := range responses {
		switch r.Key {
		case "202":
			continue // one input is waited for
		case "200":
			ok, _ := r.Value.(ordered.Object)
			headers, _ := ok.Get("headers")
			own, _ := headers.(ordered.Object)
			r.Value = ok.With("headers", own.Merge(pairsOf(
				"ETag", pairsOf("description", "By what the answer is known.", "schema", text),
				"Cache-Control", pairsOf("description", "How long it may be given again.", "schema", text))))
		}
		out = append(out, r)
	}
	return out.With("304", pairsOf("description", "The caller has this answer: If-None-Match names it."))
}

// queryOf are an input's fields as parameters of a query; ok is false where one
// is no scalar.
func queryOf(schema ordered.Object) (list []any, ok bool) {
	properties, _ := schema.Get("properties")
	fields, _ := properties.(ordered.Object)
	required, _ := schema.Get("required")
	needed, _ := required.([]any)
	for _, f := range fields {
		o, _ := f.Value.(ordered.Object)
		switch typeOf(o) {
		case "string", "number", "integer", "boolean":
		default:
			return nil, false
		}
		must := false
		for _, n := range needed {
			must = must || n == f.Key
		}
		list = append(list, pairsOf("name", f.Key, "in", "query", "required", must, "schema", relocated("", o, "", nil)))
	}
	return list, len(list) > 0
}
