package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// untrusted says in words why no trust came about in a TLS handshake; empty:
// that is not what went wrong. It names nothing of the network.
func untrusted(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var alert *net.OpError
	switch {
	case errors.As(err, &authority):
		return "the provider's certificate is of an authority that is not trusted"
	case errors.As(err, &name):
		return "the provider's certificate is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the provider's certificate has expired, or is not valid yet"
	case errors.As(err, &invalid):
		return "the provider's certificate is not valid"
	case errors.As(err, &record):
		return "the provider does not speak TLS"
	case errors.As(err, &alert) && alert.Op == "remote error": // as crypto/tls tells what the peer has refused
		return "the provider refused the TLS connection: " + alert.Err.Error()
	}
	return ""
}
