package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"sluice/cmd/sluice/config"
)

// issuer gets certificates from an ACME directory, and new ones before they end.
type issuer struct {
	manager   *autocert.Manager
	made      string                   // what the manager is made from
	domains   atomic.Pointer[[]string] // at least one
	challenge *tls.Config              // for those who prove a name by TLS-ALPN-01
	plain     http.Handler             // for those who do by HTTP-01; nil: none does
	shown     sync.Map                 // the sums of all that were issued
}

// newIssuer makes one, or gives the old one its domains if it is made from the
// same.
func newIssuer(c *config.ACME, cache string, old *issuer) (*issuer, error) {
	roots, err := c.Authorities()
	if err != nil {
		return nil, err
	}
	cache, made := cmp.Or(c.Cache, cache), c.Identity()
	domains := make([]string, len(c.Domains))
	for i, name := range c.Domains {
		domains[i] = strings.ToLower(name)
	}
	if old != nil && old.made == made {
		old.domains.Store(&domains)
		return old, nil
	}
	i := &issuer{made: made}
	i.domains.Store(&domains)
	client := &acme.Client{DirectoryURL: c.Directory, UserAgent: "sluice/" + version}
	if roots != nil {
		client.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Proxy: http.ProxyFromEnvironment}}
	}
	i.manager = &autocert.Manager{Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(cache), Client: client, Email: c.Email,
		HostPolicy: func(_ context.Context, host string) error {
			if name, _, err := net.SplitHostPort(host); err == nil {
				host = name
			}
			if !i.knows(host) {
				return fmt.Errorf("%q is not among acme.domains", host)
			}
			return nil
		}}
	i.challenge = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{acme.ALPNProto}, GetCertificate: i.manager.GetCertificate}
	if c.HTTP != "" {
		i.plain = i.manager.HTTPHandler(nil)
	}
	return i, nil
}

// answer begins to answer those who prove names by HTTP-01, at an address of its
// own; all other requests are sent to https.
func (e *encryption) answer(c *config.TLS) error {
	if !c.On() || c.ACME == nil || c.ACME.HTTP == "" {
		return nil
	}
	ln, err := net.Listen("tcp", c.ACME.HTTP)
	if err != nil {
		return fmt.Errorf("cannot listen on server.tls.acme.http: %w", err)
	}
	served := &http.Server{ReadTimeout: plainTime, WriteTimeout: plainTime, IdleTimeout: plainTime, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			from := e.issuer.Load()
			if from == nil || from.plain == nil {
				http.NotFound(w, r)
				return
			}
			from.plain.ServeHTTP(w, r)
		})}
	e.plain = served
	go func() { _ = served.Serve(ln) }()
	return nil
}

// plainTime bounds each step of an unencrypted request.
const plainTime = 10 * time.Second

func (i *issuer) knows(host string) bool { return slices.Contains(*i.domains.Load(), host) }

// certificate is the one for the name that is asked for, and the first one's if
// none is; nil: those in files count.
func (i *issuer) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	own := *hello
	own.ServerName = strings.TrimSuffix(strings.ToLower(hello.ServerName), ".")
	if own.ServerName == "" {
		own.ServerName = (*i.domains.Load())[0]
	}
	if !i.knows(own.ServerName) {
		return nil, nil
	}
	cert, err := i.manager.GetCertificate(&own)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(cert.Certificate[0]); !i.has(sum) {
		i.shown.Store(sum, nil)
	}
	return cert, nil
}

func (i *issuer) has(sum [sha256.Size]byte) bool {
	_, ok := i.shown.Load(sum)
	return ok
}

// The times between tries to get a certificate.
const (
	firstRetry = time.Minute
	lastRetry  = time.Hour
)

// usual is a client of today, whose kind of certificate is asked for beforehand.
func usual(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: name, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		SupportedCurves: []tls.CurveID{tls.CurveP256}, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
}

// obtain gets the certificates that are not there yet, lest the first callers
// wait for them, and tries again until all are.
func (e *encryption) obtain(ctx context.Context, log *slog.Logger) {
	type waiting struct {
		wait time.Duration
		next time.Time
	}
	held, failed := map[string]bool{}, map[string]waiting{}
	for tick := time.NewTicker(firstRetry / 12); ; {
		if from := e.issuer.Load(); from != nil {
			for _, name := range *from.domains.Load() {
				key := from.made + " " + name
				if held[key] || time.Now().Before(failed[key].next) {
					continue
				}
				cert, err := from.certificate(usual(name))
				if err == nil {
					held[key] = true
					log.Info("certificate is there", "domain", name, "until", cert.Leaf.NotAfter)
					continue
				}
				wait := min(max(2*failed[key].wait, firstRetry), lastRetry)
				failed[key] = waiting{wait, time.Now().Add(wait)}
				log.Warn("cannot get a certificate", "domain", name, "error", err, "again_in", wait.String())
			}
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}
