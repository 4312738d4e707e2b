package main

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"

	"golang.org/x/crypto/acme"

	"sluice/cmd/sluice/config"
)

// encryption is how a listener shows who it is. What is in force may change
// while it listens; whether it encrypts at all may not.
type encryption struct {
	current atomic.Pointer[tls.Config]
	issuer  atomic.Pointer[issuer] // nil: certificates are in files
	plain   *http.Server           // nil: nobody proves names by HTTP-01
}

// encryptPlanes takes the certificates of a configuration for both listeners.
func (s *server) encryptPlanes(cfg *config.Config) error {
	return errors.Join(s.encryption.set(cfg.Server.TLS, filepath.Join(s.dataDir, "acme")), s.adminEncryption.set(cfg.Admin.TLS, ""))
}

// set takes the certificates of a configuration, which is checked, for the
// connections that are made from now on. What is issued is kept in cache where
// the configuration names no directory.
func (e *encryption) set(c *config.TLS, cache string) error {
	if !c.On() {
		return nil
	}
	made, err := c.Build()
	if err != nil {
		return err
	}
	var from *issuer
	if c.ACME != nil {
		if from, err = newIssuer(c.ACME, cache, e.issuer.Load()); err != nil {
			return err
		}
		made.GetCertificate = from.certificate
	}
	e.issuer.Store(from)
	e.current.Store(made)
	return nil
}

// over encrypts what a listener accepts, if there is a certificate.
func (e *encryption) over(ln net.Listener) net.Listener {
	first := e.current.Load()
	if first == nil {
		return ln
	}
	outer := first.Clone()
	outer.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if from := e.issuer.Load(); from != nil && slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
			return from.challenge, nil
		}
		return e.current.Load(), nil
	}
	return tls.NewListener(ln, outer)
}

// trust is how this process knows its own listener, whatever name its
// certificates are for; nil: it does not encrypt.
func (e *encryption) trust() *tls.Config {
	if e.current.Load() == nil {
		return nil
	}
	return &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		shown := s.PeerCertificates[0].Raw
		for _, own := range e.current.Load().Certificates {
			if slices.Equal(own.Certificate[0], shown) {
				return nil
			}
		}
		if from := e.issuer.Load(); from != nil && from.has(sha256.Sum256(shown)) {
			return nil
		}
		return errors.New("the certificate is not this gateway's")
	}}
}

// schemeOf is how URLs of a listener begin.
func schemeOf(t *config.TLS) string {
	if t.On() {
		return "https://"
	}
	return "http://"
}

// dataURL is where the data plane listens.
func (s *server) dataURL(address string) string { return schemeOf(s.started.Server.TLS) + address }
