package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sluice/router/discovery"
)

// Discover is where the targets of a backend are found: one of these.
type Discover struct {
	DNS        *DiscoverDNS        `json:"dns"`
	Consul     *DiscoverConsul     `json:"consul"`
	Eureka     *DiscoverEureka     `json:"eureka"`
	Nacos      *DiscoverNacos      `json:"nacos"`
	Polaris    *DiscoverPolaris    `json:"polaris"`
	Kubernetes *DiscoverKubernetes `json:"kubernetes"`
	File       string              `json:"file"` // a YAML list of {url, weight}
}

// DiscoverDNS is a name in the domain name system.
type DiscoverDNS struct {
	Name   string        `json:"name"` // with a port, for A records, where it is not that of the scheme
	Type   string        `json:"type" enum:"A,SRV"`
	Every  time.Duration `json:"every"`  // the longest between two questions
	Server string        `json:"server"` // host:port; empty: as /etc/resolv.conf says
}

// DiscoverConsul is a service in Consul.
type DiscoverConsul struct {
	URL     string `json:"url"`
	Service string `json:"service"`
	Tag     string `json:"tag"`
	Token   Secret `json:"token"`
}

// DiscoverEureka is an application in Eureka.
type DiscoverEureka struct {
	URL   string        `json:"url"` // with the path of its API, such as /eureka
	App   string        `json:"app"`
	Every time.Duration `json:"every"`
}

// DiscoverNacos is a service in Nacos.
type DiscoverNacos struct {
	URL       string        `json:"url"` // with its context path, such as /nacos
	Service   string        `json:"service"`
	Namespace string        `json:"namespace"` // its id
	Group     string        `json:"group"`
	Clusters  []string      `json:"clusters"` // none: all
	Username  string        `json:"username"` // empty: nobody signs in
	Password  Secret        `json:"password"`
	Every     time.Duration `json:"every"`
}

// DiscoverPolaris is a service in Polaris.
type DiscoverPolaris struct {
	URL       string        `json:"url"` // of its HTTP port
	Service   string        `json:"service"`
	Namespace string        `json:"namespace"`
	Token     Secret        `json:"token"`
	Every     time.Duration `json:"every"`
}

// DiscoverKubernetes is a Service in Kubernetes.
type DiscoverKubernetes struct {
	URL       string `json:"url"`
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	Port      string `json:"port"` // its name or number; empty: the first
	Token     Secret `json:"token"`
	CA        string `json:"ca"` // file; empty: the system's

	client *http.Client
	digest string
}

func defaultDiscoverDNS() DiscoverDNS { return DiscoverDNS{Type: "A", Every: 30 * time.Second} }

func defaultDiscoverEureka() DiscoverEureka { return DiscoverEureka{Every: 10 * time.Second} }

func defaultDiscoverNacos() DiscoverNacos {
	return DiscoverNacos{Namespace: "public", Group: "DEFAULT_GROUP", Every: 10 * time.Second}
}

func defaultDiscoverPolaris() DiscoverPolaris {
	return DiscoverPolaris{Namespace: "default", Every: 5 * time.Second}
}

func defaultDiscoverKubernetes() DiscoverKubernetes {
	return DiscoverKubernetes{URL: "https://kubernetes.default.svc", Namespace: "default"}
}

// Source is the registry's kind, how it is asked, and what tells it from others.
// scheme is that of the targets which it names.
func (d *Discover) Source(scheme string) (kind string, source discovery.Source, made string) {
	switch {
	case d.DNS != nil:
		s := discovery.DNS{Name: d.DNS.Name, SRV: d.DNS.Type == "SRV", Server: d.DNS.Server, Every: d.DNS.Every, Scheme: scheme}
		return "dns", s.Watch, fmt.Sprint(s)
	case d.Consul != nil:
		s := discovery.Consul{URL: trimBase(d.Consul.URL), Service: d.Consul.Service, Tag: d.Consul.Tag, Token: d.Consul.Token.Reveal(), Scheme: scheme}
		return "consul", s.Watch, fmt.Sprint(s)
	case d.Eureka != nil:
		s := discovery.Eureka{URL: trimBase(d.Eureka.URL), App: d.Eureka.App, Every: d.Eureka.Every, Scheme: scheme}
		return "eureka", s.Watch, fmt.Sprint(s)
	case d.Nacos != nil:
		n := d.Nacos
		s := discovery.Nacos{URL: trimBase(n.URL), Service: n.Service, Namespace: n.Namespace, Group: n.Group, Clusters: n.Clusters,
			Username: n.Username, Password: n.Password.Reveal(), Every: n.Every, Scheme: scheme}
		return "nacos", s.Watch, fmt.Sprintf("%v %q", s, n.Clusters)
	case d.Polaris != nil:
		p := d.Polaris
		s := discovery.Polaris{URL: trimBase(p.URL), Service: p.Service, Namespace: p.Namespace, Token: p.Token.Reveal(), Every: p.Every, Scheme: scheme}
		return "polaris", s.Watch, fmt.Sprint(s)
	case d.Kubernetes != nil:
		k := d.Kubernetes
		s := discovery.Kubernetes{URL: trimBase(k.URL), Namespace: k.Namespace, Service: k.Service, Port: k.Port, Token: k.Token.Reveal(), Scheme: scheme}
		made = fmt.Sprint(s, k.digest)
		s.Client = k.client
		return "kubernetes", s.Watch, made
	}
	s := discovery.File{Path: d.File}
	return "file", s.Watch, fmt.Sprint(s)
}

