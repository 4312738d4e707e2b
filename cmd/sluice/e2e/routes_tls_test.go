package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// leaf makes a certificate for a name or an address, and its key.
func (ca *authority) leaf(t *testing.T, name string, until time.Time) (cert, key []byte) {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if ip := net.ParseIP(name); ip != nil {
		c.DNSNames, c.IPAddresses = nil, []net.IP{ip}
	}
	return ca.issue(t, c)
}

// secure starts a service with a certificate; it tells who the client is. clients
// are the authorities of those it takes; nil: it asks for no certificate.
func (ca *authority) secure(t *testing.T, name string, until time.Time, clients *authority) *httptest.Server {
	t.Helper()
	pair, err := tls.X509KeyPair(ca.leaf(t, name, until))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			who = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		fmt.Fprintf(w, "hello %s", who)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients != nil {
		s.TLS.ClientCAs, s.TLS.ClientAuth = clients.trust(), tls.RequireAndVerifyClientCert
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// Targets are always verified, and a client certificate is shown to those
// who ask; what is wrong with theirs is 502 with the reason.
func TestRouteTLS(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	later := time.Now().Add(time.Hour)
	good, named := ours.secure(t, "127.0.0.1", later, nil), ours.secure(t, "orders.internal", later, nil)
	expired, strange := ours.secure(t, "127.0.0.1", time.Now().Add(-time.Minute), nil), theirs.secure(t, "127.0.0.1", later, nil)
	mutual := ours.secure(t, "127.0.0.1", later, ours)
	plain := startBackend(t, "plain")
	g := newGateway(t, "")
	put := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(g.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("ca.pem", ours.pem)
	cert, key := ours.leaf(t, "sluice-edge", later)
	put("cert.pem", cert)
	put("key.pem", key)
	routes := "routes:\n"
	for name, backend := range map[string]string{
		"good":    `targets: ["` + good.URL + `"], tls: {ca: ca.pem}`,
		"system":  `targets: ["` + good.URL + `"]`,
		"named":   `targets: ["` + named.URL + `"], tls: {ca: ca.pem, server_name: orders.internal}`,
		"other":   `targets: ["` + named.URL + `"], tls: {ca: ca.pem}`,
		"expired": `targets: ["` + expired.URL + `"], tls: {ca: ca.pem}`,
		"strange": `targets: ["` + strange.URL + `"], tls: {ca: ca.pem}`,
		"mutual":  `targets: ["` + mutual.URL + `"], tls: {ca: ca.pem, cert: cert.pem, key: key.pem}`,
		"shy":     `targets: ["` + mutual.URL + `"], tls: {ca: ca.pem}`,
		"plain":   `targets: ["https://` + strings.TrimPrefix(plain.URL, "http://") + `"], tls: {ca: ca.pem}`,
	} {
		routes += `  - {name: ` + name + `, match: {path: /` + name + `}, backend: {http: {` + backend + "}}}\n"
	}
	g.configure(head + routes + team)
	g.start()
	for path, want := range map[string]string{"/good": "hello nobody", "/named": "hello nobody", "/mutual": "hello sluice-edge"} {
		if r := g.data("GET", path, ""); r.status != 200 || r.body != want {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	for path, why := range map[string]string{"/system": "authority that is not trusted", "/strange": "authority that is not trusted", "/other": "for another name",
		"/expired": "has expired", "/shy": "certificate required", "/plain": "does not speak TLS"} {
		if r := g.data("GET", path, ""); r.status != 502 || !strings.Contains(gjson.Get(r.body, "detail").Str, why) || strings.Contains(r.body, "127.0.0.1") {
			t.Errorf("%s: %d %s, want 502 with %q", path, r.status, r.body, why)
		}
	}

	// A certificate that is renewed is in force without a word.
	cert, key = ours.leaf(t, "sluice-new", later)
	put("key.pem", key)
	put("cert.pem", cert)
	if !eventually(10*time.Second, func() bool { return g.data("GET", "/mutual", "").body == "hello sluice-new" }) {
		t.Error("the new certificate is not in force")
	}
	put("ca.pem", []byte("nothing"))
	out, errs, code := g.sluice("check", "-c", g.file())
	if code == 0 || !strings.Contains(out+errs, "tls.ca: there is no certificate in the file") {
		t.Errorf("check of a broken file: %d %s %s", code, out, errs)
	}
}
