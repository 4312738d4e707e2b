package mock

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"sluice/providers/schema"
)

// onePixel is a PNG of one pixel.
var onePixel = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x04\x00\x00\x00\xb5\x1c\x0c\x02" +
	"\x00\x00\x00\vIDATx\xdacd\xf8\x0f\x00\x01\x05\x01\x01'\x18\xe3f\x00\x00\x00\x00IEND\xaeB`\x82")

// picture makes as many pictures as are asked for, all the same pixel.
func (m *Mock) picture(f form) (*schema.PassResponse, error) {
	n := f.number("n", 1)
	if n < 1 || n > 10 {
		return nil, schema.Invalid("n", "n must be between 1 and 10")
	}
	type picture struct {
		B64 string `json:"b64_json"`
	}
	data := make([]picture, n)
	for i := range data {
		data[i].B64 = base64.StdEncoding.EncodeToString(onePixel)
	}
	usage := schema.Usage{Input: m.o.Count(f.text("prompt")), Images: int64(n)}
	return jsonAnswer(map[string]any{"created": m.o.Now().Unix(), "data": data,
		"usage": map[string]int64{"input_tokens": usage.Input, "output_tokens": 0, "total_tokens": usage.Input}}, usage)
}

const (
	wavRate  = 8000 // samples a second
	wavMost  = 50   // words that are spoken
	wavWords = wavRate / 10
)

// speak answers with a WAV of silence, a tenth of a second for each word.
func (m *Mock) speak(f form) (*schema.PassResponse, error) {
	text := f.text("input")
	if text == "" {
		return nil, schema.Invalid("input", "input must be a non-empty string")
	}
	samples := min(len(strings.Fields(text)), wavMost) * wavWords
	data := uint32(2 * samples)
	b := append([]byte("RIFF"), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[4:], 36+data)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1) // PCM
	b = binary.LittleEndian.AppendUint16(b, 1) // one channel
	b = binary.LittleEndian.AppendUint32(b, wavRate)
	b = binary.LittleEndian.AppendUint32(b, 2*wavRate)
	b = binary.LittleEndian.AppendUint16(b, 2)  // bytes a sample
	b = binary.LittleEndian.AppendUint16(b, 16) // bits a sample
	b = binary.LittleEndian.AppendUint32(append(b, "data"...), data)
	b = append(b, make([]byte, data)...)
	return &schema.PassResponse{Type: "audio/wav", Body: b,
		Usage: schema.Usage{Input: m.o.Count(text), Source: schema.UsageReported}}, nil
}

// transcribe tells how much it heard, whole, as plain text or as events.
func (m *Mock) transcribe(f form) (*schema.PassResponse, error) {
	if f.file == 0 {
		return nil, schema.Invalid("file", "file must be a recording")
	}
	text := fmt.Sprintf("the mock heard %d bytes", f.file)
	usage := schema.Usage{Input: f.file/100 + 1, Output: m.o.Count(text), Source: schema.UsageReported}
	usage.AudioInput = usage.Input
	told := map[string]any{"type": "tokens", "input_tokens": usage.Input, "output_tokens": usage.Output,
		"total_tokens": usage.Input + usage.Output, "input_token_details": map[string]int64{"text_tokens": 0, "audio_tokens": usage.Input}}
	if f.text("stream") == "true" {
		body := event(map[string]any{"type": "transcript.text.delta", "delta": text}) +
			event(map[string]any{"type": "transcript.text.done", "text": text, "usage": told}) + "data: [DONE]\n\n"
		return &schema.PassResponse{Type: "text/event-stream", Body: []byte(body), Usage: usage}, nil
	}
	if f.text("response_format") == "text" {
		return &schema.PassResponse{Type: "text/plain; charset=utf-8", Body: []byte(text + "\n"), Usage: usage}, nil
	}
	return jsonAnswer(map[string]any{"text": text, "usage": told}, usage)
}

func event(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings and numbers
	}
	return "data: " + string(data) + "\n\n"
}

// moderate flags each text that speaks of killing, as violence.
func (m *Mock) moderate(f form) (*schema.PassResponse, error) {
	texts, ok := moderated(f.values["input"])
	if !ok {
		return nil, schema.Invalid("input", "input must be a string, strings, or a list of parts")
	}
	var results []any
	var usage schema.Usage
	for _, text := range texts {
		violent := strings.Contains(strings.ToLower(text), "kill")
		score := 0.001
		if violent {
			score = 0.99
		}
		usage.Input += m.o.Count(text)
		results = append(results, map[string]any{"flagged": violent, "categories": map[string]bool{"violence": violent},
			"category_scores": map[string]float64{"violence": score}, "category_applied_input_types": map[string][]string{"violence": {"text"}}})
	}
	return jsonAnswer(map[string]any{"id": "modr-mock", "model": "moderate", "results": results}, usage)
}

// moderated reads the texts of an input: each is judged by itself, parts of
// one input together.
func moderated(raw json.RawMessage) ([]string, bool) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, true
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many, len(many) > 0
	}
	var parts []struct{ Text string }
	if json.Unmarshal(raw, &parts) != nil || len(parts) == 0 {
		return nil, false
	}
	for _, p := range parts {
		one += p.Text
	}
	return []string{one}, true
}
