package openai

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// passes are the operations that go through as they are. What their answers
// tell of usage is from OpenAI's reference (audio, images, moderations, files,
// batches, realtime; read 2026-11-24) and from recorded answers.
var passes = map[schema.Operation]*dialect.Pass{
	schema.OpModerate:   {Usage: passUsage("results")},
	schema.OpImage:      {Usage: imageUsage, Scan: newEventScanner},
	schema.OpSpeech:     {Usage: noUsage, Scan: newEventScanner},
	schema.OpTranscribe: {Usage: transcriptUsage, Scan: newEventScanner},
	schema.OpFile:       {Usage: noUsage},
	schema.OpBatch:      {Usage: noUsage},
	schema.OpRealtime:   {Usage: noUsage},
}

func noUsage([]byte, *dialect.Tally) error { return nil }

// passUsage reads the usage beside the field that makes a body an answer.
func passUsage(field string) func([]byte, *dialect.Tally) error {
	return func(body []byte, t *dialect.Tally) error {
		usage, _, err := answerParts(body, field)
		if err == nil && usage.read(t) {
		}
		return err
	}
}

// imageUsage counts the pictures of an answer. Models that are paid by tokens
// tell these as well.
func imageUsage(body []byte, t *dialect.Tally) error {
	usage, data, err := answerParts(body, "data")
	if err != nil {
		return err
	}
	t.Usage.Source = schema.UsageReported
	usage.read(t)
	each(data, func(gjson.Result) { t.Usage.Images++ })
	return nil
}

// transcriptUsage reads a transcript's usage: tokens, or the length of the
// sound, whose seconds are counted as tokens of audio input (a price of 0.006
// dollars a minute is 100 dollars a million). Transcripts may be plain text,
// which tells neither.
func transcriptUsage(body []byte, t *dialect.Tally) error {
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 || trimmed[0] != '{' || !gjson.ValidBytes(trimmed) {
		t.Text.Add(body)
		return nil
	}
	root := gjson.Parse(wire.View(trimmed))
	if fault := root.Get("error"); fault.Exists() && fault.Type != gjson.Null && !root.Get("text").Exists() {
		return bodyError(trimmed)
	}
	t.Text.Add([]byte(root.Get("text").Str))
	readTranscript(root, t)
	return nil
}

func readTranscript(root gjson.Result, t *dialect.Tally) {
	usage := root.Get("usage")
	switch {
	case usage.Get("type").Str == "duration":
		t.Usage = heard(usage.Get("seconds"))
	case usage.IsObject():
		t.Usage = wire.ReadUsage(usage)
	case root.Get("duration").Exists(): // a number, or one in a string
		t.Usage = heard(root.Get("duration"))
	}
}

// heard is the usage of so many seconds of sound, of which a part counts whole.
func heard(v gjson.Result) schema.Usage {
	seconds, err := strconv.ParseFloat(v.String(), 64)
	if err != nil || !(seconds > 0) || seconds > 1e9 {
		return schema.Usage{}
	}
	n := int64(math.Ceil(seconds))
	return schema.Usage{Input: n, AudioInput: n, Source: schema.UsageReported}
}

// eventScanner looks at the events of spoken text, transcripts and pictures.
// Their kind is in the field type; the last ones end in .done or .completed
// and tell the usage. Some of OpenAI's streams end with [DONE] besides.
type eventScanner struct {
	joined []byte
	over   bool
}

func newEventScanner() dialect.Scanner { return &eventScanner{} }

// Ended is dialect.Ender's.
func (s *eventScanner) Ended() bool { return s.over }

// Scan is dialect.Scanner's.
func (s *eventScanner) Scan(frame []byte, t *dialect.Tally) (keep bool, err error) {
	name, data, ok := wire.Event(frame)
	if !ok {
		if data, ok = wire.JoinData(s.joined[:0], frame); !ok {
			return true, nil // a comment
		}
		s.joined = data
	}
	if isDone(data) {
		t.Done = true
		return true, nil
	}
	root := gjson.Parse(wire.View(data))
	kind := root.Get("type").Str
	switch {
	case kind == "error" || name == "error" || kind == "" && root.Get("error").IsObject():
		return false, frameError("error", data)
	case kind == "transcript.text.delta":
		t.Text.Add([]byte(root.Get("delta").Str))
	case strings.HasSuffix(kind, ".done"), strings.HasSuffix(kind, ".completed"):
		s.over = true
		s.last(kind, root, t)
	}
	return true, nil
}

// last takes in what an event that ends something tells.
func (s *eventScanner) last(kind string, root gjson.Result, t *dialect.Tally) {
	images := t.Usage.Images
	if strings.HasPrefix(kind, "image_") {
		images++
	}
	before := t.Usage
	readTranscript(root, t)
	if images == 0 {
		return
	}
	if t.Usage.Source == schema.UsageReported && before.Source == schema.UsageReported && root.Get("usage").IsObject() {
		t.Usage.Input += before.Input // each picture's event tells its own
		t.Usage.Output += before.Output
	}
	t.Usage.Images, t.Usage.Source = images, schema.UsageReported
}
