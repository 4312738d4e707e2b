package openai

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

func TestPassUsage(t *testing.T) {
	reported := func(u schema.Usage) schema.Usage { u.Source = schema.UsageReported; return u }
	for name, c := range map[string]struct {
		op   schema.Operation
		body string
		want schema.Usage
		text string
	}{
		"moderation without usage":   {schema.OpModerate, `{"results":[]}`, schema.Usage{}, ""},
		"moderation with usage":      {schema.OpModerate, `{"results":[],"usage":{"prompt_tokens":7}}`, reported(schema.Usage{Input: 7}), ""},
		"pictures by the piece":      {schema.OpImage, `{"created":1,"data":[{"url":"a"},{"url":"b"}]}`, reported(schema.Usage{Images: 2}), ""},
		"pictures by tokens":         {schema.OpImage, `{"data":[{}],"usage":{"input_tokens":5,"input_tokens_details":{"image_tokens":0,"text_tokens":5},"output_tokens":272,"total_tokens":277}}`, reported(schema.Usage{Input: 5, Output: 272, Images: 1}), ""},
		"a transcript with tokens":   {schema.OpTranscribe, `{"text":"a","usage":{"type":"tokens","input_tokens":9,"input_token_details":{"audio_tokens":8},"output_tokens":2}}`, reported(schema.Usage{Input: 9, AudioInput: 8, Output: 2}), "a"},
		"a transcript with seconds":  {schema.OpTranscribe, `{"text":"a","usage":{"type":"duration","seconds":2}}`, reported(schema.Usage{Input: 2, AudioInput: 2}), "a"},
		"a transcript with a length": {schema.OpTranscribe, `{"text":"a","duration":"3.01"}`, reported(schema.Usage{Input: 4, AudioInput: 4}), "a"},
		"a length that is none":      {schema.OpTranscribe, `{"text":"a","duration":-1}`, schema.Usage{}, "a"},
		"plain text":                 {schema.OpTranscribe, "WEBVTT\n\nhello", schema.Usage{}, "WEBVTT\n\nhello"},
		"text with a brace":          {schema.OpTranscribe, "{laughs} hello", schema.Usage{}, "{laughs} hello"},
		"a file":                     {schema.OpFile, "anything", schema.Usage{}, ""},
	} {
		var tally dialect.Tally
		if err := Dialect.Pass[c.op].Usage([]byte(c.body), &tally); err != nil || tally.Usage != c.want || string(tally.Text.Sample) != c.text {
			t.Errorf("%s: %+v %q %v", name, tally.Usage, tally.Text.Sample, err)
		}
	}
	for op, body := range map[schema.Operation]string{
		schema.OpModerate:   `{"id":"x"}`,
		schema.OpImage:      `<html>`,
		schema.OpTranscribe: `{"error":{"message":"no"}}`,
	} {
		if err := Dialect.Pass[op].Usage([]byte(body), new(dialect.Tally)); err == nil {
			t.Errorf("%s: %s is taken for an answer", op, body)
		}
	}
}

func TestPassScan(t *testing.T) {
	run := func(body string) (*eventScanner, dialect.Tally, error) {
		s, tally := &eventScanner{}, dialect.Tally{}
		for _, frame := range cutFrames(t, []byte(body)) {
			if _, err := s.Scan(frame, &tally); err != nil {
				return s, tally, err
			}
		}
		return s, tally, nil
	}
	pictures := `event: image_generation.partial_image` + "\n" + `data: {"type":"image_generation.partial_image","b64_json":"AA=="}` + "\n\n" +
		`data: {"type":"image_generation.completed","b64_json":"AA==","usage":{"input_tokens":5,"output_tokens":100,"total_tokens":105}}` + "\n\n" +
		`data: {"type":"image_generation.completed","b64_json":"AA==","usage":{"input_tokens":5,"output_tokens":100,"total_tokens":105}}` + "\n\n"
	s, tally, err := run(pictures)
	if want := (schema.Usage{Input: 10, Output: 200, Images: 2, Source: schema.UsageReported}); err != nil || tally.Usage != want || !s.Ended() || tally.Done {
		t.Errorf("pictures: %+v %v", tally.Usage, err)
	}
	if s, tally, err := run(": hello\n\ndata: {\"type\":\"transcript.text.delta\",\"delta\":\"a\"}\n\n"); err != nil || s.Ended() || string(tally.Text.Sample) != "a" {
		t.Errorf("no end: %+v %v", tally, err)
	}
	for _, body := range []string{`data: {"type":"error","error":{"message":"no"}}`, `data: {"error":{"message":"no"}}`, "event: error\ndata: {\"message\":\"no\"}"} {
		if _, _, err := run(body + "\n\n"); err == nil || schema.AsError(err).Message != "no" {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// Recorded answers of every host that speaks the format.
func TestRecordedPassed(t *testing.T) {
	ops := map[string]schema.Operation{"images": schema.OpImage, "moderation": schema.OpModerate, "transcription": schema.OpTranscribe}
	want := map[string]schema.Usage{
		"openai-images-text.2":                      {Images: 1, Source: schema.UsageReported},
		"openai-moderation-text.2":                  {},
		"openai-transcription-stream-audio_input.2": {Input: 37, AudioInput: 37, Output: 12, Source: schema.UsageReported},
		"openrouter-transcription-audio_input":      {Input: 37, Output: 12, Source: schema.UsageReported},
		"mistral-transcription-audio_input":         {Input: 378, AudioInput: 375, Output: 11, Source: schema.UsageReported},
		"xai-transcription-text":                    {Input: 4, AudioInput: 4, Source: schema.UsageReported},
		"xai-transcription-text.2":                  {Input: 4, AudioInput: 4, Source: schema.UsageReported},
	}
	for endpoint, op := range ops {
		for _, c := range captures(t, endpoint) {
			t.Run(c.ID, func(t *testing.T) {
				if c.Response.Status >= 400 {
					if e := Dialect.Error(c.Response.Status, func(string) string { return "" }, c.body); e.Message != gjson.GetBytes(c.body, "error.message").Str || e.Class != schema.ClassInvalidRequest {
						t.Errorf("error is %+v", e)
					}
					return
				}
				var tally dialect.Tally
				var err error
				if c.Stream != "" {
					s := Dialect.Pass[op].Scan()
					for _, frame := range cutFrames(t, c.body) {
						if _, err = s.Scan(frame, &tally); err != nil {
							break
						}
					}
					if !tally.Done || !s.(dialect.Ender).Ended() || !strings.HasPrefix(string(tally.Text.Sample), "Ruby is") {
						t.Errorf("the stream tells %+v", tally)
					}
				} else {
					err = Dialect.Pass[op].Usage(c.body, &tally)
				}
				if w, known := want[c.ID]; err != nil || !known || tally.Usage != w {
					t.Errorf("usage is %+v, want %+v, %v", tally.Usage, w, err)
				}
			})
		}
	}
}

func FuzzPass(f *testing.F) {
	f.Add([]byte(`{"text":"a","usage":{"type":"duration","seconds":2},"data":[1],"results":[]}`))
	f.Add([]byte("data: {\"type\":\"x.done\",\"usage\":{\"input_tokens\":1}}\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for op, p := range Dialect.Pass {
			var tally dialect.Tally
			if err := p.Usage(b, &tally); err == nil && (tally.Usage.Input < 0 || tally.Usage.Images < 0 || tally.Usage.AudioInput > tally.Usage.Input) {
				t.Fatalf("%s: usage is %+v", op, tally.Usage)
			}
			if p.Scan != nil {
				_, _ = p.Scan().Scan(b, &tally) // must not panic
			}
		}
	})
}
