package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"sluice/billing"
	"sluice/providers/schema"
)

// Role is what the bearer of a token may do.
type Role string

// The roles. A viewer reads everything; an operator also reloads and sets
// breakers; a team-owner reads and changes its own team and nothing else; an
// admin does all.
const (
	RoleAdmin     Role = "admin"
	RoleOperator  Role = "operator"
	RoleViewer    Role = "viewer"
	RoleTeamOwner Role = "team-owner"
)

// Token is a credential of the admin plane.
type Token struct {
	Hash [32]byte // SHA-256 of the token
	Role Role
	Team string // of a team-owner
	Name string // for the audit trail
}

// NewToken is the Token of a secret.
func NewToken(secret string, role Role, team string) Token {
	return Token{Hash: sha256.Sum256([]byte(secret)), Role: role, Team: team}
}

// Identity is who makes a request.
type Identity struct {
	Role Role
	Team string // of a team-owner
	Name string // for the audit trail: of the token, or of who signed in
	// Key is what a team-owner is known by who may do no more than it may, as
	// in the portal; nil: it is known by a token. One without an id is no key:
	// its team and user are those of a person, who may do what a key of theirs
	// may.
	Key *billing.Key
}

// IsPerson tells whether it is a user of a team, without a key.
func (id Identity) IsPerson() bool { return id.Key != nil && id.Key.ID == "" }

// Owns tells whether the identity may see what belongs to a team.
func (id Identity) Owns(team string) bool { return id.Role != RoleTeamOwner || id.Team == team }

// Authenticate finds the identity of a token. All tokens are compared, each in
// constant time, so that the time taken tells nothing about any of them.
func Authenticate(tokens []Token, secret string) (Identity, bool) {
	hash := sha256.Sum256([]byte(secret))
	var found Identity
	ok := 0
	for _, t := range tokens {
		if subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1 {
			found, ok = Identity{Role: t.Role, Team: t.Team, Name: t.Name}, 1
		}
	}
	return found, ok == 1 && secret != ""
}

type identityKey struct{}

// As is the context of a request to the API by somebody who is known already,
// as one who signed in to the console: it needs no token. It cannot be made from
// outside of the process.
func As(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// identify tells who makes a request: who it is made as, or whose bearer token
// it has.
func (a *api) identify(r *http.Request) (Identity, error) {
	if id, ok := r.Context().Value(identityKey{}).(Identity); ok {
		return id, nil
	}
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return Identity{}, unauthorized("send the admin token as Authorization: Bearer TOKEN")
	}
	id, ok := Authenticate(a.Tokens(), strings.TrimSpace(secret))
	if !ok {
		return Identity{}, unauthorized("the admin token is not known")
	}
	return id, nil
}

func unauthorized(message string) error {
	return &schema.Error{Code: schema.CodeInvalidAPIKey, Status: http.StatusUnauthorized,
		Origin: schema.OriginPolicy, Message: message}
}

func forbidden(message string) error {
	return &schema.Error{Code: schema.CodePermissionDenied, Status: http.StatusForbidden,
		Origin: schema.OriginPolicy, Message: message}
}

func forbiddenField(name, message string) error {
	return &schema.Error{Code: schema.CodePermissionDenied, Status: http.StatusForbidden,
		Origin: schema.OriginPolicy, Param: name, Message: message}
}
