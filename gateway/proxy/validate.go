package proxy

import (
	"errors"
	"net/http"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/gateway/validate"
	"sluice/prompts"
	"sluice/providers/schema"
)

// Problem is one thing that is wrong with what a caller sent.
type Problem = prompts.Problem

// Unfit is an error that lists all that is wrong.
type Unfit struct {
	Fault    *schema.Error
	Problems []Problem // not empty
}

// Error is the fault without its list.
func (u *Unfit) Error() string { return u.Fault.Error() }

// Unwrap is the fault.
func (u *Unfit) Unwrap() error { return u.Fault }

// ErrUnfit is the fault of input that does not fit: 422.
func ErrUnfit(message string, problems []Problem) error {
	return &Unfit{Problems: problems, Fault: &schema.Error{Code: schema.CodeInvalidRequest, Status: fasthttp.StatusUnprocessableEntity,
		Origin: schema.OriginGateway, Class: schema.ClassInvalidRequest, Message: message}}
}

// ValidateBody lets those requests pass whose body fits a schema; with a drift,
// which is told of the others, those too.
func ValidateBody(s *validate.Schema, drift *Drift) Step {
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			if drift != nil {
				if err := drift.tellBody(x, s); err != nil {
					return err
				}
				return next(x)
			}
			body, err := x.plainBody()
			if err != nil {
				return err
			}
			problems, err := s.Check(body)
			if err != nil {
				return errBody(err)
			}
			if len(problems) > 0 {
				return ErrUnfit("the body does not fit the schema", problems)
			}
			return next(x)
		}
	}
}

// plainBody reads a body that is not packed.
func (x *Exchange) plainBody() ([]byte, error) {
	if coding := x.RC.Request.Header.Peek("Content-Encoding"); len(coding) > 0 && string(coding) != "identity" {
		return nil, errCoding()
	}
	return x.WholeBody()
}

func errCoding() error {
	return &schema.Error{Code: schema.CodeInvalidRequest, Status: fasthttp.StatusUnsupportedMediaType, Origin: schema.OriginGateway,
		Class: schema.ClassCancelled, Message: "the body's Content-Encoding cannot be read here: send it plain"}
}

func errBody(err error) error {
	code := schema.CodeInvalidRequest
	if errors.Is(err, validate.ErrNotJSON) {
		code = schema.CodeInvalidJSON
	}
	return &schema.Error{Code: code, Status: fasthttp.StatusBadRequest, Origin: schema.OriginGateway, Class: schema.ClassCancelled, Message: err.Error(), Cause: err}
}

// Contract is an OpenAPI document that a route's requests, and its answers too,
// must keep.
type Contract struct {
	Document *validate.Contract
	// Strip is taken off paths that are not in the document as they are.
	Strip   string
	Answers bool
	// Drift is told of requests, and of answers, that do not keep it, where they
	// pass all the same; nil: none does.
	Drift                     *Drift
	TellRequests, TellAnswers bool
}

// Step lets those requests pass that keep the contract.
func (o Contract) Step() Step {
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			q := &validate.Request{Method: strings.Clone(x.Method), Path: string(x.Path.Sent), Query: string(x.Query), Header: http.Header{}}
			op, params, err := o.find(q)
			if err != nil && o.TellRequests {
				o.Drift.tell(x, kind{part: PartRequest, method: q.Method, path: q.Path, unknown: true}, []Problem{{Message: err.Error()}})
				return next(x)
			}
			if err != nil {
				return errOperation(err)
			}
			for name, value := range x.RC.Request.Header.All() {
				q.Header.Add(string(name), string(value))
			}
			checks := checkRequest
			if o.TellRequests {
				checks = o.tellRequest
			}
			if err := checks(x, op, q, params); err != nil {
				return err
			}
			switch {
			case o.TellAnswers:
				err := next(x)
				if err == nil {
					o.listen(x, op, q, params)
				}
				return err
			case !o.Answers:
				return next(x)
			}
			x.RC.Request.Header.Del("Accept-Encoding")
			x.RC.Request.Header.Del("Range")
			if err := next(x); err != nil {
				return err
			}
			return checkAnswer(x, op, q, params)
		}
	}
}

// checkRequest refuses a request that does not keep the contract.
func checkRequest(x *Exchange, op *validate.Operation, q *validate.Request, params map[string]string) (err error) {
	if op.HasBody() {
		if q.Body, err = x.plainBody(); err != nil {
			return err
		}
	}
	problems, err := op.Check(q, params)
	if err != nil {
		return errBody(err)
	}
	if len(problems) > 0 {
		return ErrUnfit("the request does not keep the API's contract", problems)
	}
	return nil
}

func (o *Contract) find(q *validate.Request) (*validate.Operation, map[string]string, error) {
	op, params, err := o.Document.Find(q)
	if rest, ok := strippedOf(q.Path, o.Strip); ok && errors.Is(err, validate.ErrNoPath) {
		q.Path = rest
		return o.Document.Find(q)
	}
	return op, params, err
}

func errOperation(err error) error {
	e := &schema.Error{Code: schema.CodeNotFound, Status: fasthttp.StatusNotFound, Origin: schema.OriginGateway, Message: err.Error(), Cause: err}
	if errors.Is(err, validate.ErrNoMethod) {
		e.Code, e.Status = schema.CodeMethodNotAllowed, fasthttp.StatusMethodNotAllowed
	}
	return e
}

// checkAnswer holds the answer against the contract. Events are not held up.
func checkAnswer(x *Exchange, op *validate.Operation, q *validate.Request, params map[string]string) error {
	r := &x.RC.Response
	if x.switched || mediaType(string(r.Header.ContentType())) == "text/event-stream" {
		return nil
	}
	var body []byte
	if x.hasBody() {
		var err error
		if body, err = x.wholeAnswer(); err != nil {
			return err
		}
	}
	header := http.Header{}
	for name, value := range r.Header.All() {
		header.Add(string(name), string(value))
	}
	problems := op.CheckAnswer(q, params, r.StatusCode(), header, body)
	if len(problems) == 0 {
		return nil
	}
	return &Unfit{Problems: problems, Fault: badAnswer("does not keep the API's contract")}
}
