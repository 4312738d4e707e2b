package auth

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/gateway/cel"
	"sluice/providers/schema"
)

// Cert is a Method: client certificates, which the listener has verified.
type Cert struct {
	names map[string]Account // by what is in the certificate; none: all of them
}

// NewCert makes the method. A name is CN=shop, the whole subject
// (CN=shop,O=Example), or one that the certificate is for: a DNS name, a URI, an
// address of mail.
func NewCert(names map[string]Account) *Cert { return &Cert{names} }

// Challenge is empty: no header asks for a certificate.
func (c *Cert) Challenge() string { return "" }

// Identify reads the certificate that the connection was opened with.
func (c *Cert) Identify(r *Request) (*Identity, error) {
	cert := Presented(r.TLS)
	if cert == nil {
		return nil, nil
	}
	account := Account{}
	if len(c.names) > 0 {
		name, known := c.match(cert)
		if !known {
			return nil, &schema.Error{Code: schema.CodePermissionDenied, Status: fasthttp.StatusForbidden, Origin: schema.OriginPolicy,
				Message: "the certificate is of nobody who is known here"}
		}
		account = c.names[name]
	}
	id := account.identity("mtls", cert.Name)
	id.ID = "mtls/" + cert.Subject
	return id, nil
}

func (c *Cert) match(cert *cel.Cert) (string, bool) {
	for _, name := range append([]string{cert.Subject, "CN=" + cert.Name}, cert.Names...) {
		if _, ok := c.names[name]; ok && name != "CN=" {
			return name, true
		}
	}
	return "", false
}

// Presented is what a verified client certificate says; nil: there is none.
func Presented(s *tls.ConnectionState) *cel.Cert {
	if s == nil || len(s.VerifiedChains) == 0 || len(s.PeerCertificates) == 0 {
		return nil
	}
	return describe(s.PeerCertificates[0])
}

func describe(c *x509.Certificate) *cel.Cert {
	sum := sha256.Sum256(c.Raw)
	d := &cel.Cert{Subject: c.Subject.String(), Issuer: c.Issuer.String(), Serial: strings.ToLower(c.SerialNumber.Text(16)),
		Fingerprint: hex.EncodeToString(sum[:]), Name: c.Subject.CommonName}
	d.Names = append(append(d.Names, c.DNSNames...), c.EmailAddresses...)
	for _, ip := range c.IPAddresses {
		d.Names = append(d.Names, ip.String())
	}
	for _, u := range c.URIs {
		d.Names = append(d.Names, u.String())
	}
	return d
}
