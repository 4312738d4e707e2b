package cel

import (
	"time"

	"cel.dev/cel-go/cel"
)

// Vars are what an expression is about. They are read while it runs, and not
// kept.
type Vars struct {
	Caller   Caller
	Request  Request
	Now      time.Time
	Body     any // as encoding/json decodes it; where Options.Body was given
	Response Response
}

// Caller is who asks.
type Caller struct {
	Team, Key, User string
	Roles, Scopes   []string
	Claims          map[string]any // of a token, as encoding/json decodes them
	IP              string
	Cert            *Cert // nil: none was shown
}

// Cert is what is known of a client's certificate.
type Cert struct {
	Subject     string   // CN=shop,O=Example
	Issuer      string   // likewise
	Serial      string   // hexadecimal
	Fingerprint string   // SHA-256 of the whole, hexadecimal
	Name        string   // the subject's common name
	Names       []string // DNS names, addresses of mail, IP addresses and URIs that it is for
}

// Request is what is asked.
type Request struct {
	Method string
	// Path is in the form in which routes match it: no tricks of case, escapes
	// or slashes tell two apart.
	Path                   string
	Host                   string // in lower case, without a port
	Headers, Query, Params Lookup // nil: there are none
}

// Response is what a backend has answered.
type Response struct {
	Status  int
	Headers Lookup
}

// Lookup finds values by their names. It is asked only for those that an
// expression names.
type Lookup interface {
	// Find is the first value of a name; false: there is none.
	Find(name string) (string, bool)
	// Names are all that there are, each once.
	Names() []string
}

// ResolveName is a variable's value (cel.Activation).
func (v *Vars) ResolveName(name string) (any, bool) {
	switch name {
	case "caller":
		return &v.Caller, true
	case "request":
		return &v.Request, true
	case "now":
		return v.Now, true
	case "body":
		return v.Body, true
	case "response":
		return &v.Response, true
	}
	return nil, false
}

// Parent is nil: no variables stand behind these (cel.Activation).
func (v *Vars) Parent() cel.Activation { return nil }
