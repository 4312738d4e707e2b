package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"sluice/billing"
	"sluice/gateway/shared"
	"sluice/providers/fetch"
	"sluice/store/address"
)

// checker finds what is wrong between values that are each well formed.
type checker struct {
	*decoder
	config *Config
	on     map[string]bool // providers that targets may name
}

func check(c *Config, d *decoder, enabled []string) {
	d.checking = true
	k := &checker{decoder: d, config: c, on: map[string]bool{"mock": true}}
	for name := range c.Providers {
		k.on[name] = true
	}
	for _, name := range enabled {
		k.on[name] = true
	}
	k.server()
	k.auth()
	k.admin()
	for _, name := range sortedKeys(c.Providers) {
		k.provider([]string{"providers", name}, name, c.Providers[name])
	}
	k.models()
	k.guards()
	k.defaults()
	k.teams()
	k.plans()
	k.fetch()
	k.prompts()
	k.routes()
	k.telemetry()
	k.alerts()
}

func (k *checker) server() {
	s := k.config.Server
	listen, admin := []string{"server", "listen"}, []string{"server", "admin"}
	k.address(listen, s.Listen)
	k.address(admin, s.Admin)
	if s.Listen == s.Admin && !strings.HasSuffix(s.Listen, ":0") {
		k.fault(admin, "the same as server.listen: the two planes need an address each")
	}
	if s.BodyLimit == 0 {
		k.fault([]string{"server", "body_limit"}, "want at least 1 byte")
	}
	if k.config.Billing.HoldTokens == 0 {
		k.fault([]string{"billing", "hold_tokens"}, "want at least 1")
	}
	if k.config.Lead.Keep < 1 {
		k.fault([]string{"config", "keep"}, "want at least 1, the revision that runs")
	}
	k.tls([]string{"server", "tls"}, s.TLS)
	k.tls([]string{"admin", "tls"}, k.config.Admin.TLS)
	if t := k.config.Admin.TLS; t != nil && t.ACME != nil {
		k.fault([]string{"admin", "tls", "acme"}, "is for server.tls: the admin plane is not reached at port 443")
	}
	k.onDisconnect([]string{"billing", "on_disconnect"}, k.config.Billing.OnDisconnect)
	k.whenSpent([]string{"billing", "when_spent"}, k.config.Billing.WhenSpent)
	k.webhook([]string{"billing", "webhook"}, k.config.Billing.Webhook)
	if text := k.config.Shared.Reveal(); text != "" {
		if err := shared.Check(text); err != nil {
			k.fault([]string{"shared"}, "%v", err)
		}
	}
	k.purgeEvents()
	if err := address.Check(k.config.Store); err != nil {
		k.fault([]string{"store"}, "%v", err)
	}
}

func (k *checker) whenSpent(path []string, w *WhenSpent) {
	switch {
	case w == nil || (w.Policy == "refuse" || w.Policy == "cut") && w.Model == "":
	case w.Policy != "":
		k.fault(path, "want one of refuse, cut, or a mapping of model%s", k.said(path, w.Policy))
	default:
		k.target(below(path, "model"), w.Model)
	}
}

func (k *checker) webhook(path []string, h *Webhook) {
	switch {
	case h == nil:
	case h.URL == "":
		k.fault(below(path, "url"), "is needed")
	default:
		at := below(path, "url")
		if !k.origin.given(at...) { // it stands for the whole
			at = path
		}
		if u, err := url.Parse(h.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			k.fault(at, "want an address such as https://host/path")
		}
	}
}

// onDisconnect checks a policy, and that no bound stands without one.
func (k *checker) onDisconnect(path []string, o *OnDisconnect) {
	switch {
	case o == nil:
	case o.Policy == "" && o.Tokens == 0 && o.Time == 0:
		k.fault(path, "want abort, drain, or a mapping of tokens and time")
	case o.Policy != "" && o.Policy != "abort" && o.Policy != "drain":
		k.fault(path, "want one of abort, drain, or a mapping of tokens and time%s", k.said(path, o.Policy))
	case o.Policy == "abort" && (o.Tokens > 0 || o.Time > 0):
		k.fault(path, "abort takes no bound: want drain with tokens and time")
	}
}

var hostname = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

func (k *checker) address(path []string, address string) {
	host, port, err := net.SplitHostPort(address)
	n, portErr := strconv.ParseUint(port, 10, 16)
	_, ipErr := netip.ParseAddr(host)
	if err != nil || portErr != nil || n > 65535 || host != "" && ipErr != nil && !hostname.MatchString(host) {
		k.fault(path, "want host:port such as 127.0.0.1:8080%s", k.said(path, address))
	}
}

