package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
)

// adminClient speaks to the admin API of a running gateway.
type adminClient struct {
	url, token string
	data       string                         // where the gateway may have left a token
	json       bool                           // print for machines
	match      string                         // the ETag that a change is made from; empty: any
	files      struct{ ca, cert, key string } // of TLS
	http       http.Client
}

const defaultAdmin = "http://127.0.0.1:8081"

// flags adds the flags of a command that uses the client.
func (c *adminClient) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.url, "admin", "", "URL of the admin API (default $SLUICE_ADMIN, else "+defaultAdmin+")")
	f.StringVar(&c.token, "token", "", "admin token (default $SLUICE_ADMIN_TOKEN, else what DATA/admin-token holds)")
	f.StringVar(&c.data, "data", "./data", "data directory of a gateway on this machine, for its admin token")
	f.StringVar(&c.files.ca, "admin-ca", "", "file of who signed the admin plane's certificate (default $SLUICE_ADMIN_CA, else the system's)")
	f.StringVar(&c.files.cert, "admin-cert", "", "file of a certificate to show to the admin plane (default $SLUICE_ADMIN_CERT)")
	f.StringVar(&c.files.key, "admin-key", "", "file of its key (default $SLUICE_ADMIN_KEY)")
	f.BoolVar(&c.json, "json", false, "print JSON")
}

// prepare fills in what the flags left out.
func (c *adminClient) prepare() error {
	c.url = strings.TrimRight(cmp.Or(c.url, os.Getenv("SLUICE_ADMIN"), defaultAdmin), "/")
	if !strings.Contains(c.url, "://") {
		c.url = "http://" + c.url
	}
	if u, err := url.Parse(c.url); err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return unusable("--admin %q is not a URL such as %s", c.url, defaultAdmin)
	}
	c.token = cmp.Or(c.token, os.Getenv("SLUICE_ADMIN_TOKEN"))
	if c.token == "" {
		b, err := os.ReadFile(filepath.Join(c.data, "admin-token"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot read the admin token: %w", err)
		}
		c.token = strings.TrimSpace(string(b))
	}
	if c.token == "" {
		return unusable("no admin token: give --token, set SLUICE_ADMIN_TOKEN, or name the gateway's data directory with --data")
	}
	if err := c.trust(); err != nil {
		return err
	}
	c.http.Timeout = 5 * time.Minute // a proof of all sums may take long
	return nil
}

// trust takes the files for an admin plane that is encrypted.
func (c *adminClient) trust() error {
	ca, cert, key := cmp.Or(c.files.ca, os.Getenv("SLUICE_ADMIN_CA")), cmp.Or(c.files.cert, os.Getenv("SLUICE_ADMIN_CERT")), cmp.Or(c.files.key, os.Getenv("SLUICE_ADMIN_KEY"))
	if ca == "" && cert == "" && key == "" {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return unusable("--admin-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return unusable("--admin-ca: %s holds no certificate in PEM", ca)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return unusable("--admin-cert and --admin-key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	c.http.Transport = &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment}
	return nil
}

// longestAnswer bounds what is read of an answer.
const longestAnswer = 256 << 20

// call sends a request and gives the body of a good answer. A body of nil
// sends none.
func (c *adminClient) call(ctx context.Context, method, path string, query url.Values, body any) ([]byte, error) {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		payload = bytes.NewReader(b)
	}
	res, err := c.send(ctx, method, path, query, payload)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Close() }()
	b, err := io.ReadAll(io.LimitReader(res, longestAnswer))
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer of the admin API: %w", err)
	}
	return b, nil
}

// open is call for an answer of any length, which is read as it comes, however
// long that takes.
func (c *adminClient) open(ctx context.Context, method, path string, query url.Values) (io.ReadCloser, error) {
	if c.http.Timeout == 0 {
		if err := c.prepare(); err != nil {
			return nil, err
		}
	}
	endless := *c
	endless.http.Timeout = 100 * time.Hour
	return endless.send(ctx, method, path, query, nil)
}

// send gives the body of a good answer.
func (c *adminClient) send(ctx context.Context, method, path string, query url.Values, payload io.Reader) (io.ReadCloser, error) {
	if c.http.Timeout == 0 {
		if err := c.prepare(); err != nil {
			return nil, err
		}
	}
	target := c.url + "/admin/v1/" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, payload)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	if c.match != "" {
		req.Header.Set("If-Match", `"`+c.match+`"`)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the admin API: %w", err)
	}
	if res.StatusCode < 300 {
		return res.Body, nil
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, longestAnswer))
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer of the admin API: %w", err)
	}
	return nil, &refusedError{status: res.StatusCode, text: refusal(res.Status, b).Error()}
}

// refusedError is an answer that is none.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string { return e.text }

// refusal is an error of the admin API for people.
func refusal(status string, body []byte) error {
	p := gjson.ParseBytes(body)
	if !p.Get("detail").Exists() {
		return fmt.Errorf("the admin API answered %s", status)
	}
	text := p.Get("detail").String()
	for _, f := range p.Get("errors").Array() {
		text += "\n  "
		if file := f.Get("file").String(); file != "" {
			text += file + ": "
		}
		if line := f.Get("line").Int(); line > 0 {
			text += fmt.Sprintf("line %d: ", line)
		}
		text += f.Get("message").String()
	}
	return errors.New(text)
}

// all gives every item of a list, over all its pages.
func (c *adminClient) all(ctx context.Context, path string, query url.Values) ([]gjson.Result, error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", "1000")
	var items []gjson.Result
	for {
		b, err := c.call(ctx, http.MethodGet, path, query, nil)
		if err != nil {
			return nil, err
		}
		page := gjson.ParseBytes(b)
		items = append(items, page.Get("data").Array()...)
		next := page.Get("next").String()
		if next == "" {
			return items, nil
		}
		query.Set("after", next)
	}
}
