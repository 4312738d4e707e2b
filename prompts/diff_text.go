package prompts

import (
	"fmt"
	"strings"
)

// around is how many lines of context a hunk has.
const around = 3

// maxCells bounds the table of a line diff; texts that need a larger one are
// shown as replaced whole.
const maxCells = 4 << 20

// edit is a line of a diff: kept (' '), taken out ('-') or put in ('+').
type edit struct {
	kind byte
	line string
}

// unified is the unified diff of two texts under a name; "" if they are the
// same.
func unified(name, from, to string) string {
	if from == to {
		return ""
	}
	edits := lineDiff(lines(from), lines(to))
	var b strings.Builder
	fmt.Fprintf(&b, "--- a/%s\n+++ b/%s\n", name, name)
	a, c := 1, 1 // line numbers of the next edit
	for i := 0; i < len(edits); {
		if edits[i].kind == ' ' {
			a, c, i = a+1, c+1, i+1
			continue
		}
		first := max(i-around, 0)
		last := hunkEnd(edits, i)
		writeHunk(&b, edits[first:last], a-(i-first), c-(i-first))
		for ; i < last; i++ {
			if edits[i].kind != '+' {
				a++
			}
			if edits[i].kind != '-' {
				c++
			}
		}
	}
	return b.String()
}

// hunkEnd is where the hunk around a changed line ends: changes that are close
// stand in one.
func hunkEnd(edits []edit, i int) int {
	end := i
	for j := i; j < len(edits) && j-end <= 2*around; j++ {
		if edits[j].kind != ' ' {
			end = j + 1
		}
	}
	return min(end+around, len(edits))
}

func writeHunk(b *strings.Builder, edits []edit, a, c int) {
	olds, news := 0, 0
	for _, e := range edits {
		if e.kind != '+' {
			olds++
		}
		if e.kind != '-' {
			news++
		}
	}
	if olds == 0 {
		a--
	}
	if news == 0 {
		c--
	}
	fmt.Fprintf(b, "@@ -%d,%d +%d,%d @@\n", a, olds, c, news)
	for _, e := range edits {
		b.WriteByte(e.kind)
		b.WriteString(e.line)
		if !strings.HasSuffix(e.line, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

func lines(text string) []string {
	var out []string
	for l := range strings.Lines(text) {
		out = append(out, l)
	}
	return out
}

// lineDiff is the shortest way from one list of lines to another, by their
// longest common subsequence.
func lineDiff(a, b []string) []edit {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var out []edit
	for _, l := range a[:head] {
		out = append(out, edit{' ', l})
	}
	out = append(out, middleDiff(a[head:len(a)-tail], b[head:len(b)-tail])...)
	for _, l := range a[len(a)-tail:] {
		out = append(out, edit{' ', l})
	}
	return out
}

func middleDiff(a, b []string) []edit {
	var out []edit
	if (len(a)+1)*(len(b)+1) > maxCells {
		for _, l := range a {
			out = append(out, edit{'-', l})
		}
		for _, l := range b {
			out = append(out, edit{'+', l})
		}
		return out
	}
	width := len(b) + 1
	common := make([]int32, (len(a)+1)*width) // of a[i:] and b[j:]
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i*width+j] = common[(i+1)*width+j+1] + 1
			} else {
				common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, edit{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[(i+1)*width+j] >= common[i*width+j+1]:
			out = append(out, edit{'-', a[i]})
			i++
		default:
			out = append(out, edit{'+', b[j]})
			j++
		}
	}
	return out
}
