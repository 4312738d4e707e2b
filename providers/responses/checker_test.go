package responses

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/sse"

	"sluice/providers/dialect"
)

// checker holds a stream against the API's grammar: the order of events, their
// numbers, that what is done is what its deltas told, and that the last event
// repeats all items. It is what a strict client would do.
type checker struct {
	n     int64
	ended bool
	items []checkedItem
}

type checkedItem struct {
	id, kind string
	parts    []string // texts, summaries or arguments by now
	open     bool     // a part is
	marks    int
	done     gjson.Result
}

// checkStream reads a whole stream; what is wrong with it is an error.
func checkStream(stream []byte) (response gjson.Result, err error) {
	var c checker
	err = sse.Events(stream, func(f dialect.Frame) error {
		if !json.Valid(f.Data) {
			return fmt.Errorf("not JSON: %s", f.Data)
		}
		v := gjson.ParseBytes(append([]byte(nil), f.Data...))
		if f.Event != v.Get("type").Str {
			return fmt.Errorf("event %q holds type %q", f.Event, v.Get("type").Str)
		}
		if c.ended {
			return fmt.Errorf("%s after the end", f.Event)
		}
		if seq := v.Get("sequence_number"); seq.Type != gjson.Number || seq.Int() != c.n {
			return fmt.Errorf("%s has number %s, want %d", f.Event, seq.Raw, c.n)
		}
		c.n++
		if err := c.event(f.Event, v); err != nil {
			return fmt.Errorf("%s: %w: %s", f.Event, err, f.Data)
		}
		if c.ended {
			response = v.Get("response")
		}
		return nil
	})
	if err == nil && !c.ended {
		err = fmt.Errorf("the stream has no end")
	}
	return response, err
}

func (c *checker) event(name string, v gjson.Result) error {
	switch name {
	case eventCreated, eventInProgress:
		if want := map[string]int64{eventCreated: 0, eventInProgress: 1}[name]; c.n-1 != want {
			return fmt.Errorf("is not event %d", want)
		}
		return checkResponse(v.Get("response"), "in_progress")
	case eventCompleted, eventIncomplete:
		c.ended = true
		return c.end(v.Get("response"), strings.TrimPrefix(name, "response."))
	case eventItemAdded:
		return c.added(v)
	}
	at := v.Get("output_index").Int()
	if !v.Get("output_index").Exists() || at >= int64(len(c.items)) {
		return fmt.Errorf("no item was added at %d", at)
	}
	item := &c.items[at]
	if item.done.Exists() {
		return fmt.Errorf("the item is done")
	}
	if name == eventItemDone {
		return item.end(v.Get("item"))
	}
	if v.Get("item_id").Str != item.id {
		return fmt.Errorf("item_id is %q, want %q", v.Get("item_id").Str, item.id)
	}
	return item.event(name, v)
}

func (c *checker) added(v gjson.Result) error {
	item := v.Get("item")
	if v.Get("output_index").Int() != int64(len(c.items)) {
		return fmt.Errorf("output_index is not %d", len(c.items))
	}
	ours := true // else it is the provider's, verbatim
	switch item.Get("type").Str {
	case itemMessage, itemReasoning, itemCall, itemCustom:
	default:
		ours = false
	}
	for i := range c.items {
		if c.items[i].id == item.Get("id").Str && ours {
			return fmt.Errorf("the id was there before")
		}
		if !c.items[i].done.Exists() && c.items[i].kind != itemCall && c.items[i].kind != itemCustom {
			return fmt.Errorf("item %d is open", i)
		}
	}
	c.items = append(c.items, checkedItem{id: item.Get("id").Str, kind: item.Get("type").Str})
	if ours && item.Get("id").Str == "" || item.Get("type").Str == "" {
		return fmt.Errorf("the item has no id or type")
	}
	return nil
}

