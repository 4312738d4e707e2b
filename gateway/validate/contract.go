package validate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"sluice/prompts"
)

// Contract is an OpenAPI document that requests and answers are held against.
// Any number of goroutines may use it.
type Contract struct {
	text       []byte
	router     routers.Router
	bases      []string // paths that servers begin with, the longest first; the last is empty
	operations map[*openapi3.Operation]*Operation
}

// Text is the document, as it was read.
func (c *Contract) Text() []byte { return c.text }

// Operation is one thing that an API does.
type Operation struct {
	route     *routers.Route
	params    bool // it has any
	body      *openapi3.RequestBody
	bodies    map[string]*prompts.Schema // by their type as the document names it; JSON alone
	responses map[string]map[string]*prompts.Schema
}

// What has no operation.
var (
	ErrNoPath   = errors.New("the API has no such path")
	ErrNoMethod = errors.New("the API does not do this there")
)

// NewContract reads a document, as JSON or YAML.
func NewContract(text []byte) (*Contract, error) {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		return nil, err
	}
	raw, err := read(text)
	if err != nil {
		return nil, err
	}
	if !doc.IsOpenAPI31OrLater() {
		raw = modern(raw)
	}
	c := &Contract{text: text, bases: basesOf(doc), operations: map[*openapi3.Operation]*Operation{}}
	doc.Servers = nil
	if c.router, err = legacy.NewRouter(doc, openapi3.DisableExamplesValidation()); err != nil {
		return nil, err
	}
	for path, item := range doc.Paths.Map() {
		at := "/paths/" + escape(path)
		if place, ok := strings.CutPrefix(item.Ref, "#"); ok {
			at = place
		}
		for method, op := range item.Operations() {
			made, err := operation(raw, at+"/"+strings.ToLower(method), item, op)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			c.operations[op] = made
		}
	}
	return c, nil
}

