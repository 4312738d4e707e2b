package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"slices"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
)

// Signatures is a Method: requests that are signed with a shared secret (RFC
// 9421, hmac-sha256), bodies by their digest (RFC 9530).
type Signatures struct {
	name    string
	clients map[string]Account // by keyid
	skew    time.Duration
	seen    *Replays
}

// NewSignatures makes the method. A signature is taken for skew before and
// after the time at which it was made, once.
func NewSignatures(name string, clients map[string]Account, skew time.Duration, seen *Replays) *Signatures {
	return &Signatures{name: "hmac:" + name, clients: clients, skew: skew, seen: seen}
}

// Challenge names the scheme, which has no registered word.
func (s *Signatures) Challenge() string { return `Signature realm="sluice", algorithm="hmac-sha256"` }

// maxLabels bounds the signatures of one request that are looked at.
const maxLabels = 8

// Identify verifies the first signature that is of a known client.
func (s *Signatures) Identify(r *Request) (*Identity, error) {
	inputs, signatures := lines(r.HTTP, "Signature-Input"), lines(r.HTTP, "Signature")
	if len(inputs) == 0 {
		return nil, nil
	}
	params, err := httpsfv.UnmarshalDictionary(inputs)
	if err != nil {
		return nil, Refused("Signature-Input is malformed")
	}
	sums, err := httpsfv.UnmarshalDictionary(signatures)
	if err != nil || len(params.Names()) > maxLabels {
		return nil, Refused("Signature is malformed, or there are too many")
	}
	last := foreign("the signature is of nobody who is known here: its keyid names no client")
	for _, label := range params.Names() {
		member, _ := params.Get(label)
		list, ok := member.(httpsfv.InnerList)
		if !ok {
			return nil, Refused("Signature-Input is malformed")
		}
		client, _ := parameter[string](list.Params, "keyid")
		account, known := s.clients[client]
		if !known {
			continue
		}
		sum, _ := sums.Get(label)
		item, _ := sum.(httpsfv.Item)
		signature, _ := item.Value.([]byte)
		if last = s.verify(r, &signed{list, signature, client}, account.Secret); last == nil {
			return account.identity(s.name, client), nil
		}
	}
	return nil, last
}

// signed is one signature of a request.
type signed struct {
	httpsfv.InnerList
	sum    []byte
	client string
}

func parameter[T any](p *httpsfv.Params, name string) (value T, ok bool) {
	if p == nil {
		return value, false
	}
	raw, has := p.Get(name)
	if !has {
		return value, false
	}
	value, ok = raw.(T)
	return value, ok
}

// lines are those of a header.
func lines(r *fasthttp.Request, name string) []string {
	var list []string
	for _, line := range r.Header.PeekAll(name) {
		list = append(list, string(line))
	}
	return list
}

func (s *Signatures) verify(r *Request, sig *signed, secret string) *schema.Error {
	if alg, given := sig.Params.Get("alg"); given && alg != "hmac-sha256" {
		return Refused("the signature's algorithm is not hmac-sha256")
	}
	until, refused := s.times(r, sig)
	if refused != nil {
		return refused
	}
	base, covered, err := base(messageOf(r), &sig.InnerList)
	if err != nil {
		return Refused(err.Error())
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(base)
	if !hmac.Equal(mac.Sum(nil), sig.sum) {
		return Refused("the signature is wrong")
	}
	if refused := s.covers(r, covered); refused != nil {
		return refused
	}
	fresh, room := s.seen.note(sha256.Sum256(append([]byte(s.name+"\x00"+sig.client+"\x00"), sig.sum...)), until, r.Now)
	switch {
	case !room:
		return unavailable(s.name, errors.New("the memory of signatures is full"))
	case !fresh:
		return Refused("the signature was used before")
	}
	return nil
}

// times checks when a signature was made, and until when it is good.
func (s *Signatures) times(r *Request, sig *signed) (until time.Time, refused *schema.Error) {
	created, ok := parameter[int64](sig.Params, "created")
	if !ok {
		return until, Refused("the signature says not when it was made: it needs created")
	}
	made := time.Unix(created, 0)
	until = made.Add(s.skew)
	switch {
	case r.Now.Add(s.skew).Before(made):
		return until, Refused("the signature was made in the future")
	case r.Now.After(until):
		return until, Refused("the signature is too old")
	}
	if _, given := sig.Params.Get("expires"); given {
		expires, ok := parameter[int64](sig.Params, "expires")
		if end := time.Unix(expires, 0); !ok || r.Now.After(end) {
			return until, Refused("the signature has expired")
		}
	}
	return until, nil
}

// covers checks that what matters of a request was signed: method, path, query
// and, where there is one, the body.
func (s *Signatures) covers(r *Request, covered []string) *schema.Error {
	has := func(name string) bool { return slices.Contains(covered, name) }
	whole := has("@target-uri") || has("@request-target")
	switch {
	case !has("@method"):
		return Refused("the signature does not cover @method")
	case !whole && !has("@path"):
		return Refused("the signature does not cover @path")
	case !whole && !has("@query"):
		return Refused("the signature does not cover @query")
	}
	body, err := r.Body()
	switch {
	case err != nil:
		return schema.AsError(err)
	case !has("content-digest") && len(body) > 0:
		return Refused("the signature does not cover content-digest")
	case !has("content-digest"):
		return nil
	}
	return digested(lines(r.HTTP, "Content-Digest"), body)
}

// digested checks a body against the digests of it that are known here, of
// which there must be one.
func digested(digest []string, body []byte) *schema.Error {
	told, err := httpsfv.UnmarshalDictionary(digest)
	if err != nil {
		return Refused("Content-Digest is malformed")
	}
	checked := false
	for _, name := range told.Names() {
		member, _ := told.Get(name)
		item, _ := member.(httpsfv.Item)
		want, _ := item.Value.([]byte)
		var sum []byte
		switch name {
		case "sha-256":
			s := sha256.Sum256(body)
			sum = s[:]
		case "sha-512":
			s := sha512.Sum512(body)
			sum = s[:]
		default:
			continue
		}
		if !bytes.Equal(sum, want) {
			return Refused("the body is not that of Content-Digest")
		}
		checked = true
	}
	if !checked {
		return Refused("Content-Digest holds neither sha-256 nor sha-512")
	}
	return nil
}