func (i *checkedItem) event(name string, v gjson.Result) error {
	field, index := "content_index", ""
	switch name {
	case eventSummaryPart, eventSummary, eventSummaryDone, eventSummaryEnd:
		field = "summary_index"
	case eventArguments, eventArgumentsDone, eventCustomInput, eventCustomDone:
		field = ""
	}
	n := len(i.parts) - 1
	switch name {
	case eventPartAdded, eventSummaryPart:
		if i.open {
			return fmt.Errorf("the last part is open")
		}
		i.parts, i.open, i.marks, n = append(i.parts, ""), true, 0, n+1
	case eventArguments, eventCustomInput:
		if n < 0 {
			i.parts, i.open, n = append(i.parts, ""), true, 0
		}
	case eventArgumentsDone, eventCustomDone:
		if n < 0 {
			i.parts, n = append(i.parts, "{}"), 0
		}
		i.open = true
	}
	if field != "" {
		if index = v.Get(field).Raw; index != fmt.Sprint(n) {
			return fmt.Errorf("%s is %s, want %d", field, index, n)
		}
	}
	if !i.open {
		return fmt.Errorf("no part is open")
	}
	same := func(path string) error {
		if got := v.Get(path).Str; got != i.parts[n] {
			return fmt.Errorf("%s is %q, want %q", path, got, i.parts[n])
		}
		return nil
	}
	switch name {
	case eventText, eventRefusal, eventSummary, eventArguments, eventCustomInput:
		if v.Get("delta").Type != gjson.String || v.Get("delta").Str == "" {
			return fmt.Errorf("there is no delta")
		}
		i.parts[n] += v.Get("delta").Str
	case eventAnnotation:
		if v.Get("annotation_index").Int() != int64(i.marks) || !v.Get("annotation.type").Exists() {
			return fmt.Errorf("annotation_index is not %d", i.marks)
		}
		i.marks++
	case eventTextDone, eventSummaryDone:
		return same("text")
	case eventRefusalDone:
		return same("refusal")
	case eventArgumentsDone:
		i.open = false
		return same("arguments")
	case eventCustomDone:
		i.open = false
		return same("input")
	case eventPartDone, eventSummaryEnd:
		i.open = false
		if v.Get("part.type").Str == "refusal" {
			return same("part.refusal")
		}
		if got := len(v.Get("part.annotations").Array()); got != i.marks {
			return fmt.Errorf("%d annotations, want %d", got, i.marks)
		}
		return same("part.text")
	case eventPartAdded, eventSummaryPart:
	default:
		return fmt.Errorf("the event is not known")
	}
	return nil
}

// end holds a done item against its parts.
func (i *checkedItem) end(item gjson.Result) error {
	i.done = item
	if i.open {
		return fmt.Errorf("a part is open")
	}
	if item.Get("id").Str != i.id || item.Get("type").Str != i.kind {
		return fmt.Errorf("it was another item before")
	}
	var got []string
	switch i.kind {
	case itemMessage:
		for _, p := range item.Get("content").Array() {
			got = append(got, p.Get("text").Str+p.Get("refusal").Str)
		}
	case itemReasoning:
		for _, p := range item.Get("summary").Array() {
			got = append(got, p.Get("text").Str)
		}
	case itemCall:
		got = []string{item.Get("arguments").Str}
	case itemCustom:
		got = []string{item.Get("input").Str}
	default:
		return nil
	}
	if strings.Join(got, "\x00") != strings.Join(i.parts, "\x00") {
		return fmt.Errorf("the item holds %q, want %q", got, i.parts)
	}
	return nil
}

func (c *checker) end(response gjson.Result, status string) error {
	output := response.Get("output").Array()
	if len(output) != len(c.items) {
		return fmt.Errorf("%d items, want %d", len(output), len(c.items))
	}
	for i := range output {
		if output[i].Raw != c.items[i].done.Raw {
			return fmt.Errorf("item %d is %s, want %s", i, output[i].Raw, c.items[i].done.Raw)
		}
	}
	return checkResponse(response, status)
}

// checkResponse looks for what the SDKs' types say is always there.
func checkResponse(r gjson.Result, status string) error {
	if r.Get("status").Str != status {
		return fmt.Errorf("status is %q, want %q", r.Get("status").Str, status)
	}
	if !strings.HasPrefix(r.Get("id").Str, "resp_") || r.Get("object").Str != "response" {
		return fmt.Errorf("it is no response")
	}
	for _, field := range []string{"created_at", "error", "incomplete_details", "instructions", "metadata", "model", "output", "parallel_tool_calls",
		"temperature", "tool_choice", "tools", "top_p", "max_output_tokens", "previous_response_id", "reasoning", "service_tier", "store", "text", "truncation", "usage", "user"} {
		if !r.Get(field).Exists() {
			return fmt.Errorf("it has no %s", field)
		}
	}
	if done := status != "in_progress"; done != r.Get("usage.total_tokens").Exists() {
		return fmt.Errorf("usage is %s", r.Get("usage").Raw)
	}
	if (status == "incomplete") != r.Get("incomplete_details.reason").Exists() {
		return fmt.Errorf("incomplete_details is %s", r.Get("incomplete_details").Raw)
	}
	return nil
}
