package auth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sluice/providers/schema"
)

// ask is what an identity service was asked.
type ask struct {
	path, method string
	header       http.Header
	form         url.Values
	body         string
}

// identity is an identity service that answers with what the test says.
func identity(t *testing.T, answer func(a ask) (int, string)) (*httptest.Server, *[]ask) {
	t.Helper()
	var asks []ask
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw := make([]byte, max(r.ContentLength, 0))
		_, _ = r.Body.Read(raw)
		a := ask{path: r.URL.RequestURI(), method: r.Method, header: r.Header, body: string(raw)}
		a.form, _ = url.ParseQuery(a.body)
		asks = append(asks, a)
		status, body := answer(a)
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(func() {
		s.Client().CloseIdleConnections()
		s.Close()
	})
	return s, &asks
}

func always(status int, body string) func(ask) (int, string) {
	return func(ask) (int, string) { return status, body }
}

func serviceAccount(t *testing.T, tokenURI string) (string, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "a@p.iam.gserviceaccount.com", "private_key_id": "kid-1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": tokenURI,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), key
}

func TestGoogleServiceAccount(t *testing.T) {
	s, asks := identity(t, always(200, `{"access_token":"ya29","expires_in":3599,"token_type":"Bearer"}`))
	secret, key := serviceAccount(t, s.URL+"/token")
	sign := Google(GoogleOptions{HTTP: s.Client()})
	for range 2 {
		got, err := sign(context.Background(), &Request{}, secret)
		if err != nil || len(got) != 1 || got[0] != (Field{"Authorization", "Bearer ya29"}) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	if len(*asks) != 1 {
		t.Fatalf("asked %d times", len(*asks))
	}
	a := (*asks)[0]
	if a.path != "/token" || a.form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		t.Errorf("asked %+v", a)
	}
	parsed, err := jwt.Parse(a.form.Get("assertion"), func(*jwt.Token) (any, error) { return &key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(s.URL+"/token"), jwt.WithIssuer("a@p.iam.gserviceaccount.com"), jwt.WithExpirationRequired())
	if err != nil {
		t.Fatal(err)
	}
	if claims := parsed.Claims.(jwt.MapClaims); parsed.Header["kid"] != "kid-1" || claims["scope"] != GoogleScope {
		t.Errorf("header %v, claims %v", parsed.Header, claims)
	}
}

func TestGoogleOtherSources(t *testing.T) {
	s, asks := identity(t, func(a ask) (int, string) {
		switch {
		case strings.HasPrefix(a.path, "/subject"):
			return 200, `{"id_token":"foreign"}`
		case strings.HasPrefix(a.path, "/impersonate"):
			return 200, `{"accessToken":"own","expireTime":"2100-01-01T00:00:00Z"}`
		}
		return 200, `{"access_token":"got","expires_in":"3600"}`
	})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(" from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	external := `{"type":"external_account","audience":"//iam/x","subject_token_type":"jwt","token_url":"` + s.URL + `/sts",`
	for _, c := range []struct{ name, secret, token, form string }{
		{"user", `{"type":"authorized_user","client_id":"i","client_secret":"s","refresh_token":"r"}`, "got", "client_id=i&client_secret=s&grant_type=refresh_token&refresh_token=r"},
		{"file", external + `"credential_source":{"file":"` + file + `"}}`, "got", "subject_token=from-file&"},
		{"url", external + `"credential_source":{"url":"` + s.URL + `/subject","headers":{"Metadata":"true"},"format":{"type":"json","subject_token_field_name":"id_token"}}}`, "got", "subject_token=foreign&"},
		{"impersonation", external + `"credential_source":{"file":"` + file + `"},"service_account_impersonation_url":"` + s.URL + `/impersonate"}`, "own", `"lifetime":"3600s"`},
		{"metadata", "", "got", ""},
	} {
		if err := CheckGoogle(c.secret); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		sign := Google(GoogleOptions{HTTP: s.Client(), TokenURL: s.URL + "/token", Metadata: s.URL})
		got, err := sign(context.Background(), &Request{}, c.secret)
		if err != nil || got[0].Value != "Bearer "+c.token {
			t.Errorf("%s: %v, %v", c.name, got, err)
			continue
		}
		if last := (*asks)[len(*asks)-1]; !strings.Contains(last.body, c.form) {
			t.Errorf("%s asked %+v", c.name, last)
		}
	}
	if last := (*asks)[len(*asks)-1]; last.header.Get("Metadata-Flavor") != "Google" || last.method != "GET" {
		t.Errorf("the metadata server was asked %+v", last)
	}
}

func TestCheckGoogle(t *testing.T) {
	good, _ := serviceAccount(t, "")
	if err := CheckGoogle(good); err != nil {
		t.Error(err)
	}
	for secret, word := range map[string]string{
		"tops3cret":                  "JSON",
		`{"type":"tops"}`:            "type",
		`{"type":"service_account"}`: "client_email",
		`{"type":"service_account","client_email":"a","private_key":"tops3cret"}`:                                                        "private_key",
		`{"type":"authorized_user","client_id":"a","client_secret":"tops3cret"}`:                                                         "refresh_token",
		`{"type":"external_account"}`:                                                                                                    "audience",
		`{"type":"external_account","audience":"a","subject_token_type":"b","credential_source":{"executable":{"command":"tops3cret"}}}`: "credential_source",
		`{"type":"external_account","audience":"a","subject_token_type":"b","credential_source":{"environment_id":"aws1","url":"x"}}`:    "credential_source",
		`{"type":"external_account","audience":"a","subject_token_type":"b","credential_source":{"url":"x","format":{"type":"json"}}}`:   "subject_token_field_name",
	} {
		err := CheckGoogle(secret)
		if err == nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "tops3cret") {
			t.Errorf("%s gives %v", secret, err)
		}
	}
}

func TestIdentityServiceFails(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		class  schema.Class
		want   int
	}{
		"refused":   {400, `{"error":"invalid_grant","error_description":"tops3cret"}`, schema.ClassAuth, 502},
		"forbidden": {403, `tops3cret`, schema.ClassAuth, 502},
		"google":    {401, `{"error":{"code":401,"message":"tops3cret"}}`, schema.ClassAuth, 502},
		"limited":   {429, `{}`, schema.ClassConnection, 503},
		"broken":    {500, `tops3cret`, schema.ClassConnection, 503},
		"redirect":  {302, ``, schema.ClassConnection, 503},
		"not JSON":  {200, `<html>`, schema.ClassConnection, 503},
		"no token":  {200, `{"expires_in":3600}`, schema.ClassConnection, 503},
		"two lines": {200, `{"access_token":"a\nb"}`, schema.ClassConnection, 503},
	} {
		t.Run(name, func(t *testing.T) {
			s, asks := identity(t, always(c.status, c.body))
			sign, err := Entra(EntraOptions{Tenant: "t", ClientID: "c", Login: s.URL, HTTP: s.Client()})
			if err != nil {
				t.Fatal(err)
			}
			_, err = sign(context.Background(), &Request{}, "client-s3cret")
			e := schema.AsError(err)
			if err == nil || e.Class != c.class || e.Status != c.want || e.Origin != schema.OriginProvider {
				t.Errorf("got %v (class %s, status %d)", err, e.Class, e.Status)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, e), "s3cret") {
				t.Errorf("the error tells a secret: %v", err)
			}
			if name == "refused" && e.Type != "invalid_grant" {
				t.Errorf("type is %q", e.Type)
			}
			if len(*asks) != 1 {
				t.Errorf("asked %d times", len(*asks))
			}
		})
	}
	t.Run("unreachable", func(t *testing.T) {
		s := httptest.NewServer(http.NotFoundHandler())
		s.Close()
		sign := Google(GoogleOptions{Metadata: s.URL})
		_, err := sign(context.Background(), &Request{}, "")
		if e := schema.AsError(err); e.Status != 503 || e.Class != schema.ClassConnection {
			t.Errorf("got %v", err)
		}
	})
}

