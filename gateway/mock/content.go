package mock

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"sluice/gateway/reshape"
	"sluice/prompts/ordered"
)

// content makes the body, of the type that is wanted most: JSON of several, then
// the document's first.
func (s *Service) content(response node, w wish, a *Answer) error {
	all := s.below(response, "content")
	kinds := keys(all)
	if len(kinds) == 0 || a.Status == http.StatusNoContent || a.Status == http.StatusNotModified {
		return nil
	}
	slices.SortStableFunc(kinds, func(x, y string) int {
		qx, qy := w.weight(mediaType(x)), w.weight(mediaType(y))
		switch {
		case qx != qy && qx > qy, qx == qy && isJSON(x) && !isJSON(y):
			return -1
		case qx != qy, isJSON(y) && !isJSON(x):
			return 1
		}
		return 0
	})
	named := false
	for _, kind := range kinds {
		if w.weight(mediaType(kind)) == 0 {
			break
		}
		media := s.below(all, kind)
		value, ok := s.given(media, w)
		named = named || ok
		if !ok && w.example == "" {
			value, ok = s.instance(s.below(media, "schema"))
		}
		if !ok {
			continue
		}
		if body, ok := s.encode(value, mediaType(kind), s.below(media, "schema")); ok {
			a.Type, a.Body = concrete(kind), body
			return nil
		}
	}
	if w.example != "" && !named && w.weight(mediaType(kinds[0])) > 0 {
		return refuse(http.StatusBadRequest, "Prefer: example=%s: this answer has no such example", w.example)
	}
	return refuse(http.StatusNotAcceptable, "the answer is to be had as %s, where the document has an example of it", strings.Join(kinds, ", "))
}

// given is the example that a media type or a header has.
func (s *Service) given(n node, w wish) (any, bool) {
	examples := s.below(n, "examples")
	valueOf := func(name string) (any, bool) {
		o, _ := s.below(examples, name).value.(ordered.Object)
		return o.Get("value")
	}
	if w.example != "" {
		return valueOf(w.example)
	}
	if w.dynamic {
		return nil, false
	}
	if o, ok := n.value.(ordered.Object); ok {
		if v, ok := o.Get("example"); ok {
			return v, true
		}
	}
	for _, name := range keys(examples) {
		if v, ok := valueOf(name); ok {
			return v, true
		}
	}
	return nil, false
}

// encode writes a value as a type has it.
func (s *Service) encode(value any, kind string, schema node) ([]byte, bool) {
	text, isText := value.(string)
	switch {
	case isJSON(kind):
		// JSON may be given as the text of it.
		if isText && !s.isString(schema) && json.Valid([]byte(text)) {
			return []byte(text), true
		}
		return ordered.Append(nil, value), true
	case isText:
		return []byte(text), true
	case kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml"):
		body, err := reshape.ToXML(value, s.root(schema))
		return body, err == nil
	case strings.HasPrefix(kind, "text/"):
		return ordered.Append(nil, value), true
	}
	return nil, false
}

// isString tells whether a schema is one of strings.
func (s *Service) isString(schema node) bool {
	switch v := s.below(schema, "type").value.(type) {
	case string:
		return v == "string"
	case []any:
		return slices.Contains(v, any("string"))
	}
	return false
}

// root is the name of the element that a schema is of.
func (s *Service) root(schema node) string {
	if name, ok := s.below(schema, "xml", "name").value.(string); ok {
		return name
	}
	if i := strings.LastIndexByte(schema.at, '/'); strings.HasPrefix(schema.at, "/components/schemas/") && i > 0 {
		return unescaper.Replace(schema.at[i+1:])
	}
	return "root"
}

func mediaType(kind string) string {
	kind, _, _ = strings.Cut(kind, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return cmp.Or(ranges[kind], kind)
}

// ranges are the types that stand for those of a range.
var ranges = map[string]string{"*/*": "application/json", "application/*": "application/json", "text/*": "text/plain"}

// concrete is the type of an answer whose document may have a range.
func concrete(kind string) string {
	if strings.Contains(kind, "*") {
		return mediaType(kind)
	}
	return kind
}

func isJSON(kind string) bool {
	kind = mediaType(kind)
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}
