package providers

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// mostRepeated bounds, in bytes, the end of a text that is looked for at the
// beginning of what goes on; leastRepeated is what is no coincidence.
const (
	mostRepeated  = 1 << 10
	leastRepeated = 12
)

// joint fits what a model goes on with to the end of what was said: models that
// are asked in words repeat the end of it, those that are given the text as
// their own turn some of them all of it, and all of them the space at its end,
// which is not shown to them. Whatever may still be such a repetition is held.
type joint struct {
	said  string
	asked bool // in words
	open  bool // what comes is new
	held  string
	whole bool // held is how all that was said begins
}

func newJoint(said string, asked bool) *joint {
	return &joint{said: said, asked: asked, open: said == "", whole: true}
}

// add takes in what comes next and gives what is new of it; last says that
// nothing follows.
func (j *joint) add(text string, last bool) string {
	if j.open || text == "" && j.held == "" {
		return text
	}
	from := len(j.held)
	j.held += text
	said := j.shown()
	j.whole = j.whole && (from >= len(said) || strings.HasPrefix(said[from:], text) || strings.HasPrefix(text, said[from:]))
	repeated, undecided := j.repeated()
	if undecided && !last {
		return ""
	}
	rest := j.held[repeated:]
	if !last && strings.TrimLeftFunc(rest, unicode.IsSpace) == "" { // how much space there is shows later
		return ""
	}
	j.open, j.held = true, ""
	return j.spaced(rest, repeated)
}

// shown is the text that the model has seen.
func (j *joint) shown() string {
	if j.asked {
		return j.said
	}
	return strings.TrimRightFunc(j.said, unicode.IsSpace)
}

// repeated is how many bytes of what is held are a repetition; undecided says
// that it may be a longer one.
func (j *joint) repeated() (n int, undecided bool) {
	said := j.shown()
	if j.whole && repeats(said, len(said)) {
		if len(j.held) < len(said) {
			return 0, true
		}
		return len(said), false
	}
	if !j.asked {
		return 0, false
	}
	for k := min(len(said), mostRepeated); k > 0; k-- {
		end := said[len(said)-k:]
		switch {
		case end[0] != j.held[0] || !repeats(said, k):
		case len(j.held) < k:
			if strings.HasPrefix(end, j.held) {
				return 0, true
			}
		case strings.HasPrefix(j.held, end):
			return k, false
		}
	}
	return 0, false
}

// repeats tells whether the last k bytes of a text, seen again, are a
// repetition: if they are many, or else whole words, and not what the text
// itself says over and over.
func repeats(said string, k int) bool {
	end := said[len(said)-k:]
	if k == 0 || !utf8.RuneStart(end[0]) || strings.Contains(said[max(len(said)-2*k, 0):len(said)-1], end) {
		return false
	}
	if k >= leastRepeated {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(said[:len(said)-k])
	first, _ := utf8.DecodeRuneInString(end)
	last, _ := utf8.DecodeLastRuneInString(end)
	return k > 1 && unicode.IsLetter(first) && !unicode.IsSpace(last) && !unicode.IsLetter(before) && !unicode.IsDigit(before)
}

// spaced is what is new without the space that was said already.
func (j *joint) spaced(rest string, repeated int) string {
	if !j.asked {
		space := j.said[len(j.shown()):]
		own := rest[:len(rest)-len(strings.TrimLeftFunc(rest, unicode.IsSpace))]
		if strings.HasPrefix(space, own) { // and perhaps less than was said
			return rest[len(own):]
		}
		return strings.TrimPrefix(rest, space)
	}
	ends := strings.TrimRightFunc(j.said, unicode.IsSpace)
	begins := strings.TrimLeftFunc(rest, unicode.IsSpace)
	if repeated == 0 && j.said == ends+" " && rest == " "+begins && begins != "" { // one space is meant
		return begins
	}
	return rest
}
