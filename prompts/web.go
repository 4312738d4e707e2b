package prompts

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sluice/prompts/ordered"
)

// Retirement is how a version of a prompt goes out of use: RFC 9745 and RFC
// 8594 tell callers.
type Retirement struct {
	Deprecated time.Time // zero: it is not
	Sunset     time.Time // from then on it is not served; zero: it is not known
	Link       string    // of a page that tells what to do; empty: none
}

// Retirement is what a prompt says of one of its versions: of that very one, or
// of all (*); nil: nothing.
func (s *Settings) Retirement(version int) *Retirement {
	if len(s.Versions) == 0 {
		return nil
	}
	if r, ok := s.Versions[version]; ok {
		return r
	}
	return s.Versions[0]
}

// versions reads {"1": {deprecated: 2026-06-01, sunset: 2027-06-01, link: …}}.
func (m *metadata) versions(key string, v any) {
	o, ok := v.(ordered.Object)
	if !ok {
		m.fault(key, `must be a mapping such as {"1": {sunset: 2027-06-01}}, not %s`, kindOf(v))
		return
	}
	s := &m.t.Sluice
	s.Versions = map[int]*Retirement{}
	for _, f := range o {
		n, err := strconv.Atoi(f.Key)
		if f.Key == "*" {
			n, err = 0, nil
		} else if err != nil || n < 1 {
			m.fault(key, "%q is no version: it must be a number from 1 on, or *", f.Key)
			continue
		}
		terms, ok := f.Value.(ordered.Object)
		if !ok {
			m.fault(key, "version %s must be a mapping such as {sunset: 2027-06-01}, not %s", f.Key, kindOf(f.Value))
		}
		s.Versions[n] = m.retirement(key, f.Key, terms)
	}
}

func (m *metadata) retirement(key, version string, o ordered.Object) *Retirement {
	r := &Retirement{}
	for _, f := range o {
		text, _ := f.Value.(string)
		switch f.Key {
		case "deprecated":
			r.Deprecated = m.time(key, version+"."+f.Key, text)
		case "sunset":
			r.Sunset = m.time(key, version+"."+f.Key, text)
		case "link":
			r.Link = text
			if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(text, "<> \r\n") {
				m.fault(key, "%s.link must be a URL such as https://host/page", version)
			}
		default:
			m.fault(key, "unknown key %q%s", version+"."+f.Key, meant(f.Key, []string{"deprecated", "sunset", "link"}))
		}
	}
	if !r.Sunset.IsZero() && r.Sunset.Before(r.Deprecated) {
		m.fault(key, "%s.sunset is before it is deprecated", version)
	}
	return r
}

// time reads a date, whose first moment in UTC it is, or an RFC 3339 time.
func (m *metadata) time(key, what, text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		m.fault(key, "%s must be a date such as 2027-06-01, or a time", what)
	}
	return t.UTC()
}

// cors reads {origins: [https://app.example.com]}; * is every origin.
func (m *metadata) cors(key string, v any) {
	o, ok := v.(ordered.Object)
	if !ok {
		m.fault(key, "must be a mapping such as {origins: [https://app.example.com]}, not %s", kindOf(v))
		return
	}
	for _, f := range o {
		if f.Key != "origins" {
			m.fault(key, "unknown key %q%s", f.Key, meant(f.Key, []string{"origins"}))
			continue
		}
		list, ok := texts(f.Value)
		if !ok {
			m.fault(key, "origins must be a list such as [https://app.example.com]")
		}
		for _, origin := range list {
			u, err := url.Parse(origin)
			if origin != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin) {
				m.fault(key, "%q is no origin such as https://app.example.com, nor *", origin)
			}
		}
		m.t.Sluice.Origins = list
	}
}

// mostTags bounds the tags of a prompt, longestTag each of them in bytes.
const (
	mostTags   = 20
	longestTag = 40
)

// tags reads the words by which people find a prompt.
func (m *metadata) tags(key string, v any) []string {
	list, ok := texts(v)
	if !ok || len(list) > mostTags || slices.ContainsFunc(list, func(t string) bool {
		return t == "" || len(t) > longestTag || strings.ContainsFunc(t, unicode.IsControl)
	}) {
		m.fault(key, "must be a list of at most %d words of at most %d bytes, such as [text, support]", mostTags, longestTag)
		return nil
	}
	return list
}
