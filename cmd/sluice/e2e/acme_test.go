package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// portOf is the port of an address, 1 of none: nobody answers there.
func portOf(t *testing.T, address string) int {
	t.Helper()
	if address == "" {
		return 1
	}
	_, text, _ := net.SplitHostPort(address)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// startPebble runs Let's Encrypt's small server, which finds every name at this
// machine and proves it at the ports of two addresses, the first without TLS; it
// gives its directory and who signs.
func startPebble(t *testing.T, plain, encrypted string) (directory string, own []byte, roots *x509.CertPool) {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	resolver := &dns.Server{Listener: ln, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1)})
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = resolver.ActivateAndServe() }()
	t.Cleanup(func() { _ = resolver.Shutdown() })

	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	memory := db.NewMemoryStore()
	authority := ca.New(quiet, memory, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	front := wfe.New(quiet, memory, va.New(quiet, portOf(t, plain), portOf(t, encrypted), true, ln.Addr().String(), memory), authority, nil, true, false, 1, 1)
	signs := newAuthority(t, "directory")
	pair, err := tls.X509KeyPair(signs.server(t, "directory.test"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(front.Handler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots = x509.NewCertPool()
	roots.AddCert(authority.GetRootCert(0).Cert)
	return server.URL + wfe.DirectoryPath, signs.pem, roots
}

// TestACME: certificates come from a directory, also
// where clients must show theirs, last over a restart, and names are added while
// it runs.
func TestACME(t *testing.T) {
	g := newGateway(t, "")
	directory, own, roots := startPebble(t, "", g.listen)
	clients := newAuthority(t, "clients")
	g.write("directory.pem", own)
	g.write("clients.pem", clients.pem)
	settings := func(domains string) {
		g.configure(strings.Replace(head, "drain: 10s}", fmt.Sprintf("drain: 10s, tls: {acme: {domains: [%s], email: ops@example.com, directory: %q, ca: directory.pem}, client_ca: clients.pem, client_auth: require}}", domains, directory), 1) + team)
	}
	settings("one.example.com")
	begin := func() {
		g.spawn()
		if !eventually(30*time.Second, func() bool { return strings.Contains(g.stderr.String(), "domain=one.example.com until=") }) {
			t.Fatalf("there is no certificate: %s", g.stderr)
		}
	}
	begin()
	shown := *clients.client(t, &x509.Certificate{})
	serial := func(name string) string {
		t.Helper()
		conn, err := tls.Dial("tcp", g.listen, &tls.Config{RootCAs: roots, ServerName: name, Certificates: []tls.Certificate{shown}})
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	asks := func(c *tls.Config) (int, error) {
		g.client = g.over(c)
		r, err := g.send("GET", "https://"+g.listen+"/healthz", "")
		return r.status, err
	}
	if status, err := asks(&tls.Config{RootCAs: roots, ServerName: "one.example.com", Certificates: []tls.Certificate{shown}}); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	if _, err := asks(&tls.Config{RootCAs: roots, ServerName: "one.example.com"}); err == nil {
		t.Error("a client without a certificate is let in")
	}
	if _, err := asks(&tls.Config{RootCAs: roots, ServerName: "one.example.com", NextProtos: []string{"acme-tls/1"}}); err == nil {
		t.Error("a client that claims to prove the name is let in")
	}
	if got := serial("other.example.com"); !strings.Contains(got, "tls:") {
		t.Errorf("a name that is not declared: %s", got)
	}
	first := serial("one.example.com")
	settings("one.example.com, two.example.com")
	if !eventually(30*time.Second, func() bool { return strings.Contains(g.stderr.String(), "domain=two.example.com until=") }) {
		t.Fatalf("there is no certificate for a new name: %s", g.stderr)
	}
	if two := serial("two.example.com"); two == first || strings.Contains(two, ":") || serial("one.example.com") != first {
		t.Errorf("%s, %s", first, two)
	}
	if code := g.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	begin()
	if again := serial("one.example.com"); again != first {
		t.Errorf("after a restart %s is shown, not %s", again, first)
	}
}

// TestACMEOverHTTP: names that are not reached by TLS are proven without, at an
// address of its own, which sends all else to https.
func TestACMEOverHTTP(t *testing.T) {
	g := newGateway(t, "")
	plain := freeAddr(t)
	directory, own, roots := startPebble(t, plain, "")
	g.write("directory.pem", own)
	settings := func(at string) {
		g.configure(strings.Replace(head, "drain: 10s}", fmt.Sprintf("drain: 10s, tls: {acme: {domains: [one.example.com], directory: %q, ca: directory.pem, http: %q}}}", directory, at), 1) + team)
	}
	settings("nowhere")
	if out, _, code := g.sluice("check", "-c", g.file()); code != 2 || !strings.Contains(out, "server.tls.acme.http: want host:port") {
		t.Errorf("check: %d %s", code, out)
	}
	settings(plain)
	g.spawn()
	if !eventually(30*time.Second, func() bool { return strings.Contains(g.stderr.String(), "domain=one.example.com until=") }) {
		t.Fatalf("there is no certificate: %s", g.stderr)
	}
	g.client = g.over(&tls.Config{RootCAs: roots, ServerName: "one.example.com"})
	if r, err := g.send("GET", "https://"+g.listen+"/healthz", ""); err != nil || r.status != 200 {
		t.Errorf("%d %v", r.status, err)
	}
	g.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if r, err := g.send("GET", "http://"+plain+"/orders?x=1", ""); err != nil || r.status != 302 || r.header.Get("Location") != "https://127.0.0.1:443/orders?x=1" {
		t.Errorf("without TLS: %d %v %v", r.status, r.header, err)
	}
	if r, err := g.send("POST", "http://"+plain+"/orders", "secret"); err != nil || r.status != 400 {
		t.Errorf("a body without TLS: %d %v", r.status, err)
	}
	for host, want := range map[string]int{"one.example.com": 404, "other.example.com": 403} {
		q, err := http.NewRequest("GET", "http://"+plain+"/.well-known/acme-challenge/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Host = host
		r, err := g.client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		if r.Body.Close(); r.StatusCode != want {
			t.Errorf("a proof for %s that nobody asked for: %d", host, r.StatusCode)
		}
	}
	settings(freeAddr(t))
	if !g.logs("server.tls.acme.http") {
		t.Errorf("that another address takes a restart is not told: %s", g.stderr)
	}
	if code := g.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if conn, err := net.Dial("tcp", plain); err == nil {
		conn.Close()
		t.Error("it listens on after its end")
	}
}

// TestACMERefused: a directory that cannot be reached is told of, and the files
// serve on.
func TestACMERefused(t *testing.T) {
	signs := newAuthority(t, "ca")
	g := secured(t, signs, fmt.Sprintf(", acme: {domains: [api.example.com], directory: %q}", "https://"+freeAddr(t)+"/dir"), team)
	if !eventually(20*time.Second, func() bool {
		return strings.Contains(g.stderr.String(), `msg="cannot get a certificate" domain=api.example.com`)
	}) {
		t.Errorf("nothing is told: %s", g.stderr)
	}
	g.client = g.over(&tls.Config{RootCAs: signs.trust(), ServerName: "one.test"})
	if r, err := g.send("GET", "https://"+g.listen+"/healthz", ""); err != nil || r.status != 200 {
		t.Errorf("%d %s %v", r.status, r.body, err)
	}
}

// TestAdminTLS: the admin plane is encrypted, asks for certificates, and takes
// new ones while it runs.
func TestAdminTLS(t *testing.T) {
	signs := newAuthority(t, "ca")
	g := newGateway(t, "")
	put := func() {
		cert, key := signs.server(t, "admin.test", "localhost")
		g.write("admin.pem", cert)
		g.write("admin.key", key)
	}
	put()
	g.write("ca.pem", signs.pem)
	clientCert, clientKey := signs.issue(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	g.write("me.pem", clientCert)
	g.write("me.key", clientKey)
	g.configure(strings.Replace(head, `token: "`+adminToken+`"`, `token: "`+adminToken+`", tls: {cert: admin.pem, key: admin.key, client_ca: ca.pem, client_auth: require}`, 1) + team)
	g.spawn()
	if !eventually(20*time.Second, func() bool { return strings.Contains(g.stderr.String(), "\ncurl ") }) {
		t.Fatalf("it does not start: %s", g.stderr)
	}
	if !g.logs("console  https://" + g.admin) {
		t.Errorf("the start says: %s", g.stderr)
	}
	pair, err := tls.X509KeyPair(clientCert, clientKey)
	if err != nil {
		t.Fatal(err)
	}
	list := func(c *tls.Config) (int, error) {
		g.client = g.over(c)
		r, err := g.send("GET", "https://"+g.admin+"/admin/v1/teams", "", "Authorization", "Bearer "+adminToken)
		return r.status, err
	}
	if status, err := list(&tls.Config{RootCAs: signs.trust(), Certificates: []tls.Certificate{pair}}); err != nil || status != 200 {
		t.Errorf("%d %v", status, err)
	}
	if _, err := list(&tls.Config{RootCAs: signs.trust()}); err == nil {
		t.Error("a client without a certificate is let in")
	}
	if r, err := g.send("GET", "http://"+g.admin+"/healthz", ""); err == nil && r.status < 400 {
		t.Errorf("an unencrypted request was answered: %d", r.status)
	}
	g.commandEnv = []string{"SLUICE_ADMIN=https://" + g.admin, "SLUICE_ADMIN_CA=ca.pem"}
	if out, errs, code := g.sluice("team", "list", "--admin-cert", "me.pem", "--admin-key", "me.key"); code != 0 || !strings.Contains(out, "t") {
		t.Errorf("team list: %d %s %s", code, out, errs)
	}
	if _, errs, code := g.sluice("team", "list"); code != 1 || !strings.Contains(errs, "certificate") {
		t.Errorf("team list without a certificate: %d %s", code, errs)
	}
	if _, errs, code := g.sluice("team", "list", "--admin-ca", "me.key"); code != 2 || !strings.Contains(errs, "holds no certificate in PEM") {
		t.Errorf("team list with no authority: %d %s", code, errs)
	}
	serial := func() string {
		conn, err := tls.Dial("tcp", g.admin, &tls.Config{RootCAs: signs.trust(), Certificates: []tls.Certificate{pair}})
		if err != nil {
			return ""
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	was := serial()
	put()
	if !eventually(10*time.Second, func() bool { now := serial(); return now != "" && now != was }) {
		t.Error("the new certificate is not shown")
	}
}