func TestEntra(t *testing.T) {
	s, asks := identity(t, always(200, `{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ"}`))
	sign, err := Entra(EntraOptions{Tenant: "my-tenant", ClientID: "app", Login: s.URL + "/", HTTP: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := sign(context.Background(), &Request{}, "secret&1")
	if err != nil || got[0] != (Field{"Authorization", "Bearer eyJ"}) {
		t.Fatalf("got %v, %v", got, err)
	}
	a := (*asks)[0]
	if a.path != "/my-tenant/oauth2/v2.0/token" || a.form.Get("client_secret") != "secret&1" || a.form.Get("client_id") != "app" ||
		a.form.Get("scope") != EntraScope || a.form.Get("grant_type") != "client_credentials" {
		t.Errorf("asked %+v", a)
	}
	if _, err := sign(context.Background(), &Request{}, ""); schema.AsError(err).Class != schema.ClassAuth {
		t.Errorf("without a secret: %v", err)
	}
	for _, o := range []EntraOptions{{}, {Tenant: "t"}, {ClientID: "c"}, {Tenant: "a/b", ClientID: "c"}} {
		if _, err := Entra(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestTokenLife(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for body, want := range map[string]time.Duration{
		`{"access_token":"a","expires_in":60}`:                        time.Minute,
		`{"access_token":"a","expires_in":"60"}`:                      time.Minute,
		`{"access_token":"a"}`:                                        10 * time.Minute,
		`{"access_token":"a","expires_in":-1}`:                        10 * time.Minute,
		`{"access_token":"a","expires_in":99999999999}`:               24 * time.Hour,
		`{"accessToken":"a","expireTime":"2026-01-01T01:00:00.123Z"}`: time.Hour + 123*time.Millisecond,
	} {
		s, _ := identity(t, always(200, body))
		c := newClient(s.Client(), func() time.Time { return now })
		got, err := c.form(context.Background(), "it", s.URL, nil)
		if err != nil || got.end.Sub(now) != want {
			t.Errorf("%s ends after %v, %v; want %v", body, got.end.Sub(now), err, want)
		}
	}
}

func FuzzCredentials(f *testing.F) {
	for _, s := range []string{"", "a:b", "a:b:c", `{"access_key_id":"a"}`, `{"type":"external_account","credential_source":{"file":"x"}}`, `{"type":"service_account","client_email":"a","private_key":"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		k, err := ParseAWSKeys(secret)
		if err == nil && k.APIKey == "" && (k.ID == "" || k.Secret == "") {
			t.Errorf("%q gives %+v", secret, k)
		}
		_ = CheckGoogle(secret)
		_ = errorWord([]byte(secret))
	})
}
