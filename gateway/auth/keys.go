package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
	"golang.org/x/time/rate"
)

// How long an issuer's keys are kept.
const (
	freshKeys = 5 * time.Minute // after which they are asked for again, while the old ones serve
	staleKeys = 24 * time.Hour  // after which they serve no more
	// deadFor is how long nobody asks again an issuer that did not answer.
	deadFor = time.Second
)

// publicKey is one key of an issuer.
type publicKey struct {
	id   string
	key  crypto.PublicKey
	algs []string // that it verifies
}

// algorithmsOf are the algorithms of a public key; none: it is not one for
// signatures that we know. A token does not choose: its algorithm must be one
// of its key.
func algorithmsOf(key crypto.PublicKey) []string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []string{"ES256"}
		case elliptic.P384():
			return []string{"ES384"}
		case elliptic.P521():
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}

// readPublicKey reads the PEM of a public key or of a certificate.
func readPublicKey(text string) (publicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return publicKey{}, errors.New("want a public key in PEM")
	}
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = cert.PublicKey
		}
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return publicKey{}, errors.New("the PEM of the public key cannot be read")
	}
	if algorithmsOf(key) == nil {
		return publicKey{}, errors.New("want an RSA, ECDSA or Ed25519 key")
	}
	return publicKey{key: key, algs: algorithmsOf(key)}, nil
}

// keySet is the keys of an issuer, which are fetched when they are needed and
// kept.
type keySet struct {
	url    string
	issuer string // whose configuration names the URL, where there is none

	current  atomic.Pointer[keyList]
	fetching sync.Mutex
	failed   error     // of the last fetch
	tried    time.Time // when that was
	unknown  *rate.Limiter
}

type keyList struct {
	keys []publicKey
	at   time.Time // when they were fetched
}

func newKeySet(url, issuer string) *keySet {
	// Keys that nobody has heard of bring the issuer no more than this.
	return &keySet{url: url, issuer: issuer, unknown: rate.NewLimiter(rate.Every(5*time.Second), 5)}
}

// pick are the keys that may have signed a token.
func (l *keyList) pick(id, alg string) []crypto.PublicKey {
	var found []crypto.PublicKey
	for _, k := range l.keys {
		if (id == "" || k.id == id) && slices.Contains(k.algs, alg) {
			found = append(found, k.key)
		}
	}
	return found
}

// find gives the keys with an id for an algorithm. None without an error: the
// issuer has none. The error is that it does not answer.
func (s *keySet) find(id, alg string, now time.Time) ([]crypto.PublicKey, error) {
	list := s.current.Load()
	if list != nil && now.Sub(list.at) < staleKeys {
		if found := list.pick(id, alg); found != nil {
			if now.Sub(list.at) > freshKeys && s.fetching.TryLock() {
				go func() {
					defer s.fetching.Unlock()
					_ = s.fetch(now) // the old ones serve on
				}()
			}
			return found, nil
		}
	}
	if err := s.refresh(list, now); err != nil {
		return nil, err
	}
	return s.current.Load().pick(id, alg), nil
}

// refresh fetches the keys, unless someone else has since had was.
func (s *keySet) refresh(was *keyList, now time.Time) error {
	s.fetching.Lock()
	defer s.fetching.Unlock()
	stale := was == nil || now.Sub(was.at) >= staleKeys
	switch {
	case s.current.Load() != was:
		return nil
	case s.failed != nil && time.Since(s.tried) < deadFor:
		return s.failed
	case !stale && !s.unknown.Allow():
		return s.failed
	}
	return s.fetch(now)
}

// fetch asks the issuer. The lock is held.
func (s *keySet) fetch(now time.Time) (err error) {
	defer func() { s.failed, s.tried = err, time.Now() }()
	url := s.url
	if url == "" {
		if url, err = discovered(s.issuer); err != nil {
			return err
		}
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := get(url, &set); err != nil {
		return err
	}
	list := &keyList{at: now}
	for _, raw := range set.Keys {
		if k, ok := readJWK(raw); ok {
			list.keys = append(list.keys, k)
		}
	}
	if len(list.keys) == 0 {
		return errors.New("its key set holds no public key for signatures")
	}
	s.current.Store(list)
	return nil
}

// readJWK reads one key of a set; false: it is none that verifies, of which a
// set may hold some. Shared secrets are none: they are no issuer's to publish.
func readJWK(raw json.RawMessage) (publicKey, bool) {
	k, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return publicKey{}, false
	}
	about := k.Marshal()
	algs := algorithmsOf(k.Key())
	if about.ALG != "" {
		if !slices.Contains(algs, string(about.ALG)) {
			return publicKey{}, false
		}
		algs = []string{string(about.ALG)}
	}
	if algs == nil || about.USE != "" && about.USE != jwkset.UseSig {
		return publicKey{}, false
	}
	return publicKey{id: about.KID, key: k.Key(), algs: algs}, true
}
