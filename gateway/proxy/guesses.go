package proxy

import (
	"bytes"
	"encoding/base64"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/limit"
	"sluice/providers/schema"
)

// GuessOptions are how a route's sign-ins are watched.
type GuessOptions struct {
	Guesses *limit.Guesses
	// Counts has the step count answers of 401 itself, whoever gives them, and
	// block whatever comes from the address. Without it, others count, and only
	// passwords are blocked: those can be guessed, and it is dear to check them.
	Counts bool
}

// Guarded keeps those off a route who guess at passwords.
func Guarded(o GuessOptions) Step {
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			a := limit.Attempt{IP: x.IP, Account: Account(&x.RC.Request.Header)}
			if a.Account == "" && !o.Counts {
				return next(x)
			}
			if wait := o.Guesses.Blocked(a, x.Now); wait > 0 {
				return TooManyGuesses(wait)
			}
			err := next(x)
			failed := err == nil && x.RC.Response.StatusCode() == fasthttp.StatusUnauthorized
			if err != nil {
				e := schema.AsError(err)
				failed = e.Status == fasthttp.StatusUnauthorized && e.Origin != schema.OriginProvider
			}
			switch {
			case failed && o.Counts:
				o.Guesses.Failed(a, x.Now)
			case !failed && err == nil:
				o.Guesses.Succeeded(a, x.Now)
			}
			return err
		}
	}
}

// Account is whom a request with a password says to be; empty: it has none.
func Account(h *fasthttp.RequestHeader) string {
	credentials, ok := cutFold(h.Peek("Authorization"), "basic ")
	if !ok {
		return ""
	}
	plain, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(credentials)))
	name, _, _ := bytes.Cut(plain, []byte{':'})
	if err != nil {
		return ""
	}
	return strings.ToLower(string(name))
}

// TooManyGuesses refuses one who has been wrong too often.
func TooManyGuesses(wait time.Duration) *schema.Error {
	return &schema.Error{Code: schema.CodeRateLimit, Status: fasthttp.StatusTooManyRequests, Origin: schema.OriginPolicy,
		RetryAfter: max(wait, time.Second), Message: "too many wrong credentials from this address or for this account; try again in " + wholeSeconds(max(wait, time.Second)) + " s"}
}
