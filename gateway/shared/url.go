package shared

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

const wanted = "want redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS"

const memcachedScheme = "memcached://"

// OnMemcached tells whether an address is one of a memcached, not of a Redis.
func OnMemcached(text string) bool { return strings.HasPrefix(text, memcachedScheme) }

// Check tells what is wrong with where replicas share what they do. The error
// shows nothing of the text.
func Check(text string) error {
	var err error
	if OnMemcached(text) {
		_, err = ParseMemcached(text)
	} else if _, err = ParseURL(text); err != nil && !strings.HasPrefix(text, "redis") {
		err = errors.New(err.Error() + "; or memcached://HOST[:PORT], for kept answers alone")
	}
	return err
}

// ParseMemcached reads where a memcached is, as HOST:PORT. The error shows nothing
// of the text.
func ParseMemcached(text string) (addr string, err error) {
	const wanted = "want memcached://HOST[:PORT]"
	u, err := url.Parse(text)
	switch {
	case err != nil || !OnMemcached(text):
		return "", errors.New(wanted)
	case u.User != nil:
		return "", errors.New(wanted + ": it takes no user or password")
	case u.Hostname() == "":
		return "", errors.New(wanted + ": there is no host")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New(wanted + ": there is nothing after the port")
	}
	port := u.Port()
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return "", errors.New(wanted + ": the port is none")
	} else if port == "" {
		port = "11211"
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// ParseURL reads where Redis is. The error shows nothing of the text, any part of
// which may be the password where it is written wrongly.
func ParseURL(text string) (o rueidis.ClientOption, err error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "redis" && u.Scheme != "rediss":
		return o, errors.New(wanted)
	case u.Hostname() == "":
		return o, errors.New(wanted + ": there is no host")
	case u.RawQuery != "" || u.Fragment != "":
		return o, errors.New(wanted + ": it takes no options after ? or #")
	}
	port := u.Port()
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return o, errors.New(wanted + ": the port is none")
	} else if port == "" {
		port = "6379"
	}
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		n, err := strconv.ParseUint(db, 10, 16)
		if err != nil {
			return o, errors.New(wanted + ": the database is no number")
		}
		o.SelectDB = int(n)
	}
	o.InitAddress = []string{net.JoinHostPort(u.Hostname(), port)}
	o.Username = u.User.Username()
	o.Password, _ = u.User.Password()
	if o.Username != "" && o.Password == "" {
		return o, errors.New(wanted + ": the user has no password")
	}
	if u.Scheme == "rediss" {
		o.TLSConfig = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	return o, nil
}
