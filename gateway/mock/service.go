package mock

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"sluice/gateway/validate"
	"sluice/prompts/ordered"
	instances "sluice/providers/mock"
)

// Service answers as a document says. Any number of goroutines may use it.
type Service struct {
	contract *validate.Contract
	doc      ordered.Object
	text     []byte   // the document, as JSON
	made     sync.Map // by the place of a schema, what was made from it
}

// New reads a document, as JSON or YAML.
func New(text []byte) (*Service, error) {
	s := &Service{}
	var err error
	if s.contract, err = validate.NewContract(text); err != nil {
		return nil, err
	}
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		return nil, err
	}
	v, err := ordered.FromYAML(&n)
	if err != nil {
		return nil, err
	}
	s.doc, _ = v.(ordered.Object) // a contract is one
	s.text = ordered.Append(nil, s.doc)
	return s, nil
}

// What an answer is stands with what it is held against.
type (
	// Answer is one of the document's.
	Answer = validate.Answer
	// Header is a line of an answer's head.
	Header = validate.Header
	// Refusal says why there is no answer as it is wanted.
	Refusal = validate.Refusal
)

func refuse(status int, format string, args ...any) error {
	return &Refusal{Status: status, Message: fmt.Sprintf(format, args...)}
}

// Methods are what the API does at a path.
func (s *Service) Methods(path string) []string { return s.contract.Methods(path) }

// Answer answers a request. The error is validate.ErrNoPath, validate.ErrNoMethod
// or a Refusal.
func (s *Service) Answer(q *validate.Request) (*Answer, error) {
	op, _, err := s.contract.Find(q)
	if err != nil {
		return nil, err
	}
	w, err := wishOf(q.Header)
	if err != nil {
		return nil, err
	}
	path, method := op.Place()
	responses := s.below(node{value: s.doc}, "paths", path, strings.ToLower(method), "responses")
	name, err := s.choose(responses, w)
	if err != nil {
		return nil, err
	}
	response := s.below(responses, name)
	a := &Answer{Status: statusOf(name, w.code), Applied: w.applied()}
	if err := s.content(response, w, a); err != nil {
		return nil, err
	}
	s.headers(response, a)
	return a, nil
}

// statusOf is the status of the answer that the document calls 404, 4XX or
// default.
func statusOf(name, wanted string) int {
	if wanted != "" {
		name = wanted
	}
	if strings.HasSuffix(strings.ToUpper(name), "XX") {
		name = name[:1] + "00"
	}
	if status, err := strconv.Atoi(name); err == nil && status >= 200 && status <= 599 {
		return status
	}
	return http.StatusOK
}

// choose is the name of the answer that is wanted: by its status, by the example
// that it has, or what is said of success.
func (s *Service) choose(responses node, w wish) (string, error) {
	names := keys(responses)
	if w.code != "" {
		for _, name := range []string{w.code, w.code[:1] + "XX", w.code[:1] + "xx", "default"} {
			if slices.Contains(names, name) {
				return name, nil
			}
		}
		return "", refuse(http.StatusBadRequest, "Prefer: code=%s: the document has the answers %s here", w.code, strings.Join(names, ", "))
	}
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	if w.example != "" {
		for _, name := range names {
			content := s.below(responses, name, "content")
			for _, kind := range keys(content) {
				if slices.Contains(keys(s.below(content, kind, "examples")), w.example) {
					return name, nil
				}
			}
		}
		return "", refuse(http.StatusBadRequest, "Prefer: example=%s: the document has no such example here", w.example)
	}
	if len(names) == 0 {
		return "default", nil
	}
	return names[0], nil
}

// rank orders answers: success first, then what else there is by its status.
func rank(name string) int {
	switch status := statusOf(name, ""); {
	case name == "default":
		return 300
	case strings.HasPrefix(strings.ToUpper(name), "2XX"):
		return 299
	case status < 300:
		return status
	default:
		return status + 1
	}
}

// headers makes those that an answer is said to have.
func (s *Service) headers(response node, a *Answer) {
	all := s.below(response, "headers")
	for _, name := range keys(all) {
		if strings.EqualFold(name, "Content-Type") {
			continue
		}
		h := s.below(all, name)
		value, ok := s.given(h, wish{})
		if !ok {
			value, ok = s.instance(s.below(h, "schema"))
		}
		text, ok2 := lineOf(value)
		if ok && ok2 {
			a.Headers = append(a.Headers, Header{Name: name, Value: text})
		}
	}
}

// instance makes a value from a schema, once.
func (s *Service) instance(schema node) (any, bool) {
	if schema.value == nil {
		return nil, false
	}
	if made, ok := s.made.Load(schema.at); ok {
		return made, true
	}
	v, err := ordered.Decode(instances.InstanceAt(s.text, schema.at))
	if err != nil {
		return nil, false
	}
	s.made.Store(schema.at, v)
	return v, true
}
