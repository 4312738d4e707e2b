package auth

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// answerLimit bounds an identity service's answer.
const answerLimit = 1 << 20

// client asks identity services.
type client struct {
	http *http.Client
	now  func() time.Time
}

// newClient does not follow redirects: a token request goes where it was told.
func newClient(base *http.Client, now func() time.Time) client {
	c := http.Client{}
	if base != nil {
		c = *base
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client{&c, clock(now)}
}

// tokenAnswer is the answer of a token endpoint (RFC 6749, sections 5.1 and
// 5.2), of Google's credentials service, and of its metadata server.
type tokenAnswer struct {
	AccessToken string          `json:"access_token"`
	ExpiresIn   json.Number     `json:"expires_in"` // seconds; some send a string
	Error       json.RawMessage `json:"error"`

	Token      string    `json:"accessToken"` // iamcredentials' words
	ExpireTime time.Time `json:"expireTime"`
}

// form posts a form to a token endpoint.
func (c client) form(ctx context.Context, who, address string, form url.Values) (token, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, refused("the address of %s is not a URL", who)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.token(who, req)
}

// token sends a request and reads the token out of the answer.
func (c client) token(who string, req *http.Request) (token, error) {
	body, err := c.read(who, req)
	if err != nil {
		return token{}, err
	}
	var a tokenAnswer
	if json.Unmarshal(body, &a) != nil {
		return token{}, unavailable(nil, "%s gave no token", who)
	}
	t := token{value: a.AccessToken}
	if t.value == "" {
		t.value = a.Token
	}
	if t.value == "" || strings.ContainsAny(t.value, "\r\n") {
		return token{}, unavailable(nil, "%s gave no token", who)
	}
	seconds, err := a.ExpiresIn.Int64()
	switch {
	case err == nil && seconds > 0:
		t.end = c.now().Add(time.Duration(min(seconds, 86400)) * time.Second)
	case !a.ExpireTime.IsZero():
		t.end = a.ExpireTime
	default: // RFC 6749 leaves it out at will; what everybody gives is an hour
		t.end = c.now().Add(10 * time.Minute)
	}
	return t, nil
}

// read sends a request and gives the body of a good answer. A refusal of what
// was sent is of class auth, all else is the service's own failure.
func (c client) read(who string, req *http.Request) ([]byte, error) {
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unavailable(err, "%s cannot be reached", who)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return nil, unavailable(err, "%s did not finish its answer", who)
	}
	switch {
	case resp.StatusCode == 200:
		return body, nil
	case resp.StatusCode == 408, resp.StatusCode == 429, resp.StatusCode < 400, resp.StatusCode >= 500:
		return nil, unavailable(nil, "%s answered with status %d", who, resp.StatusCode)
	}
	e := refused("%s refused the gateway's credentials", who)
	e.Type = errorWord(body)
	return nil, e
}

// errorWord is the short name of an OAuth error, such as invalid_grant. Other
// text of an answer is not shown: it may quote what was sent.
func errorWord(body []byte) string {
	var a tokenAnswer
	var word string
	if json.Unmarshal(body, &a) != nil || json.Unmarshal(a.Error, &word) != nil || len(word) > 40 {
		return ""
	}
	for _, r := range word {
		if r != '_' && (r < 'a' || r > 'z') {
			return ""
		}
	}
	return word
}
