package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// DNS is a name in the domain name system. The system's resolver hides how long
// an answer holds, so name servers are asked themselves.
type DNS struct {
	Name   string // of A records, with a port if it is not the scheme's own
	SRV    bool
	Server string        // host:port; empty: as /etc/resolv.conf says
	Every  time.Duration // the longest between two questions; they come sooner where an answer holds for less
	Scheme string        // of the endpoints: http or https
}

// What bounds how often a name server is asked: answers may hold for no time.
const leastTTL = 500 * time.Millisecond

// Watch asks again when the answer's time is over. That a name is gone, or has
// no records, is an error: the last known good set holds.
func (d DNS) Watch(ctx context.Context, tell Tell) error {
	for {
		list, ttl, err := d.look(ctx)
		if err != nil {
			return fmt.Errorf("dns: %w", err)
		}
		tell(list)
		if err := wait(ctx, min(max(ttl, leastTTL), max(d.Every, leastTTL))); err != nil {
			return err
		}
	}
}

// look asks once. The answer holds for ttl.
func (d DNS) look(ctx context.Context) ([]Endpoint, time.Duration, error) {
	if d.SRV {
		return d.services(ctx)
	}
	host, port := d.Name, 0
	if h, p, err := net.SplitHostPort(d.Name); err == nil {
		host = h
		port, _ = strconv.Atoi(p) // checked with the configuration
	}
	addresses, ttl, err := d.addresses(ctx, host)
	if err != nil {
		return nil, 0, err
	}
	list := make([]Endpoint, len(addresses))
	for i, a := range addresses {
		list[i] = Endpoint{URL: d.Scheme + "://" + a, Name: host}
		if port > 0 {
			list[i].URL = address(d.Scheme, a, port)
		}
	}
	return list, ttl, nil
}

// addresses are those of a host, IPv4.
func (d DNS) addresses(ctx context.Context, host string) ([]string, time.Duration, error) {
	answer, err := d.ask(ctx, host, dns.TypeA)
	if err != nil {
		return nil, 0, err
	}
	var list []string
	ttl := d.Every
	for _, record := range answer.Answer { // of aliases on the way too
		ttl = min(ttl, time.Duration(record.Header().Ttl)*time.Second)
		if a, ok := record.(*dns.A); ok {
			list = append(list, a.A.String())
		}
	}
	if len(list) == 0 {
		return nil, 0, fmt.Errorf("%s has no address", host)
	}
	return list, ttl, nil
}

// services are the servers of SRV records, of the best priority that there is
// (RFC 2782).
func (d DNS) services(ctx context.Context) ([]Endpoint, time.Duration, error) {
	answer, err := d.ask(ctx, d.Name, dns.TypeSRV)
	if err != nil {
		return nil, 0, err
	}
	var best []*dns.SRV
	ttl := d.Every
	for _, record := range answer.Answer {
		ttl = min(ttl, time.Duration(record.Header().Ttl)*time.Second)
		s, ok := record.(*dns.SRV)
		if !ok || s.Target == "." { // which says that there is no such service
			continue
		}
		if len(best) > 0 && s.Priority < best[0].Priority {
			best = best[:0]
		}
		if len(best) == 0 || s.Priority == best[0].Priority {
			best = append(best, s)
		}
	}
	if len(best) == 0 {
		return nil, 0, fmt.Errorf("%s has no service", d.Name)
	}
	var list []Endpoint
	var lost error
	for _, s := range best {
		hosts, holds := extra(answer, s.Target, ttl)
		if hosts == nil {
			if hosts, holds, err = d.addresses(ctx, s.Target); err != nil {
				lost = err // of one server: the others serve
				continue
			}
		}
		ttl = min(ttl, holds)
		for _, host := range hosts {
			list = append(list, Endpoint{URL: address(d.Scheme, host, int(s.Port)), Weight: int(s.Weight), Name: strings.TrimSuffix(s.Target, ".")})
		}
	}
	if len(list) == 0 {
		return nil, 0, lost
	}
	return list, ttl, nil
}

// extra are the addresses of a server that came along with its record.
func extra(answer *dns.Msg, target string, ttl time.Duration) (hosts []string, holds time.Duration) {
	for _, record := range answer.Extra {
		if a, ok := record.(*dns.A); ok && strings.EqualFold(a.Hdr.Name, target) {
			hosts = append(hosts, a.A.String())
			ttl = min(ttl, time.Duration(a.Hdr.Ttl)*time.Second)
		}
	}
	return hosts, ttl
}

// dnsLimit is how long a name server may take.
const dnsLimit = 3 * time.Second

// ask asks the name servers in turn, until one answers.
func (d DNS) ask(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	servers := []string{d.Server}
	if d.Server == "" {
		c, err := dns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil || len(c.Servers) == 0 {
			return nil, errors.New("there is no name server in /etc/resolv.conf")
		}
		servers = servers[:0]
		for _, s := range c.Servers {
			servers = append(servers, net.JoinHostPort(s, c.Port))
		}
	}
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), kind)
	q.SetEdns0(1232, false) // DNS flag day 2020
	var last error
	for _, server := range servers {
		answer, err := exchange(ctx, server, q)
		if err == nil {
			return answer, nil
		}
		last = err
	}
	return nil, last
}

// exchange asks one, again over TCP where the answer is too long.
func exchange(ctx context.Context, server string, q *dns.Msg) (*dns.Msg, error) {
	c := &dns.Client{Timeout: dnsLimit}
	answer, _, err := c.ExchangeContext(ctx, q, server)
	if err == nil && answer.Truncated {
		c.Net = "tcp"
		answer, _, err = c.ExchangeContext(ctx, q, server)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot ask the name server: %w", err)
	}
	if answer.Rcode != dns.RcodeSuccess {
		return nil, fmt.Errorf("the name server says %s of %s", dns.RcodeToString[answer.Rcode], q.Question[0].Name)
	}
	return answer, nil
}
