package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

var serials atomic.Int64

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{}
	cert, key := a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.pem = cert
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, a.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// issue makes a certificate and its key, in PEM.
func (a *authority) issue(t *testing.T, c *x509.Certificate) (cert, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore = big.NewInt(serials.Add(1)), time.Now().Add(-time.Hour)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, own
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, own.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func (a *authority) server(t *testing.T, names ...string) (cert, key []byte) {
	return a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

func (a *authority) client(t *testing.T, c *x509.Certificate) *tls.Certificate {
	t.Helper()
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	pair, err := tls.X509KeyPair(a.issue(t, c))
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}

func (g *gateway) write(name string, text []byte) {
	g.t.Helper()
	temp := filepath.Join(g.dir, name+".new")
	if err := os.WriteFile(temp, text, 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(temp, filepath.Join(g.dir, name)); err != nil {
		g.t.Fatal(err)
	}
}

// sites are the names that a gateway with TLS has beside one.test, with a
// certificate for each.
var sites = func() (names []string) {
	for i := range 49 {
		names = append(names, fmt.Sprintf("site%d.test", i))
	}
	return names
}()

// certify gives a site a new certificate. For a moment it does not fit the key
// that is still there.
func (g *gateway) certify(ca *authority, site string) {
	cert, key := ca.server(g.t, site)
	g.write(site+".pem", cert)
	g.write(site+".key", key)
}

// secured starts a gateway with TLS.
func secured(t *testing.T, ca *authority, settings, rest string) *gateway {
	t.Helper()
	g := newGateway(t, "")
	cert, key := ca.server(t, "one.test", "localhost")
	g.write("one.pem", cert)
	g.write("one.key", key)
	var further []string
	for _, name := range sites {
		g.certify(ca, name)
		further = append(further, fmt.Sprintf("{cert: %s.pem, key: %s.key}", name, name))
	}
	g.write("ca.pem", ca.pem)
	g.configure(strings.Replace(head, "drain: 10s}", "drain: 10s, tls: {cert: one.pem, key: one.key, certs: ["+strings.Join(further, ", ")+"]"+settings+"}}", 1) + providers + rest)
	g.spawn()
	if !eventually(20*time.Second, func() bool { return strings.Contains(g.stderr.String(), "\ncurl ") }) {
		t.Fatalf("it does not start: %s", g.stderr)
	}
	return g
}

// over makes a client of its own for the gateway.
func (g *gateway) over(c *tls.Config) *http.Client {
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	g.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func (ca *authority) trust() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// TestTLS: several certificates by name, none below TLS 1.2, changed
// under load without a failed request.
func TestTLS(t *testing.T) {
	ca, b := newAuthority(t, "ca"), startBackend(t, "a")
	g := secured(t, ca, "", `routes: [{name: a, match: {path: "/a/**"}, backend: {http: {targets: ["`+b.URL+`"]}}}, {name: ws, match: {path: /ws}, backend: {http: {targets: ["`+startEcho(t)+`"]}}}]
`+team)
	if !g.logs("curl https://" + g.listen) {
		t.Errorf("the start says: %s", g.stderr)
	}
	g.client = g.over(&tls.Config{RootCAs: ca.trust()})
	url := "https://" + g.listen
	body := chatBody("up/gpt", "hello", "")
	for range 3 {
		r, err := g.send("POST", url+"/v1/chat/completions", body, "Authorization", "Bearer "+teamKey)
		if err != nil || r.status != 200 {
			t.Fatalf("%d %s %v", r.status, r.body, err)
		}
	}
	if r, err := g.send("GET", url+"/a/x", ""); err != nil || r.status != 200 {
		t.Errorf("%d %s %v", r.status, r.body, err)
	}
	if h, _ := b.heard(); h.Get("X-Forwarded-Proto") != "https" {
		t.Errorf("the backend heard %v", h)
	}
	strong(t, g, ca)
	if _, err := g.send("GET", "http://"+g.listen+"/healthz", ""); err == nil {
		t.Error("an unencrypted request was answered")
	}
	overTLS(t, g, ca, b)
	swapped(t, g, ca)
	if code := g.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

// overTLS: a WebSocket passes, and a caller who leaves is noticed.
func overTLS(t *testing.T, g *gateway, ca *authority, b *backend) {
	t.Helper()
	dial := func(request string) *tls.Conn {
		conn, err := tls.Dial("tcp", g.listen, &tls.Config{RootCAs: ca.trust()})
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(conn, request)
		return conn
	}
	conn := dial("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5\r\n\r\n")
	defer conn.Close()
	in := bufio.NewReader(conn)
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 101 {
		t.Fatalf("%+v %v", res, err)
	}
	fmt.Fprint(conn, " and more")
	got := make([]byte, len("first and more"))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "first and more" {
		t.Errorf("came back as %q, %v", got, err)
	}
	_ = dial("GET /a/hang HTTP/1.1\r\nHost: h\r\n\r\n").Close()
	b.wantGone(t)
}

// shown is the serial number of the certificate that a name is shown.
func (g *gateway) shown(name string, c *tls.Config) (string, error) {
	c = c.Clone()
	c.ServerName = name
	conn, err := tls.Dial("tcp", g.listen, c)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// strong: each name is shown its own certificate, and nothing is spoken that is
// too weak.
func strong(t *testing.T, g *gateway, ca *authority) {
	t.Helper()
	seen := map[string]string{}
	for i, name := range slices.Concat(sites, []string{"one.test"}) {
		serial, err := g.shown(name, &tls.Config{RootCAs: ca.trust(), MaxVersion: []uint16{tls.VersionTLS12, tls.VersionTLS13}[i%2]})
		if err != nil || seen[serial] != "" {
			t.Errorf("%s is shown %q, as %q is; %v", name, serial, seen[serial], err)
		}
		seen[serial] = name
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if _, err := g.shown("one.test", &tls.Config{RootCAs: ca.trust(), MinVersion: tls.VersionTLS10, MaxVersion: version}); err == nil {
			t.Errorf("version %x is spoken", version)
		}
	}
	for _, suite := range tls.InsecureCipherSuites() {
		if _, err := g.shown("one.test", &tls.Config{RootCAs: ca.trust(), MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}); err == nil {
			t.Errorf("%s is spoken", suite.Name)
		}
	}
}

// swapped changes all certificates while requests come, on connections that
// stay open and on new ones. Nothing is sent twice: what is reset fails.
func swapped(t *testing.T, g *gateway, ca *authority) {
	t.Helper()
	stop, calls := make(chan struct{}), sync.WaitGroup{}
	for i := range 4 {
		calls.Go(func() {
			for n, conn := i, (*tls.Conn)(nil); ; n++ {
				select {
				case <-stop:
					if conn != nil {
						conn.Close()
					}
					return
				default:
				}
				var err error
				if conn == nil {
					conn, err = tls.Dial("tcp", g.listen, &tls.Config{RootCAs: ca.trust(), ServerName: sites[n%len(sites)]})
				}
				if err == nil {
					err = get(conn, "/a/x")
				}
				if err != nil {
					t.Errorf("while certificates change: %v", err)
					return
				}
				if i%2 == 0 {
					conn.Close()
					conn = nil
				}
			}
		})
	}
	trusted := &tls.Config{RootCAs: ca.trust()}
	for range 3 {
		was := map[string]string{}
		for _, name := range sites {
			was[name], _ = g.shown(name, trusted)
			g.certify(ca, name)
		}
		for _, name := range sites {
			if !eventually(20*time.Second, func() bool { now, err := g.shown(name, trusted); return err == nil && now != was[name] }) {
				t.Errorf("%s is not shown its new certificate", name)
			}
		}
	}
	const faulty = "cannot be used with its key"
	told := strings.Count(g.stderr.String(), faulty)
	g.write(sites[0]+".pem", []byte("no certificate"))
	if !eventually(10*time.Second, func() bool { return strings.Count(g.stderr.String(), faulty) > told }) {
		t.Errorf("a faulty one is not told of: %s", g.stderr)
	}
	if _, err := g.shown(sites[0], trusted); err != nil {
		t.Errorf("a faulty certificate is in force: %v", err)
	}
	close(stop)
	calls.Wait()
}

// get asks for a path on a connection that stays open.
func get(conn net.Conn, path string) error {
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
		return fmt.Errorf("status %d: %v", res.StatusCode, err)
	}
	return nil
}

// TestMutualTLS: whose certificates are taken, and as whom.
func TestMutualTLS(t *testing.T) {
	ca, other, b := newAuthority(t, "ca"), newAuthority(t, "other"), startBackend(t, "a")
	g := secured(t, ca, ", client_ca: ca.pem, client_auth: request", `mtls: {names: {"CN=shop": {team: shop, roles: [reader]}, "spare.shop.test": {team: shop}}}
roles: {reader: ["GET /m/**"]}
routes:
  - {name: m, match: {path: "/m/**"}, backend: {http: {targets: ["`+b.URL+`"]}}, auth: {require: [mtls], allow: 'caller.team == "shop" && caller.cert.issuer == "CN=ca"'}}
  - {name: both, match: {path: "/both/**"}, backend: {http: {targets: ["`+b.URL+`"]}}, auth: {require: [mtls, key]}}
`+team+`  shop: {}
`)
	named := func(name string, hosts ...string) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: hosts}
	}
	expired := named("shop")
	expired.NotAfter = time.Now().Add(-time.Minute)
	for _, c := range []struct {
		name, method, path, key string
		cert                    *tls.Certificate
		status                  int // 0: there is no connection
	}{
		{"none", "GET", "/m/x", "", nil, 401},
		{"shop", "GET", "/m/x", "", ca.client(t, named("shop")), 200},
		{"shop writes", "POST", "/m/x", "", ca.client(t, named("shop")), 403},
		{"by another name", "POST", "/m/x", "", ca.client(t, named("x", "spare.shop.test")), 200},
		{"nobody", "GET", "/m/x", "", ca.client(t, named("eve")), 403},
		{"a name within a name", "GET", "/m/x", "", ca.client(t, named("CN=shop")), 403},
		{"of another authority", "GET", "/m/x", "", other.client(t, named("shop")), 0},
		{"expired", "GET", "/m/x", "", ca.client(t, expired), 0},
		{"either: key", "GET", "/both/x", teamKey, nil, 200},
		{"either: certificate", "GET", "/both/x", "", ca.client(t, named("shop")), 403}, // its roles bound it
		{"either: neither", "GET", "/both/x", "", nil, 401},
		{"the models ask for keys", "GET", "/v1/models", teamKey, ca.client(t, named("shop")), 200},
	} {
		config := &tls.Config{RootCAs: ca.trust()}
		if c.cert != nil {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.cert, nil }
		}
		g.client = g.over(config)
		header := []string{}
		if c.key != "" {
			header = []string{"Authorization", "Bearer " + c.key}
		}
		r, err := g.send(c.method, "https://"+g.listen+c.path, "", header...)
		if c.status == 0 && err == nil || c.status != 0 && (err != nil || r.status != c.status) {
			t.Errorf("%s: %d %s %v; want %d", c.name, r.status, r.body, err, c.status)
		}
	}
}

// TestTLSRequired: without a certificate there is no connection.
func TestTLSRequired(t *testing.T) {
	ca := newAuthority(t, "ca")
	for strings.Contains(string(ca.pem), "UP") || strings.Contains(string(ca.pem), "DIR") { // stand for something in a configuration
		ca = newAuthority(t, "ca")
	}
	g := secured(t, ca, fmt.Sprintf(", client_ca: %q, client_auth: require", ca.pem), team)
	g.client = g.over(&tls.Config{RootCAs: ca.trust()})
	if r, err := g.send("GET", "https://"+g.listen+"/healthz", ""); err == nil {
		t.Errorf("%d %s", r.status, r.body)
	}
	g.client = g.over(&tls.Config{RootCAs: ca.trust(), Certificates: []tls.Certificate{*ca.client(t, &x509.Certificate{Subject: pkix.Name{CommonName: "x"}})}})
	if r, err := g.send("GET", "https://"+g.listen+"/healthz", ""); err != nil || r.status != 200 {
		t.Errorf("%d %s %v", r.status, r.body, err)
	}
}
