package auth

import (
	"crypto"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sluice/providers/schema"
)

// JWTOptions are what tokens are judged by. Their keys come from one of Secret,
// PublicKey and KeySet, or from where Issuer says that it keeps them.
type JWTOptions struct {
	Name      string
	Issuer    string   // empty: any
	Audience  []string // one of which a token must be for; none: any
	Leeway    time.Duration
	Secret    string // shared, for HS256, HS384 and HS512
	PublicKey string // PEM
	KeySet    string // URL of a JWKS
	Claims    Claims
}

// JWT is a Method.
type JWT struct {
	JWTOptions
	fixed []crypto.PublicKey // or a secret; nil: keys has them
	algs  []string
	keys  *keySet
}

// NewJWT makes the method.
func NewJWT(o JWTOptions) (*JWT, error) {
	j := &JWT{JWTOptions: o}
	j.Name = "jwt:" + o.Name
	switch {
	case o.Secret != "":
		j.fixed, j.algs = []crypto.PublicKey{[]byte(o.Secret)}, []string{"HS256", "HS384", "HS512"}
	case o.PublicKey != "":
		k, err := readPublicKey(o.PublicKey)
		if err != nil {
			return nil, err
		}
		j.fixed, j.algs = []crypto.PublicKey{k.key}, k.algs
	default:
		j.keys = newKeySet(o.KeySet, o.Issuer)
		j.algs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	}
	return j, nil
}

// Challenge asks for a bearer token.
func (j *JWT) Challenge() string { return bearerChallenge }

// Identify reads the bearer token, if it has the form of a JWT.
func (j *JWT) Identify(r *Request) (*Identity, error) {
	token := authorization(r.HTTP, "bearer")
	if strings.Count(token, ".") != 2 {
		return nil, nil
	}
	options := []jwt.ParserOption{jwt.WithValidMethods(j.algs), jwt.WithExpirationRequired(), jwt.WithLeeway(j.Leeway),
		jwt.WithTimeFunc(func() time.Time { return r.Now })}
	claims := jwt.MapClaims{}
	_, err := jwt.NewParser(options...).ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) { return j.key(r, t) })
	var own *schema.Error
	switch {
	case errors.As(err, &own):
		return nil, own
	case err != nil:
		return nil, Refused(whyJWT(err))
	case !meant(j.Audience, claims["aud"]):
		return nil, Refused("the token is for another audience")
	}
	return j.Claims.identity(j.Name, claims), nil
}

// key finds what a token is verified with. It is asked once the token's
// algorithm is known to be one of ours.
func (j *JWT) key(r *Request, t *jwt.Token) (any, error) {
	if _, critical := t.Header["crit"]; critical { // RFC 7515, section 4.1.11: none is understood here
		return nil, Refused("the token needs extensions that are not known here")
	}
	if issuer, _ := t.Claims.GetIssuer(); j.Issuer != "" && issuer != j.Issuer {
		return nil, foreign("the token is of another issuer")
	}
	found := j.fixed
	if j.keys != nil {
		id, _ := t.Header["kid"].(string)
		var err error
		if found, err = j.keys.find(id, t.Method.Alg(), r.Now); err != nil {
			return nil, unavailable(j.Name, err)
		}
	}
	if len(found) == 0 {
		return nil, Refused("the token is signed with a key that its issuer does not have")
	}
	set := jwt.VerificationKeySet{}
	for _, k := range found {
		set.Keys = append(set.Keys, k)
	}
	return set, nil
}

// whyJWT says what is wrong with a token, without a word of it.
func whyJWT(err error) string {
	for _, reason := range []struct {
		is  error
		why string
	}{
		{jwt.ErrTokenMalformed, "the token is malformed"},
		{jwt.ErrTokenSignatureInvalid, "the token's signature, or its algorithm, is not that of its issuer"},
		{jwt.ErrTokenExpired, "the token has expired"},
		{jwt.ErrTokenNotValidYet, "the token is not valid yet"},
		{jwt.ErrTokenRequiredClaimMissing, "the token says not when it expires: it needs exp"},
	} {
		if errors.Is(err, reason.is) {
			return reason.why
		}
	}
	return "the token is not valid"
}
