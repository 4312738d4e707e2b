// Package cel compiles and runs the expressions of a configuration: rules of
// who may do what, conditions of policies, and values made from bodies. They
// are written in the Common Expression Language (cel.dev).
//
// An expression is compiled once, when the configuration is read, against
// variables with fields of known types, so that a misspelt one is a fault of
// the configuration and not a refusal at night:
//
//	caller    team, key, user: string · roles, scopes: list(string)
//	          claims: map(string, dyn) · ip: string
//	          cert: subject, issuer, serial, fingerprint, name: string, names: list(string)
//	request   method, path, host: string · headers, query, params: map(string, string)
//	now       timestamp
//	body      dyn, where it is asked for
//	response  status: int, headers: map(string, string), where it is asked for
//
// A header, a parameter of the query or of the path that is not there is an
// empty string; `in` and has() tell the difference. The names of headers are of
// any case. A claim that is not there is an error, as CEL has it: ask with
// has(caller.claims.x) first. Nothing of a request is read that an expression
// does not name.
//
// Beside CEL's own functions there are those of its libraries for strings,
// lists, sets, math, base64, networks (cidr("10.0.0.0/8").containsIP(caller.ip)),
// optional values, regular expressions and bindings. What one evaluation may
// cost is bounded, so that no expression stops the gateway.
package cel
