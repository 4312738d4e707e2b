package auth

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// OAuth2Options are whom tokens are asked about.
type OAuth2Options struct {
	Name       string
	Introspect string // URL
	ClientID   string
	Secret     string
	Audience   []string      // one of which a token must be for; none: any
	Cache      time.Duration // how long an answer is believed; 0: a minute
	Claims     Claims
}

// OAuth2 is a Method.
type OAuth2 struct {
	OAuth2Options
	asking singleflight.Group
	slots  chan struct{} // of questions at once

	mu    sync.RWMutex
	known map[[32]byte]introspected // by the token's SHA-256
}

// introspected is what is known of a token.
type introspected struct {
	id    *Identity // nil: it is not active
	begin time.Time // not before; zero: always
	end   time.Time // of the token; zero: none
	until time.Time // that is known
	aud   bool      // it is for us
}

// keyScheme is how keys of ours begin.
const keyScheme = "sk-sl-"

const (
	maxTokens    = 10_000 // that are remembered
	maxQuestions = 64     // at once
	// inactiveFor is how long a token that is not active is taken for that.
	inactiveFor = 10 * time.Second
)

// NewOAuth2 makes the method.
func NewOAuth2(o OAuth2Options) *OAuth2 {
	o.Name, o.Cache = "oauth2:"+o.Name, cmp.Or(o.Cache, time.Minute)
	return &OAuth2{OAuth2Options: o, slots: make(chan struct{}, maxQuestions), known: map[[32]byte]introspected{}}
}

// Challenge asks for a bearer token.
func (a *OAuth2) Challenge() string { return bearerChallenge }

// Identify asks about the bearer token, unless it is known. A key of ours is
// shown to nobody.
func (a *OAuth2) Identify(r *Request) (*Identity, error) {
	token := authorization(r.HTTP, "bearer")
	if token == "" || strings.HasPrefix(token, keyScheme) {
		return nil, nil
	}
	hash := sha256.Sum256([]byte(token))
	found, ok := a.find(hash, r.Now)
	if !ok {
		answer, err, _ := a.asking.Do(string(hash[:]), func() (any, error) {
			if found, ok := a.find(hash, r.Now); ok { // another has asked in between
				return found, nil
			}
			return a.ask(token, hash, r.Now)
		})
		if err != nil {
			return nil, unavailable(a.Name, err)
		}
		found = answer.(introspected)
	}
	switch {
	case found.id == nil:
		return nil, Refused("the token is not active")
	case !found.end.IsZero() && !r.Now.Before(found.end):
		return nil, Refused("the token has expired")
	case r.Now.Before(found.begin):
		return nil, Refused("the token is not valid yet")
	case !found.aud:
		return nil, Refused("the token is for another audience")
	}
	return found.id, nil
}

// find is what is known of a token at a time; false: nothing.
func (a *OAuth2) find(hash [32]byte, now time.Time) (introspected, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	found, ok := a.known[hash]
	return found, ok && now.Before(found.until)
}

var errBusy = errors.New("too many are asked about at once")

// ask asks about a token, and remembers the answer.
func (a *OAuth2) ask(token string, hash [32]byte, now time.Time) (introspected, error) {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	default:
		return introspected{}, errBusy
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	r, err := http.NewRequest(http.MethodPost, a.Introspect, strings.NewReader(form.Encode()))
	if err != nil {
		return introspected{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a.ClientID != "" { // RFC 6749, section 2.3.1
		r.SetBasicAuth(url.QueryEscape(a.ClientID), url.QueryEscape(a.Secret))
	}
	var claims map[string]any
	if err := ask(r, &claims); err != nil {
		return introspected{}, err
	}
	if _, told := claims["active"].(bool); !told {
		return introspected{}, errors.New("its answer says not whether the token is active")
	}
	found := a.read(claims, now)
	a.remember(hash, found, now)
	return found, nil
}

// read understands an answer.
func (a *OAuth2) read(claims map[string]any, now time.Time) introspected {
	found := introspected{until: now.Add(min(a.Cache, inactiveFor))}
	if active, _ := claims["active"].(bool); !active {
		return found
	}
	found.id = a.Claims.identity(a.Name, claims)
	if found.id.User == "" {
		found.id.User = cmp.Or(word(claims["username"]), word(claims["client_id"]))
		found.id.ID += found.id.User
	}
	found.begin, found.end, found.aud = second(claims["nbf"]), second(claims["exp"]), meant(a.Audience, claims["aud"])
	found.until = now.Add(a.Cache)
	if !found.end.IsZero() && found.end.Before(found.until) {
		found.until = found.end
	}
	return found
}

// second is a time as tokens tell it; zero: it is not told.
func second(value any) time.Time {
	switch value := value.(type) {
	case float64:
		return time.Unix(int64(value), 0)
	case json.Number:
		if n, err := value.Int64(); err == nil {
			return time.Unix(n, 0)
		}
	}
	return time.Time{}
}

// remember keeps an answer. What is full loses what is over, then whatever
// comes first.
func (a *OAuth2) remember(hash [32]byte, found introspected, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxTokens {
		for h, old := range a.known {
			if !now.Before(old.until) {
				delete(a.known, h)
			}
		}
		for h := range a.known {
			if len(a.known) < maxTokens {
				break
			}
			delete(a.known, h)
		}
	}
	a.known[hash] = found
}