func basesOf(doc *openapi3.T) []string {
	bases := []string{""}
	for _, s := range doc.Servers {
		u, err := url.Parse(s.URL)
		if err != nil || strings.Contains(u.Path, "{") {
			continue
		}
		if base := strings.TrimRight(u.Path, "/"); base != "" && !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	slices.SortFunc(bases, func(a, b string) int { return len(b) - len(a) })
	return bases
}

func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// operation compiles the schemas of one; at is its place in the document.
func operation(raw any, at string, item *openapi3.PathItem, op *openapi3.Operation) (*Operation, error) {
	o := &Operation{params: len(item.Parameters)+len(op.Parameters) > 0, responses: map[string]map[string]*prompts.Schema{}}
	var err error
	if r := op.RequestBody; r != nil {
		o.body = r.Value
		if o.bodies, err = schemas(raw, placeOf(r.Ref, at+"/requestBody"), r.Value.Content); err != nil {
			return nil, err
		}
	}
	for status, r := range op.Responses.Map() {
		if o.responses[status], err = schemas(raw, placeOf(r.Ref, at+"/responses/"+status), r.Value.Content); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func placeOf(ref, at string) string {
	if place, ok := strings.CutPrefix(ref, "#"); ok {
		return place
	}
	return at
}

// schemas compiles those of the JSON types of a content.
func schemas(raw any, at string, content openapi3.Content) (map[string]*prompts.Schema, error) {
	found := map[string]*prompts.Schema{}
	for kind, media := range content {
		if !isJSON(kind) || media.Schema == nil {
			continue
		}
		place := at + "/content/" + escape(kind) + "/schema"
		s, err := prompts.CompileSchema(raw, place)
		if err != nil {
			return nil, err
		}
		found[kind] = s
	}
	return found, nil
}

func isJSON(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// modern turns what schemas of OpenAPI 3.0 say in words of their own into JSON
// Schema: nullable, and bounds that are exclusive.
func modern(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = modern(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = modern(v[key])
		}
		if kind, ok := v["type"].(string); ok && v["nullable"] == true {
			v["type"] = []any{kind, "null"}
			if words, ok := v["enum"].([]any); ok && !slices.Contains(words, nil) {
				v["enum"] = append(words, nil)
			}
		}
		for exclusive, bound := range map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"} {
			switch v[exclusive] {
			case true:
				v[exclusive] = v[bound]
				delete(v, bound)
			case false:
				delete(v, exclusive)
			}
		}
	}
	return v
}

// Request is one that is held against a contract.
type Request struct {
	Method string
	Path   string // escaped
	Query  string
	Header http.Header
	Body   []byte
}

var methods = []string{"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"}

// Find is the operation that a request is for; the error is ErrNoPath or
// ErrNoMethod. It is the path with what the document's servers begin with, or
// without.
func (c *Contract) Find(q *Request) (*Operation, map[string]string, error) {
	first := ErrNoPath
	for path := range c.paths(q.Path) {
		route, params, err := c.route(q.Method, path)
		if err == nil {
			for name, value := range params {
				if plain, err := url.PathUnescape(value); err == nil {
					params[name] = plain
				}
			}
			o := *c.operations[route.Operation]
			o.route = route
			return &o, params, nil
		}
		if len(c.methods(path)) > 0 {
			first = ErrNoMethod
		}
	}
	return nil, nil, first
}

// paths are a request's path as the document may have it.
func (c *Contract) paths(of string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, base := range c.bases {
			path, ok := strings.CutPrefix(of, base)
			if ok && (path == "" || path[0] == '/') && !yield(cmp.Or(path, "/")) {
				return
			}
		}
	}
}

// route finds an operation. HEAD is GET where the document has no HEAD.
func (c *Contract) route(method, path string) (*routers.Route, map[string]string, error) {
	route, params, err := c.router.FindRoute(&http.Request{Method: method, URL: &url.URL{Path: path}})
	if err != nil && method == http.MethodHead {
		return c.route(http.MethodGet, path)
	}
	return route, params, err
}

func (c *Contract) methods(path string) []string {
	var list []string
	for _, method := range methods {
		if _, _, err := c.route(method, path); err == nil {
			list = append(list, method)
		}
	}
	return list
}

// Methods are what the API does at a path; none: there is no such path.
func (c *Contract) Methods(path string) []string {
	for path := range c.paths(path) {
		if list := c.methods(path); len(list) > 0 {
			return list
		}
	}
	return nil
}

// Place is where the document has the operation: its path, and its method.
func (o *Operation) Place() (path, method string) { return o.route.Path, o.route.Method }

// HasBody tells whether requests for the operation have a body that is looked
// into.
func (o *Operation) HasBody() bool { return o.body != nil }

func (q *Request) input(o *Operation, params map[string]string) *openapi3filter.RequestValidationInput {
	return &openapi3filter.RequestValidationInput{PathParams: params, Route: o.route,
		Request: &http.Request{Method: q.Method, URL: &url.URL{Path: q.Path, RawQuery: q.Query}, Header: q.Header, Body: http.NoBody},
		Options: &openapi3filter.Options{ExcludeRequestBody: true, ExcludeResponseBody: true, MultiError: true, SkipSettingDefaults: true,
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
}

// Check tells what is wrong with a request for the operation. The error is
// ErrNotJSON or ErrTwice.
func (o *Operation) Check(q *Request, params map[string]string) ([]Problem, error) {
	var problems []Problem
	if o.params {
		problems = flatten(openapi3filter.ValidateRequest(context.Background(), q.input(o, params)), nil)
	}
	if o.body == nil {
		return problems, nil
	}
	contentType := q.Header.Get("Content-Type")
	media := o.body.Content.Get(contentType)
	switch {
	case len(q.Body) == 0 && o.body.Required:
		return append(problems, Problem{Pointer: "", Message: "is required: the body"}), nil
	case len(q.Body) == 0 || len(o.body.Content) == 0:
		return problems, nil
	case media == nil:
		return append(problems, Problem{Pointer: "/header/content-type", Message: "must be one of " + strings.Join(kindsOf(o.body.Content), ", ")}), nil
	case !isJSON(contentType):
		return append(problems, o.checkForm(q, params)...), nil
	}
	more, err := checkJSON(o.bodies, o.body.Content, contentType, q.Body)
	return append(problems, more...), err
}

// checkForm leaves bodies of other types to the library.
func (o *Operation) checkForm(q *Request, params map[string]string) []Problem {
	in := q.input(o, params)
	in.Request.Body, in.Request.ContentLength = body(q.Body), int64(len(q.Body))
	return flatten(openapi3filter.ValidateRequestBody(context.Background(), in, o.body), nil)
}

func kindsOf(content openapi3.Content) []string {
	var kinds []string
	for kind := range content {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// checkJSON checks a body by the schema of the type that it has.
func checkJSON(by map[string]*prompts.Schema, content openapi3.Content, contentType string, body []byte) ([]Problem, error) {
	value, err := decode(body)
	if err != nil {
		return nil, err
	}
	media := content.Get(contentType)
	for kind := range content {
		if content[kind] == media && by[kind] != nil {
			return by[kind].Check(value), nil
		}
	}
	return nil, nil
}

// CheckAnswer tells what is wrong with an answer of the operation. What the
// document says nothing of is right.
func (o *Operation) CheckAnswer(q *Request, params map[string]string, status int, header http.Header, body []byte) []Problem {
	name, ref := statusOf(o.route.Operation.Responses, status)
	if ref == nil || ref.Value == nil || q.Method == http.MethodHead {
		return nil
	}
	in := q.input(o, params)
	var problems []Problem
	if len(ref.Value.Headers) > 0 {
		problems = flatten(openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in, Status: status, Header: header, Options: in.Options}), nil)
	}
	content, contentType := ref.Value.Content, header.Get("Content-Type")
	switch media := content.Get(contentType); {
	case len(content) == 0 || len(body) == 0:
		return problems
	case media == nil:
		return append(problems, Problem{Pointer: "/header/content-type", Message: "must be one of " + strings.Join(kindsOf(content), ", ")})
	case !isJSON(contentType):
		return problems
	}
	more, err := checkJSON(o.responses[name], content, contentType, body)
	if err != nil {
		more = []Problem{{Pointer: "", Message: err.Error()}}
	}
	return append(problems, more...)
}

// Answers tells whether the document has an answer of a status.
func (o *Operation) Answers(status int) bool {
	_, ref := statusOf(o.route.Operation.Responses, status)
	return ref != nil
}

// statusOf is what a document says of a status: 404, 4XX or default.
func statusOf(r *openapi3.Responses, status int) (string, *openapi3.ResponseRef) {
	code := fmt.Sprint(status)
	for _, name := range []string{code, code[:1] + "XX", "default"} {
		if ref := r.Value(name); ref != nil {
			return name, ref
		}
	}
	return "", nil
}
