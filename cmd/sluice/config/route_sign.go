package config

import (
	"strings"

	"sluice/providers/auth"
)

// BackendSign is how requests to the targets of a route are signed: one of
// these.
type BackendSign struct {
	HMAC *SignHMAC `json:"hmac"`
	AWS  *SignAWS  `json:"aws"`
}

// SignHMAC is a secret that we share with the targets.
type SignHMAC struct {
	KeyID  string `json:"key_id"` // that they know it by
	Secret Secret `json:"secret"`
}

// SignAWS is a key of an account with AWS, and what is signed for.
type SignAWS struct {
	Region  string `json:"region"` // empty: that in the address of each target
	Service string `json:"service"`
	ID      string `json:"id"`
	Secret  Secret `json:"secret"`
	Token   Secret `json:"token"` // of a temporary key
}

// Options are those of what signs for a target.
func (s *SignAWS) Options() auth.AWSOptions {
	return auth.AWSOptions{Region: s.Region, Service: s.Service, Keys: auth.AWSKeys{ID: s.ID, Secret: s.Secret.Reveal(), Token: s.Token.Reveal()}}
}

func (k *checker) backendSign(path []string, b *HTTPBackend) {
	s := b.Sign
	needs := func(path []string, value string) {
		if value == "" {
			k.fault(path, "is needed")
		}
	}
	switch {
	case s == nil:
	case (s.HMAC == nil) == (s.AWS == nil):
		k.fault(path, "want one of hmac, aws")
	case s.HMAC != nil:
		path = below(path, "hmac")
		needs(below(path, "key_id"), s.HMAC.KeyID)
		needs(below(path, "secret"), s.HMAC.Secret.Reveal())
		if strings.ContainsFunc(s.HMAC.KeyID, func(r rune) bool { return r < ' ' || r > '~' }) {
			k.fault(below(path, "key_id"), "want printable ASCII")
		}
	default:
		k.signAWS(below(path, "aws"), b)
	}
}

func (k *checker) signAWS(path []string, b *HTTPBackend) {
	s := b.Sign.AWS
	before := len(k.faults)
	for _, f := range []struct{ name, value string }{{"service", s.Service}, {"id", s.ID}, {"secret", s.Secret.Reveal()}} {
		if f.value == "" {
			k.fault(below(path, f.name), "is needed")
		}
	}
	if b.PreserveHost {
		k.fault(path, "does not go with preserve_host: the address of the target is what is signed")
	}
	if s.Region != "" || len(k.faults) > before {
		return
	}
	if b.Discover != nil {
		k.fault(below(path, "region"), "is needed: the targets of a registry do not tell it")
		return
	}
	all := append([]BackendTarget(nil), b.Targets...)
	if b.Canary != nil {
		all = append(all, b.Canary.Targets...)
	}
	for _, m := range b.Mirror {
		all = append(all, BackendTarget{URL: m.URL})
	}
	for _, t := range all {
		o := s.Options()
		o.BaseURL = t.URL
		if _, err := auth.AWS(o); err != nil {
			k.fault(below(path, "region"), "is needed: the address %s does not tell it", t.URL)
			return
		}
	}
}
