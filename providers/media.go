package providers

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// Fetch gets what is at a URL: its media type and its bytes. Errors are
// *schema.Error without Param; it must be safe for many goroutines.
type Fetch func(ctx context.Context, url string) (mime string, data []byte, err error)

const (
	maxFetches   = 100 // URLs of one call
	fetchesAtOne = 4   // URLs of one call at one time
)

// fetched are the media of a call, kept for all its attempts.
type fetched struct {
	mu    sync.Mutex
	byURL map[string]*medium
}

// medium is what was at a URL, or why it could not be had.
type medium struct {
	mime, data string // base64
	err        error
}

// place is where media stand.
type place struct{ message, part int }

func (at place) String() string { return fmt.Sprintf("messages[%d].content[%d]", at.message, at.part) }

// invalid is a fault of the media at this place.
func (at place) invalid(format string, args ...any) *schema.Error {
	return schema.Invalid(at.String(), "%s: %s", at, fmt.Sprintf(format, args...))
}

// remote are the places of the media that a dialect needs the bytes of.
func remote(chat *dialect.Chat, messages []schema.Message) []place {
	if chat == nil || chat.NeedsBytes == nil {
		return nil
	}
	var places []place
	for i := range messages {
		parts := messages[i].Parts
		for j := range parts {
			if m := parts[j].Media; m != nil && m.Data == "" && m.FileID == "" && isWeb(m.URL) && chat.NeedsBytes(&parts[j]) {
				places = append(places, place{i, j})
			}
		}
	}
	return places
}

// isWeb tells whether a URL is one that can be fetched.
func isWeb(url string) bool {
	scheme, _, ok := strings.Cut(url, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// withBytes gives messages in which media that the provider takes as data only
// are data. messages is not changed; it is the answer where there are none.
func (p *Provider) withBytes(ctx context.Context, c *Call, chat *dialect.Chat, messages []schema.Message) ([]schema.Message, error) {
	places := remote(chat, messages)
	if len(places) == 0 || p.opt.Fetch == nil {
		return messages, nil
	}
	if !c.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, c.Deadline)
		defer cancel()
	}
	media, err := p.media(ctx, c.Request, messages, places)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(messages)
	total, last := int64(0), -1
	for _, at := range places {
		m := media[messages[at.message].Parts[at.part].Media.URL]
		if m != nil {
			total += int64(len(m.data)) / 4 * 3
		}
		if m == nil || p.opt.FetchTotal > 0 && total > p.opt.FetchTotal { // those before are too large already, or this makes them so
			return nil, at.invalid("the media given by URL are larger than %d bytes together", p.opt.FetchTotal)
		}
		if last != at.message {
			out[at.message].Parts, last = slices.Clone(out[at.message].Parts), at.message
		}
		part := &out[at.message].Parts[at.part]
		if want := wanted(part); want != "" && !m.is(want) {
			return nil, at.invalid("%s is at that URL, where %s was to be", m.mime, want)
		}
		part.Media = m.in(part)
	}
	return out, nil
}

// failed names the place of a failure to fetch.
func (at place) failed(err error) error {
	e := *schema.AsError(err)
	if e.Class == schema.ClassInvalidRequest {
		e.Param, e.Message = at.String(), at.String()+": "+e.Message
	}
	return &e
}

// wanted is what the caller said that there is: image, audio or video; empty:
// anything that can be read.
func wanted(p *schema.Part) string {
	switch p.Type {
	case schema.PartImage:
		return "image"
	case schema.PartAudio:
		return "audio"
	}
	switch kind, _, _ := strings.Cut(p.Media.MIME, "/"); kind {
	case "image", "audio", "video":
		return kind
	}
	return ""
}

// is tells whether the medium is of a kind. Sound may be in a film's container.
func (m *medium) is(kind string) bool {
	got, _, _ := strings.Cut(m.mime, "/")
	return got == kind || kind == "audio" && got == "video"
}

// in is the medium in the place of a part's URL. A document is named as its
// URL ends, where the caller gave it no name.
func (m *medium) in(part *schema.Part) *schema.Media {
	out := *part.Media
	out.URL, out.MIME, out.Data = "", m.mime, m.data
	if u, err := url.Parse(part.Media.URL); err == nil && out.Filename == "" && part.Type == schema.PartDocument {
		if name := path.Base(u.Path); name != "." && name != "/" {
			out.Filename = name
		}
	}
	return &out
}

// media are the media at these places, by URL. What an attempt before got, or
// failed to get, is not asked for again.
func (p *Provider) media(ctx context.Context, r *Request, messages []schema.Message, places []place) (map[string]*medium, error) {
	r.fetched.mu.Lock() // also while they are fetched: attempts at one time share them
	defer r.fetched.mu.Unlock()
	if r.fetched.byURL == nil {
		r.fetched.byURL = make(map[string]*medium)
	}
	known := r.fetched.byURL
	var missing []string
	for _, at := range places {
		address := messages[at.message].Parts[at.part].Media.URL
		if known[address] != nil || slices.Contains(missing, address) {
			continue
		}
		if len(known)+len(missing) >= maxFetches {
			return nil, at.invalid("at most %d media are fetched by URL", maxFetches)
		}
		missing = append(missing, address)
	}
	for i, m := range p.fetchAll(ctx, missing) {
		switch {
		case m == nil: // not begun, for another failed
		case m.err != nil && schema.AsError(m.err).Class != schema.ClassInvalidRequest:
			return nil, m.err // the call ended
		default:
			known[missing[i]] = m
		}
	}
	for _, at := range places {
		if m := known[messages[at.message].Parts[at.part].Media.URL]; m != nil && m.err != nil {
			return nil, at.failed(m.err)
		}
	}
	return known, nil
}

// fetchAll gets URLs, some at one time. After a failure, and once they are too
// large together, no more are begun: those are nil.
func (p *Provider) fetchAll(ctx context.Context, urls []string) []*medium {
	got := make([]*medium, len(urls))
	var next, total atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	for range min(fetchesAtOne, len(urls)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(urls)) && !failed.Load(); i = next.Add(1) - 1 {
				m := &medium{}
				var data []byte
				m.mime, data, m.err = p.opt.Fetch(ctx, urls[i])
				m.data = base64.StdEncoding.EncodeToString(data)
				if sum := total.Add(int64(len(data))); m.err != nil || p.opt.FetchTotal > 0 && sum > p.opt.FetchTotal {
					failed.Store(true)
				}
				got[i] = m
			}
		})
	}
	wg.Wait()
	return got
}
