package config

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BackendHealth says how the targets of a route are asked whether they are well.
type BackendHealth struct {
	Health
	// Panic is the share of the targets that must be healthy, lest the checks are
	// not believed and all are tried; 0: they are always believed; nil: all are
	// tried where none is healthy.
	Panic *float64 `json:"panic"`
}

func defaultBackendHealth() BackendHealth {
	return BackendHealth{Health: Health{Every: 5 * time.Second, Timeout: 2 * time.Second, Fails: 2, Passes: 2}}
}

func (k *checker) backendHealth(path []string, h *BackendHealth) {
	if h == nil {
		return
	}
	at := below(path, "path")
	if u, err := url.ParseRequestURI(h.Path); err != nil || !strings.HasPrefix(h.Path, "/") || u.Fragment != "" {
		k.fault(at, "want a path such as /healthz%s", k.said(at, h.Path))
	}
	k.checks(path, &h.Health)
	if h.Panic != nil && (*h.Panic < 0 || *h.Panic > 1) {
		k.fault(below(path, "panic"), "want a share from 0 to 1")
	}
}

// BackendTLS is how targets are spoken to by https. They are always verified.
type BackendTLS struct {
	CA         string `json:"ca"`          // file of the authorities that are trusted; empty: the system's
	Cert       string `json:"cert"`        // file of our certificate for those who ask for one,
	Key        string `json:"key"`         // and of its key
	ServerName string `json:"server_name"` // that their certificates must be for; empty: the host of the URL

	made   *tls.Config
	digest string
}

// Digest tells what the files held from what they held before; nil: empty.
func (t *BackendTLS) Digest() string {
	if t == nil {
		return ""
	}
	return t.digest
}

// Config is what it comes to; nil of nil.
func (t *BackendTLS) Config() *tls.Config {
	if t == nil {
		return nil
	}
	return t.made
}

// files makes the paths of files absolute and reads them. Paths are relative to
// dir.
func (t *BackendTLS) files(dir string, read func(path string)) (field string, err error) {
	all := sha256.New()
	defer func() { t.digest = t.ServerName + hex.EncodeToString(all.Sum(nil)) }()
	open := func(path *string) ([]byte, error) {
		if !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
		read(*path)
		text, err := readFile(*path)
		fmt.Fprintf(all, "%d %s", len(text), text)
		return text, err
	}
	t.made = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := open(&t.CA)
		if err != nil {
			return "ca", err
		}
		t.made.RootCAs = x509.NewCertPool()
		if !t.made.RootCAs.AppendCertsFromPEM(pem) {
			return "ca", errors.New("there is no certificate in the file")
		}
	}
	switch {
	case t.Cert == "" && t.Key == "":
		return "", nil
	case t.Cert == "":
		return "cert", errors.New("is needed beside key")
	case t.Key == "":
		return "key", errors.New("is needed beside cert")
	}
	cert, err := open(&t.Cert)
	if err != nil {
		return "cert", err
	}
	key, err := open(&t.Key)
	if err != nil {
		return "key", err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return "cert", fmt.Errorf("cannot use it with the key: %w", err)
	}
	t.made.Certificates = []tls.Certificate{pair}
	return "", nil
}

func (k *checker) backendTLS(path []string, r *Route) {
	b := r.Backend.HTTP
	if b.TLS == nil {
		return
	}
	all := b.Targets
	if b.Canary != nil {
		all = slices.Concat(all, b.Canary.Targets)
	}
	if r.Breaker != nil && r.Breaker.Fallback != nil {
		all = slices.Concat(all, r.Breaker.Fallback.Targets)
	}
	for _, t := range all {
		if u, err := url.Parse(t.URL); err == nil && u.Scheme == "http" {
			k.fault(path, "want https in the address of every target")
			return
		}
	}
}

// routeFiles reads the files that the backends of routes name.
func (l *loader) routeFiles(c *Config, d *decoder) {
	for i := range c.Routes {
		b := c.Routes[i].Backend.HTTP
		path := []string{"routes", strconv.Itoa(i), "backend", "http"}
		if b != nil && b.TLS != nil {
			if field, err := b.TLS.files(l.dir, l.source); err != nil {
				d.fault(append(path, "tls", field), "%v", err)
			}
		}
		if b != nil && b.Discover != nil {
			if field, err := b.Discover.files(l.dir, l.source); err != nil {
				d.fault(append(append(path, "discover"), strings.Split(field, ".")...), "%v", err)
			}
		}
	}
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
