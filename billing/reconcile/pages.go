package reconcile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// apiPage is a page of any of the four APIs. OpenAI's buckets begin at a Unix
// time, Anthropic's at an RFC 3339 one.
type apiPage struct {
	Data    []apiBucket `json:"data"`
	HasMore bool        `json:"has_more"`
}

type apiBucket struct {
	Start      *int64      `json:"start_time"`
	StartingAt string      `json:"starting_at"`
	Results    []apiResult `json:"results"`
	Result     []apiResult `json:"result"` // OpenAI's first name of it
}

// apiResult is a row of a bucket.
type apiResult struct {
	Model string `json:"model"` // null: not grouped by it
	openAIResult
	anthropicResult
	// Amount is an object at OpenAI, and at Anthropic a string.
	Amount json.RawMessage `json:"amount"`
}

type openAIResult struct {
	Input      int64  `json:"input_tokens"` // cached and cache-written ones included
	Cached     int64  `json:"input_cached_tokens"`
	CacheWrite int64  `json:"input_cache_write_tokens"`
	Output     int64  `json:"output_tokens"` // shared with Anthropic's
	LineItem   string `json:"line_item"`
}

type anthropicResult struct {
	Uncached  int64 `json:"uncached_input_tokens"`
	CacheRead int64 `json:"cache_read_input_tokens"`
	Creation  struct {
		Hour    int64 `json:"ephemeral_1h_input_tokens"`
		Minutes int64 `json:"ephemeral_5m_input_tokens"`
	} `json:"cache_creation"`
	Currency    string `json:"currency"`
	CostType    string `json:"cost_type"`
	Description string `json:"description"`
}

// pages reads the pages of an API, one after the other or in a list.
func (g *gathering) pages(b []byte) error {
	in := json.NewDecoder(bytes.NewReader(b))
	more := false
	for {
		var raw json.RawMessage
		if err := in.Decode(&raw); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("it is not JSON: %w", err)
		}
		list := []apiPage{{}}
		var to any = &list[0]
		if raw[0] == '[' {
			to = &list
		}
		if err := json.Unmarshal(raw, to); err != nil {
			return fmt.Errorf("it is no page of a usage or cost API: %w", err)
		}
		for i := range list {
			if err := g.page(&list[i]); err != nil {
				return err
			}
			more = list[i].HasMore
		}
	}
	if more {
		return errors.New("its last page says that more follow (has_more): add them to the file")
	}
	return nil
}

func (g *gathering) page(p *apiPage) error {
	for i := range p.Data {
		b := &p.Data[i]
		read, day := g.anthropic, time.Time{}
		if b.Start != nil {
			read, day = g.openAI, time.Unix(*b.Start, 0)
		} else {
			var err error
			if day, err = time.Parse(time.RFC3339, b.StartingAt); err != nil {
				return fmt.Errorf("data[%d] has neither a start_time (OpenAI) nor a starting_at (Anthropic)", i)
			}
		}
		day, err := dayOf(day)
		if err != nil {
			return fmt.Errorf("data[%d]: %w", i, err)
		}
		g.covers(day)
		for j, r := range append(b.Results, b.Result...) {
			if err := read(day, &r); err != nil {
				return fmt.Errorf("data[%d].results[%d]: %w", i, j, err)
			}
		}
	}
	return nil
}

// dayOf is the day of a time in UTC.
func dayOf(t time.Time) (time.Time, error) {
	if y := t.UTC().Year(); y < 2000 || y > 9999 {
		return t, fmt.Errorf("its time is of the year %d", y)
	}
	return t.UTC().Truncate(24 * time.Hour), nil
}

// openAI reads a row of OpenAI's. What has no tokens, such as pictures and
// speech, is not compared.
func (g *gathering) openAI(day time.Time, r *apiResult) error {
	if len(r.Amount) == 0 || string(r.Amount) == "null" {
		return g.use(day, r.Model, Figures{r.Input, r.Cached, r.CacheWrite, r.Output})
	}
	var cost struct {
		Value    json.RawMessage `json:"value"`
		Currency string          `json:"currency"`
	}
	if err := json.Unmarshal(r.Amount, &cost); err != nil {
		return fmt.Errorf("amount: %w", err)
	}
	if err := dollars(cost.Currency); err != nil {
		return err
	}
	usd, err := amount(strings.Trim(string(cost.Value), `"`))
	if err != nil {
		return fmt.Errorf("amount.value: %w", err)
	}
	return g.pay(day, lineItem(r.LineItem), usd)
}

// lineItem is the model of a line of OpenAI's costs, such as "gpt-4o-2024-08-06,
// cached input", "priority | gpt-5.6, output" or "gpt-image-1 text, input". Of
// anything else, such as "web search tool calls", it is the line itself in
// parentheses.
func lineItem(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	name := s[strings.LastIndexByte(s, '|')+1:]
	head, _, parted := strings.Cut(name, ",")
	words := strings.Fields(head)
	switch {
	case len(words) == 1, len(words) == 2 && parted && media[words[1]]:
		return words[0]
	}
	return "(" + s + ")"
}

// media are what a line may be of, after the model's name.
var media = map[string]bool{"text": true, "audio": true, "image": true, "video": true}

// anthropic reads a row of Anthropic's. Its amounts are cents.
func (g *gathering) anthropic(day time.Time, r *apiResult) error {
	if len(r.Amount) == 0 || string(r.Amount) == "null" {
		for _, n := range [...]int64{r.Uncached, r.CacheRead, r.Creation.Hour, r.Creation.Minutes} {
			if n < 0 || n > mostTokens {
				return fmt.Errorf("%d is no number of tokens", n)
			}
		}
		written := r.Creation.Hour + r.Creation.Minutes
		return g.use(day, r.Model, Figures{r.Uncached + r.CacheRead + written, r.CacheRead, written, r.Output})
	}
	if err := dollars(r.Currency); err != nil {
		return err
	}
	usd, err := amount(strings.Trim(string(r.Amount), `"`))
	if err != nil {
		return fmt.Errorf("amount: %w", err)
	}
	model := r.Model
	if other := cmp.Or(r.CostType, r.Description); model == "" && other != "" {
		model = "(" + other + ")" // searches and the like
	}
	return g.pay(day, model, usd.Quo(usd, hundred))
}