func (k *checker) admin() {
	k.adminOIDC([]string{"admin", "oidc"}, k.config.Admin.OIDC)
	k.portalOIDC([]string{"portal", "oidc"}, k.config.Portal.OIDC)
	seen := map[Secret]string{}
	if t := k.config.Admin.Token; t != "" {
		seen[t] = "admin.token"
	}
	for i, t := range k.config.Admin.Tokens {
		path := []string{"admin", "tokens", strconv.Itoa(i)}
		k.secret(below(path, "value"), t.Value, seen)
		switch {
		case t.Role == "":
			k.fault(below(path, "role"), "is needed: admin, operator, viewer or team-owner")
		case t.Role == "team-owner" && t.Team == "":
			k.fault(below(path, "team"), "is needed for a team-owner")
		case t.Role != "team-owner" && t.Team != "":
			k.fault(below(path, "team"), "is only for the role team-owner")
		}
		if len(t.Name) > 100 || strings.ContainsFunc(t.Name, unicode.IsControl) {
			k.fault(below(path, "name"), "want at most 100 bytes, without control characters")
		}
	}
}

// secret checks that a secret is there and that no other is the same.
func (k *checker) secret(path []string, value Secret, seen map[Secret]string) {
	switch other, again := seen[value]; {
	case value == "":
		k.fault(path, "is needed and must not be empty")
	case again:
		k.fault(path, "the same secret as %s", other)
	default:
		seen[value] = show(path)
	}
}

// maxFetch bounds fetch.max: what is fetched is held in memory.
const maxFetch = 1 << 30

func (k *checker) fetch() {
	f := k.config.Fetch
	if f.Max == 0 || f.Max > maxFetch {
		k.fault([]string{"fetch", "max"}, "want at least 1 byte and at most 1GiB")
	}
	if f.Timeout == 0 {
		k.fault([]string{"fetch", "timeout"}, "want a duration such as 10s")
	}
	for i, entry := range f.Allow {
		path := []string{"fetch", "allow", strconv.Itoa(i)}
		if fetch.Allowable(entry) != nil {
			k.fault(path, "want a host such as files.example.com or *.example.com, an address, or a network such as 10.1.0.0/16%s", k.said(path, entry))
		}
	}
}

func (k *checker) prompts() {
	p := k.config.Prompts
	dir, prefix := []string{"prompts", "dir"}, []string{"prompts", "prefix"}
	if p.Dir != "" && !isDir(p.Dir) {
		k.fault(dir, "there is no such directory%s", k.said(dir, p.Dir))
	}
	if u, err := url.Parse(p.Prefix); err != nil || !strings.HasPrefix(p.Prefix, "/") || u.Path != p.Prefix {
		k.fault(prefix, "want a path that begins with /")
	}
}

// name checks a name that stands in paths and in provider/model.
func (k *checker) name(path []string, name string) bool {
	bad := func(r rune) bool { return r == '/' || unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if name == "" || strings.ContainsFunc(name, bad) {
		k.fault(path, "a name wants letters, digits and signs without spaces or /")
		return false
	}
	return true
}

// budgets looks at one budget, which stands for itself, or at a list.
func (k *checker) budgets(path []string, list billing.Budgets) {
	for i := range list {
		at := below(path, strconv.Itoa(i))
		if !k.origin.given(at...) {
			at = path
		}
		k.budget(at, &list[i])
	}
}

func (k *checker) budget(path []string, b *billing.Budget) {
	given := func(field string) bool { return k.origin.given(below(path, field)...) }
	if !given("usd") && !given("tokens") && !given("requests") {
		k.fault(below(path, "usd"), "is needed")
	}
	per := below(path, "per")
	if _, err := billing.ParsePeriod(string(b.Per)); err != nil {
		k.fault(per, "want hour, day, week, month, total, or days such as 30d%s", k.said(per, string(b.Per)))
	}
	for i, share := range b.WarnAt {
		if share <= 0 || share > 1 {
			k.fault(below(below(path, "warn_at"), strconv.Itoa(i)), "want a share above 0 and at most 1")
		}
	}
	k.patterns(below(path, "models"), b.Models)
	if err := b.Check(); err != nil {
		field, why, _ := strings.Cut(err.Error(), ": ")
		if field != "per" && field != "warn_at" && field != "models" { // said above, with the place
			k.fault(append(path[:len(path):len(path)], strings.Split(field, ".")...), "%s", why)
		}
	}
}

func (k *checker) limits(path []string, l billing.Limits) {
	if name, _ := l.Fault(); name != "" {
		k.fault(below(path, name), "want at most %d", int64(billing.MaxLimit))
	}
}

func (k *checker) patterns(path, patterns []string) {
	for i, p := range patterns {
		if p == "" {
			k.fault(below(path, strconv.Itoa(i)), "is empty")
		}
	}
}
