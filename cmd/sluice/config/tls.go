package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// TLS is how a listener shows who it is, and what it asks of clients. Files are
// read when the configuration is, and again when one changes.
type TLS struct {
	Certificate
	Certs      []Certificate `json:"certs"`     // more, chosen by the name that a client asks for
	ClientCA   string        `json:"client_ca"` // file, or its PEM: who signs clients' certificates
	ClientAuth string        `json:"client_auth" enum:"require,request"`
	ACME       *ACME         `json:"acme"` // nil: certificates are in files

	authorities string // PEM
}

// Certificate is a certificate and its key: files, or their PEM.
type Certificate struct {
	Cert string `json:"cert"`
	Key  Secret `json:"key"`

	chain, private string // PEM
}

func (p *Certificate) pair() (tls.Certificate, error) {
	return tls.X509KeyPair([]byte(p.chain), []byte(p.private))
}

// Pairs are all certificates, the one for clients that ask for no name first.
func (t *TLS) Pairs() []Certificate {
	if t.Cert == "" && t.Key == "" {
		return t.Certs
	}
	return append([]Certificate{t.Certificate}, t.Certs...)
}

// On tells whether connections are encrypted.
func (t *TLS) On() bool { return t != nil && (len(t.Pairs()) > 0 || t.ACME != nil) }

// ProvenAt is where names are proven by HTTP-01; empty: nowhere.
func (t *TLS) ProvenAt() string {
	if t == nil || t.ACME == nil {
		return ""
	}
	return t.ACME.HTTP
}

// tlsFiles reads the files of a listener's certificates.
func (l *loader) tlsFiles(t *TLS, path []string, d *decoder) {
	if t == nil {
		return
	}
	read := func(path []string, value string) string {
		if value == "" || strings.Contains(value, "-----BEGIN ") {
			return value
		}
		text, err := l.expander(l.dir).file(value)
		if err != nil {
			d.fault(path, "%v", err)
		}
		return text
	}
	pair := func(path []string, p *Certificate) {
		p.chain = read(below(path, "cert"), p.Cert)
		p.private = read(below(path, "key"), p.Key.Reveal())
	}
	pair(path, &t.Certificate)
	for i := range t.Certs {
		pair(below(below(path, "certs"), strconv.Itoa(i)), &t.Certs[i])
	}
	t.authorities = read(below(path, "client_ca"), t.ClientCA)
	if a := t.ACME; a != nil {
		a.authorities = read(below(below(path, "acme"), "ca"), a.CA)
	}
}

// Build is the TLS configuration, without what ACME adds to it.
func (t *TLS) Build() (*tls.Config, error) {
	made := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	for _, p := range t.Pairs() {
		pair, err := p.pair()
		if err != nil {
			return nil, fmt.Errorf("cannot use a certificate and its key: %w", err)
		}
		made.Certificates = append(made.Certificates, pair)
	}
	if t.ClientCA != "" {
		made.ClientCAs = x509.NewCertPool()
		if !made.ClientCAs.AppendCertsFromPEM([]byte(t.authorities)) {
			return nil, errors.New("client_ca holds no certificate")
		}
		// A session that is gone on with would not be judged by another client_ca.
		made.SessionTicketsDisabled = true
		made.ClientAuth = tls.RequireAndVerifyClientCert
		if t.ClientAuth == "request" {
			made.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	return made, nil
}

func (k *checker) tls(path []string, t *TLS) {
	if t == nil {
		return
	}
	for i, p := range t.Pairs() {
		at := path
		if first := len(t.Pairs()) - len(t.Certs); i >= first {
			at = below(below(path, "certs"), strconv.Itoa(i-first))
		}
		switch {
		case p.Cert == "":
			k.fault(below(at, "cert"), "is needed beside key")
		case p.Key == "":
			k.fault(below(at, "key"), "is needed beside cert")
		default:
			if _, err := p.pair(); err != nil {
				k.fault(below(at, "cert"), "cannot be used with its key: %v", err)
			}
		}
	}
	if t.ACME != nil {
		k.acme(below(path, "acme"), t.ACME)
	}
	ca := below(path, "client_ca")
	switch {
	case t.ClientCA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(t.authorities)):
		k.fault(ca, "holds no certificate in PEM")
	case t.ClientCA != "" && !t.On():
		k.fault(ca, "is for connections that are encrypted: want cert and key too")
	case t.ClientCA == "" && t.ClientAuth != "":
		k.fault(below(path, "client_auth"), "want client_ca too: who signs the certificates of clients")
	}
}
