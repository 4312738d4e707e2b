package schema

// sampleCap bounds what a TextMeter keeps: enough to know how many bytes a
// token has in this answer, little enough for ten thousand open streams.
const sampleCap = 8 << 10

// TextMeter measures the text of an answer as it passes, for the calls whose
// provider tells no usage. It keeps the first bytes only; the zero value is
// ready for use.
type TextMeter struct {
	Bytes  int64
	Sample []byte
}

// Add takes in a piece of the answer's text.
func (m *TextMeter) Add(text []byte) {
	m.Bytes += int64(len(text))
	if room := sampleCap - len(m.Sample); room > 0 {
		m.Sample = append(m.Sample, text[:min(room, len(text))]...)
	}
}

// Reset empties the meter and keeps its memory.
func (m *TextMeter) Reset() { m.Bytes, m.Sample = 0, m.Sample[:0] }

// Whole tells whether the sample is the whole text.
func (m *TextMeter) Whole() bool { return int64(len(m.Sample)) == m.Bytes }
