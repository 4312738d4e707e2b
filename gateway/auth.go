package gateway

import (
	"net/netip"
	"strings"

	"sluice/billing"
	"sluice/providers/gemini"
	"sluice/providers/schema"
)

// authenticate finds the caller by the key that the request carries.
func (c *Call) authenticate() error {
	var caller *Caller
	given := false
	for place := range keyPlaces {
		if key := c.keyAt(place); key != "" {
			given, c.from.keyAt = true, place
			caller = c.snap.Caller(billing.HashKey(key), c.now)
			if caller != nil || c.from.route == nil { // a route may want a token beside the key
				break
			}
		}
	}
	switch {
	case !given:
		return errKey("no API key was given: send it as 'Authorization: Bearer …'")
	case caller == nil:
		return errKey("the API key is unknown, expired or revoked")
	}
	c.caller = caller
	e := &c.entry
	e.Team, e.KeyID, e.Key, e.User = caller.Key.Team, caller.Key.ID, caller.Label, caller.Key.User
	if len(caller.Key.IPs) > 0 && !allowsIP(caller.Key, c.from.ip) {
		return &schema.Error{Code: schema.CodePermissionDenied, Status: 403, Origin: schema.OriginPolicy,
			Message: "this key may not be used from " + c.from.ip}
	}
	c.g.touch(caller)
	return nil
}

// userOf is whose call it is: the key's own user, else the one that the request
// names.
func (c *Call) userOf(said string) string {
	if c.caller != nil && c.caller.Key.User != "" {
		return c.caller.Key.User
	}
	return label(said)
}

// owner is whose budgets and limits the call counts in: the key's, and those of
// its user and tags, once these are known.
func (c *Call) owner() *billing.Owner {
	if c.money.owner != nil {
		return c.money.owner
	}
	return c.caller.Owner
}

// The places in which a key may be sent: Authorization, these headers, and for
// those clients of Gemini's that do so the query.
var keyHeaders = [...]string{"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key"}

const keyPlaces = len(keyHeaders) + 1

// keyAt is the key in one of its places, as sent; it is valid until the call is
// over.
func (c *Call) keyAt(place int) string {
	if place == len(keyHeaders) {
		if c.speaks == &gemini.Dialect {
			return string(c.rc.QueryArgs().Peek("key"))
		}
		return ""
	}
	value := c.rc.Request.Header.Peek(keyHeaders[place])
	if place > 0 {
		return string(value)
	}
	if len(value) > 7 && strings.EqualFold(string(value[:7]), "bearer ") {
		return strings.TrimSpace(string(value[7:]))
	}
	return ""
}

// credential is the first key that was sent; empty: none was.
func (c *Call) credential() string {
	for place := range keyPlaces {
		if key := c.keyAt(place); key != "" {
			return key
		}
	}
	return ""
}

// hideKey takes the key out of the request, where it was found.
func (c *Call) hideKey() {
	if c.from.keyAt < len(keyHeaders) {
		c.rc.Request.Header.Del(keyHeaders[c.from.keyAt])
	}
}

func errKey(message string) *schema.Error {
	return &schema.Error{Code: schema.CodeInvalidAPIKey, Status: 401, Origin: schema.OriginGateway, Message: message}
}

// callerIP is the address of the caller: the peer's, or what the nearest
// untrusted hop in X-Forwarded-For was, if the peer is a trusted proxy.
func (c *Call) callerIP() string {
	trusted := c.snap.Settings.TrustedProxies
	if conn := own(c.rc.Conn()); conn != nil && len(trusted) == 0 && conn.ip != "" {
		return conn.ip
	}
	addr, _ := netip.AddrFromSlice(c.rc.RemoteIP())
	addr = addr.Unmap()
	var hops []string
	for _, line := range c.rc.Request.Header.PeekAll("X-Forwarded-For") { // a proxy may add a line of its own
		hops = append(hops, strings.Split(string(line), ",")...)
	}
	for i := len(hops) - 1; i >= 0 && containsAddr(trusted, addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	return addr.String()
}

// peer is the address of the connection, and whether it is a proxy that is
// believed.
func (c *Call) peer() (ip string, trusted bool) {
	nets := c.snap.Settings.TrustedProxies
	if conn := own(c.rc.Conn()); conn != nil && len(nets) == 0 && conn.ip != "" {
		return conn.ip, false
	}
	addr, _ := netip.AddrFromSlice(c.rc.RemoteIP())
	addr = addr.Unmap()
	return addr.String(), containsAddr(nets, addr)
}

func allowsIP(k *billing.Key, ip string) bool {
	addr, err := netip.ParseAddr(ip)
	return err == nil && k.AllowsIP(addr.Unmap())
}

func containsAddr(nets []netip.Prefix, addr netip.Addr) bool {
	for _, n := range nets {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}
