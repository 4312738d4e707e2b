package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"strconv"
	"strings"

	"sluice/gateway/proxy"
)

// letsEncrypt is the directory where none is given.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// ACME is who issues the certificates of a listener (RFC 8555), by TLS-ALPN-01:
// it must be reached at port 443 of the names; or, with http, by HTTP-01. To name
// it is to agree to its terms.
type ACME struct {
	Domains   []string `json:"domains"`
	Email     string   `json:"email"`     // that the authority writes to; empty: none
	Directory string   `json:"directory"` // URL
	Cache     string   `json:"cache"`     // directory of keys and certificates; empty: acme in the data directory
	CA        string   `json:"ca"`        // file, or its PEM: who signed the directory's own certificate; empty: the system's

	// HTTP is an address, host:port, that port 80 of the names leads to: where names
	// are proven by HTTP-01 if they are not otherwise; empty: there is none.
	HTTP string `json:"http"`

	authorities string // PEM
}

func defaultACME() ACME { return ACME{Directory: letsEncrypt} }

// Identity tells it from another one, but for its domains.
func (a *ACME) Identity() string {
	return digestOf(fmt.Appendf(nil, "%q %q %q %q", a.Directory, a.Email, a.Cache, a.authorities))
}

// Authorities are who the directory's certificate is signed by; nil: those of
// the system.
func (a *ACME) Authorities() (*x509.CertPool, error) {
	if a.CA == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(a.authorities)) {
		return nil, errors.New("acme.ca holds no certificate")
	}
	return pool, nil
}

func (k *checker) acme(path []string, a *ACME) {
	if len(a.Domains) == 0 {
		k.fault(below(path, "domains"), "want the names that certificates are for")
	}
	for i, name := range a.Domains {
		at := below(below(path, "domains"), strconv.Itoa(i))
		switch m := (proxy.Match{Host: name}); {
		case strings.HasPrefix(name, "*"):
			k.fault(at, "a name with * cannot be proven: name each")
		default:
			if _, err := m.Check(); err != nil || !strings.Contains(name, ".") || strings.Trim(name, "0123456789.") == "" {
				k.fault(at, "want a name such as api.example.com%s", k.said(at, name))
			}
		}
	}
	if a.Email != "" {
		if got, err := mail.ParseAddress(a.Email); err != nil || got.Address != a.Email {
			k.fault(below(path, "email"), "want an address such as ops@example.com%s", k.said(below(path, "email"), a.Email))
		}
	}
	if at := below(path, "directory"); !strings.HasPrefix(a.Directory, "https://") {
		k.fault(at, "want the https address of an ACME directory%s", k.said(at, a.Directory))
	} else {
		k.service(at, a.Directory, true)
	}
	if a.HTTP != "" {
		k.address(below(path, "http"), a.HTTP)
	}
	if _, err := a.Authorities(); err != nil {
		k.fault(below(path, "ca"), "holds no certificate in PEM")
	}
}
