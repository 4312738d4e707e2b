package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sluice/bench/proc"
)

// visitor is a browser, as far as the time and weight of pages go.
type visitor struct {
	http.Client
	base   string
	assets map[string]int64 // what each weighs
}

// signIn makes a visitor of one of the gateway's faces, who is signed in.
func signIn(ctx context.Context, addr, path string, form url.Values) (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visitor{base: "http://" + addr, assets: map[string]int64{}}
	v.Jar = jar
	v.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := v.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // its status says all
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("cannot sign in at %s: %s", path, res.Status)
	}
	return v, nil
}

// get reads all of an answer, and tells how long that took.
func (v *visitor) get(ctx context.Context, path string) (body []byte, took time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+path, nil)
	if err != nil {
		return nil, 0, err
	}
	client := v.Client
	if strings.HasSuffix(path, "/sign-in") { // a page for who is not
		client.Jar = nil
	}
	begin := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	body, err = io.ReadAll(res.Body)
	took = time.Since(begin)
	switch {
	case err != nil:
		return nil, took, err
	case res.StatusCode == http.StatusBadRequest && strings.Contains(string(body), "would have more than"):
		return body, took, errTooMany
	case res.StatusCode != http.StatusOK:
		return nil, took, fmt.Errorf("GET %s: %s: %.300s", path, res.Status, body)
	}
	return body, took, nil
}

// loaded finds what a page loads beside itself: its policy lets it load no more
// than these.
var loaded = regexp.MustCompile(`<(?:link|script|img)\b[^>]*?\b(?:href|src)="([^"]+)"`)

// weigh is what the assets of a page weigh, each once.
func (v *visitor) weigh(ctx context.Context, body []byte) (sum int64, err error) {
	seen := map[string]bool{}
	for _, m := range loaded.FindAllSubmatch(body, -1) {
		path := string(m[1])
		if seen[path] || strings.HasPrefix(path, "data:") { // which is in the page already
			continue
		}
		seen[path] = true
		if v.assets[path] == 0 {
			asset, _, err := v.get(ctx, path)
			if err != nil {
				return 0, err
			}
			v.assets[path] = int64(len(asset))
		}
		sum += v.assets[path]
	}
	return sum, nil
}

// seen is what a page took and weighed.
type seen struct {
	page
	median, worst time.Duration
	cpu           time.Duration // of the gateway, once
	bytes, all    int64         // all with what it loads
	refused       bool          // it tells that the report would be too long
}

// see asks for a page some times; pid is the gateway's.
func (v *visitor) see(ctx context.Context, p page, rounds, pid int) (seen, error) {
	s := seen{page: p}
	before, err := proc.CPU(pid)
	if err != nil {
		return s, err
	}
	var times []time.Duration
	for range rounds {
		body, took, err := v.get(ctx, p.path)
		if s.refused = errors.Is(err, errTooMany); err != nil && !s.refused {
			return s, err
		}
		times = append(times, took)
		if n := int64(len(body)); n > s.bytes {
			s.bytes = n
			loads, err := v.weigh(ctx, body)
			if err != nil {
				return s, err
			}
			s.all = n + loads
		}
	}
	after, err := proc.CPU(pid)
	s.worst, s.median, s.cpu = slices.Max(times), median(times), (after-before)/time.Duration(rounds)
	return s, err
}

// seePages asks for every page of the console and of the portal, and tells how
// many missed a bound.
func (o *options) seePages(ctx context.Context, g *gateway, w *world) (missed int, err error) {
	key := "sk-ledger-" + w.keys[3].id
	for _, face := range []struct {
		name, addr, path string
		form             url.Values
		pages            []page
	}{
		{"console", g.admin, "/sign-in", url.Values{"token": {adminToken}}, consolePages(w)},
		{"portal", g.data, "/portal/sign-in", url.Values{"key": {key}}, portalPages(w)},
	} {
		v, err := signIn(ctx, face.addr, face.path, face.form)
		if err != nil {
			return missed, err
		}
		var all []seen
		for _, p := range face.pages {
			s, err := v.see(ctx, p, o.rounds, g.cmd.Process.Pid)
			if err != nil {
				return missed, err
			}
			all = append(all, s)
		}
		missed += o.tellPages(face.name, all)
	}
	return missed, nil
}

// tellPages prints every page of a face, and how many missed a bound.
func (o *options) tellPages(face string, of []seen) (missed int) {
	var slowest, cpu time.Duration
	var medians []time.Duration
	var weight int64
	fmt.Printf("%s: median, worst, CPU, kB of the page, kB with what it loads\n", face)
	for _, s := range of {
		var marks []string
		if s.worst > o.limit && !s.file {
			marks = append(marks, "SLOW")
		}
		if s.all > heaviest && !s.file {
			marks = append(marks, "HEAVY")
		}
		if len(marks) > 0 {
			missed++
		}
		if s.refused {
			marks = append(marks, "refused as too long")
		}
		if s.file {
			marks = append(marks, "a file")
		} else {
			weight, slowest, cpu, medians = max(weight, s.all), max(slowest, s.worst), max(cpu, s.cpu), append(medians, s.median)
		}
		fmt.Printf("  %6.1f ms %6.1f ms %4.0f ms %6.1f %6.1f %s %s\n", ms(s.median), ms(s.worst), ms(s.cpu), float64(s.bytes)/1000, float64(s.all)/1000, s.path, strings.Join(marks, ", "))
	}
	fmt.Printf("%-24s %3d pages, median %v, slowest %v, most CPU %v, heaviest %d bytes with what it loads; %d missed a bound\n", face, len(medians),
		median(medians).Round(time.Millisecond), slowest.Round(time.Millisecond), cpu.Round(time.Millisecond), weight, missed)
	return missed
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