// files makes the paths absolute and reads what is read once.
func (d *Discover) files(dir string, read func(path string)) (field string, err error) {
	absolute := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	d.File = absolute(d.File)
	k := d.Kubernetes
	if k == nil || k.CA == "" {
		return "", nil
	}
	k.CA = absolute(k.CA)
	read(k.CA)
	pem, err := readFile(k.CA)
	if err != nil {
		return "kubernetes.ca", err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return "kubernetes.ca", errors.New("there is no certificate in the file")
	}
	k.digest = digestOf(pem)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	k.client = &http.Client{Transport: transport}
	return "", nil
}

func (k *checker) discover(path []string, d *Discover) {
	given := 0
	for _, is := range []bool{d.DNS != nil, d.Consul != nil, d.Eureka != nil, d.Nacos != nil, d.Polaris != nil, d.Kubernetes != nil, d.File != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		k.fault(path, "want one of dns, consul, eureka, nacos, polaris, kubernetes, file")
		return
	}
	switch {
	case d.DNS != nil:
		k.discoverDNS(below(path, "dns"), d.DNS)
	case d.Consul != nil:
		at := below(path, "consul")
		k.registry(at, d.Consul.URL)
		k.needed(below(at, "service"), d.Consul.Service)
	case d.Eureka != nil:
		at := below(path, "eureka")
		k.registry(at, d.Eureka.URL)
		k.needed(below(at, "app"), d.Eureka.App)
		k.polled(at, d.Eureka.Every)
	case d.Nacos != nil:
		k.discoverNacos(below(path, "nacos"), d.Nacos)
	case d.Polaris != nil:
		at := below(path, "polaris")
		k.registry(at, d.Polaris.URL)
		k.needed(below(at, "service"), d.Polaris.Service)
		k.needed(below(at, "namespace"), d.Polaris.Namespace)
		k.polled(at, d.Polaris.Every)
	case d.Kubernetes != nil:
		at := below(path, "kubernetes")
		k.registry(at, d.Kubernetes.URL)
		k.needed(below(at, "service"), d.Kubernetes.Service)
		k.needed(below(at, "namespace"), d.Kubernetes.Namespace)
	}
}

func (k *checker) discoverNacos(path []string, d *DiscoverNacos) {
	k.registry(path, d.URL)
	k.needed(below(path, "service"), d.Service)
	k.needed(below(path, "namespace"), d.Namespace)
	k.needed(below(path, "group"), d.Group)
	k.polled(path, d.Every)
	for i, name := range d.Clusters {
		if at := below(below(path, "clusters"), strconv.Itoa(i)); name == "" || strings.Contains(name, ",") {
			k.fault(at, "want the name of a cluster%s", k.said(at, name))
		}
	}
	switch {
	case d.Username == "" && d.Password.Reveal() != "":
		k.fault(below(path, "username"), "is needed beside password")
	case d.Username != "" && d.Password.Reveal() == "":
		k.fault(below(path, "password"), "is needed beside username")
	}
}

// polled checks how often a registry is asked.
func (k *checker) polled(path []string, every time.Duration) {
	if every < leastEvery {
		k.fault(below(path, "every"), "want at least %s", leastEvery)
	}
}

func (k *checker) discoverDNS(path []string, d *DiscoverDNS) {
	host, port, err := net.SplitHostPort(d.Name)
	n, _ := strconv.Atoi(port)
	switch at := below(path, "name"); {
	case d.Name == "":
		k.fault(at, "is needed")
	case err == nil && d.Type == "SRV":
		k.fault(at, "SRV records name the port themselves")
	case err == nil && (n < 1 || n > 65535), strings.ContainsAny(cmp.Or(host, d.Name), " /:"):
		k.fault(at, "want a name such as orders.internal, or orders.internal:9001%s", k.said(at, d.Name))
	}
	k.polled(path, d.Every)
	if d.Server != "" {
		k.address(below(path, "server"), d.Server)
	}
}

func (k *checker) needed(path []string, value string) {
	if value == "" {
		k.fault(path, "is needed")
	}
}

// registry checks where a registry is.
func (k *checker) registry(path []string, address string) {
	at := below(path, "url")
	u, err := url.Parse(address)
	switch {
	case address == "":
		k.fault(at, "is needed")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		k.fault(at, "want an address such as http://127.0.0.1:8500%s", k.said(at, address))
	}
}
