package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// patience is how long an identity service may take to answer.
	patience = 5 * time.Second
	// maxAnswer is the most that is read of its answer, in bytes.
	maxAnswer = 1 << 20
)

// client asks identity services. It follows no redirects, which would take
// tokens elsewhere.
var client = &http.Client{
	Timeout:       patience,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 8, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: patience},
}

// ask sends a request and reads the JSON of its answer. What it asks about is
// not given up when one caller leaves, for others wait for the same.
func ask(r *http.Request, into any) error {
	r.Header.Set("Accept", "application/json")
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("cannot read the answer: %w", err)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("it answered with status %d", res.StatusCode)
	case len(body) > maxAnswer:
		return errors.New("its answer is too long")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("its answer is not what it should be: %w", err)
	}
	return nil
}

// get asks for a document.
func get(url string, into any) error {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	return ask(r, into)
}

// discovered is where an issuer keeps its keys (OpenID Connect Discovery 1.0,
// section 4).
func discovered(issuer string) (string, error) {
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := get(strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", &about); err != nil {
		return "", err
	}
	if about.Issuer != issuer || about.Keys == "" {
		return "", errors.New("its openid-configuration names another issuer, or no jwks_uri")
	}
	return about.Keys, nil
}
