package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

// Signer signs requests for one server with a secret that it shares with us
// (RFC 9421, hmac-sha256), as Signatures verifies them.
type Signer struct {
	KeyID  string
	Secret string
	Now    func() time.Time // nil: time.Now

	scheme, host, base string
}

// NewSigner makes a signer for the server at a URL.
func NewSigner(keyID, secret, server string) (*Signer, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("cannot sign for a server whose URL names no host")
	}
	return &Signer{KeyID: keyID, Secret: secret, scheme: u.Scheme, host: u.Host, base: strings.TrimRight(u.EscapedPath(), "/")}, nil
}

// Signed is the headers that a signature comes to.
type Signed struct {
	Digest string // Content-Digest; empty: there is no body
	Input  string // Signature-Input
	Sum    string // Signature
}

// Sign signs a request: method, host, path, query and, where there is one, the
// body by its digest. path is below the server's own, with its query; host is
// empty for the server's own.
func (s *Signer) Sign(method, host, path string, body []byte) (Signed, error) {
	var out Signed
	m := &message{method: method, scheme: s.scheme, host: s.host, target: s.base + path, header: func(string) []string { return []string{out.Digest} }}
	if host != "" {
		m.host = host
	}
	covers := []string{"@method", "@authority", "@path", "@query"}
	if len(body) > 0 {
		sum := sha256.Sum256(body)
		digest := httpsfv.NewDictionary()
		digest.Add("sha-256", httpsfv.NewItem(sum[:]))
		var err error
		if out.Digest, err = httpsfv.Marshal(digest); err != nil {
			return out, err
		}
		covers = append(covers, "content-digest")
	}
	list := httpsfv.InnerList{Params: httpsfv.NewParams()}
	for _, name := range covers {
		list.Items = append(list.Items, httpsfv.NewItem(name))
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	list.Params.Add("created", now().Unix())
	list.Params.Add("nonce", rand.Text()) // lest two alike in a second be taken for one sent twice
	list.Params.Add("keyid", s.KeyID)
	list.Params.Add("alg", "hmac-sha256")
	text, _, err := base(m, &list)
	if err != nil {
		return out, err
	}
	mac := hmac.New(sha256.New, []byte(s.Secret))
	mac.Write(text)
	input, sum := httpsfv.NewDictionary(), httpsfv.NewDictionary()
	input.Add("sluice", list)
	sum.Add("sluice", httpsfv.NewItem(mac.Sum(nil)))
	if out.Input, err = httpsfv.Marshal(input); err != nil {
		return out, err
	}
	out.Sum, err = httpsfv.Marshal(sum)
	return out, err
}
