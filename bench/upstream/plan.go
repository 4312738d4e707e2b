package upstream

import (
	"strconv"
	"strings"
	"time"
)

// unset marks a count that the model's name does not give.
const unset = -1

// plan is what a model's name asks for.
type plan struct {
	big, echo, loose, each, silent, think bool
	chunks                                int // content chunks; unset: as the text falls
	pace, delay                           time.Duration
	fail, times, after                    int // status, how often (unset: always), Retry-After
	hang, cut                             int
	in, out                               int
	over                                  int // percent that the usage tells beyond what was written
	spent                                 int // seconds until a rate limit is reset of which nothing is left
	broken                                int // chunks before an error comes in the stream
	why                                   string
	garbage                               bool
}

// parsePlan reads the words of a model's name; unknown ones mean nothing, and
// neither does what stands before a slash.
func parsePlan(model string) plan {
	p := plan{chunks: unset, times: unset, after: unset, hang: unset, cut: unset, in: unset, out: unset, spent: unset, broken: unset}
	for word := range strings.SplitSeq(model[strings.LastIndexByte(model, '/')+1:], "_") {
		name, number, _ := strings.Cut(word, "-")
		n, err := strconv.Atoi(number)
		if number != "" && (err != nil || n < 0) {
			continue
		}
		p.set(name, n)
	}
	return p
}

func (p *plan) set(name string, n int) {
	switch name {
	case "big":
		p.big = true
	case "echo":
		p.echo = true
	case "loose":
		p.loose = true
	case "each":
		p.each = true
	case "silent":
		p.silent = true
	case "think":
		p.think = true
	case "chunks":
		p.chunks = n
	case "pace":
		p.pace = time.Duration(n) * time.Millisecond
	case "delay":
		p.delay = time.Duration(n) * time.Millisecond
	case "fail":
		p.fail = n
	case "times":
		p.times = n
	case "after":
		p.after = n
	case "hang":
		p.hang = n
	case "cut":
		p.cut = n
	case "in":
		p.in = n
	case "out":
		p.out = n
	case "over":
		p.over = n
	case "spent":
		p.spent = n
	case "break":
		p.broken = n
	case "garbage":
		p.garbage = true
	case "context", "filter", "quota":
		p.why = name
	}
}

// static says that the messages do not matter: every call gets the same bytes.
func (p *plan) static() bool { return !p.echo && p.in != unset }

// keyFailure is the status that a key asks for, or 0.
func keyFailure(key string) int {
	_, rest, ok := strings.Cut(key, "fail-")
	if !ok || len(rest) < 3 {
		return 0
	}
	n, err := strconv.Atoi(rest[:3])
	if err != nil || n < 400 || n > 599 {
		return 0
	}
	return n
}
