package auth

import (
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
)

// Method is one kind of credential from one source. Any number of goroutines
// may use it.
type Method interface {
	// Identify finds who a request is from. Nil without an error: the request
	// carries no credential of this kind. An error is a *schema.Error.
	Identify(*Request) (*Identity, error)
	// Challenge is what WWW-Authenticate says of it; empty: nothing.
	Challenge() string
}

// Request is what methods look at. It is theirs during the call alone.
type Request struct {
	HTTP   *fasthttp.Request
	Target string               // path and query, as they came
	Scheme string               // http or https, as the caller sees it
	TLS    *tls.ConnectionState // nil: the connection is not encrypted
	Now    time.Time
	Body   func() ([]byte, error) // all of it
}

// Identity is who a credential says that a request is from.
type Identity struct {
	ID     string // tells it from all others: jwt:corp/alice
	Team   string // empty: none
	User   string
	Roles  []string
	Scopes []string
	Claims map[string]any // of a token
}

// ErrForeign marks refusals of credentials that were made for another method:
// what that one says of them tells more.
var ErrForeign = errors.New("the credential is of another issuer")

// Refused is the error for a credential that is not good.
func Refused(why string) *schema.Error {
	return &schema.Error{Code: schema.CodeInvalidAPIKey, Status: fasthttp.StatusUnauthorized, Origin: schema.OriginGateway, Message: why}
}

func foreign(why string) *schema.Error {
	e := Refused(why)
	e.Cause = ErrForeign
	return e
}

// retryAfter is how long a caller is asked to wait for an identity service.
const retryAfter = 5 * time.Second

// unavailable is the error for a credential that nobody can judge now.
func unavailable(method string, err error) *schema.Error {
	return &schema.Error{Code: schema.CodeUnavailable, Status: fasthttp.StatusServiceUnavailable, Origin: schema.OriginGateway,
		RetryAfter: retryAfter, Message: "the identity service of " + method + " does not answer", Cause: err}
}

// authorization is the credential of a scheme in the Authorization header;
// empty: there is none.
func authorization(r *fasthttp.Request, scheme string) string {
	a := r.Header.Peek("Authorization")
	if len(a) <= len(scheme) || a[len(scheme)] != ' ' || !strings.EqualFold(string(a[:len(scheme)]), scheme) {
		return ""
	}
	return strings.TrimSpace(string(a[len(scheme):]))
}

const bearerChallenge = `Bearer realm="sluice"`
