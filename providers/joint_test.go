package providers

import (
	"strings"
	"testing"
)

// What goes on is fitted to what was said, however it comes in pieces.
func TestJoint(t *testing.T) {
	long := strings.Repeat("All of it is long. ", 100) + "And ends."
	for _, c := range []struct {
		name, said, more string
		asked            bool
		want             string // behind what was said
	}{
		{"plain", "The quick", " brown fox", true, " brown fox"},
		{"nothing said", "", "The quick", false, "The quick"},
		{"the end again", "The quick brown fox", "quick brown fox jumps", true, " jumps"},
		{"all again", "The quick brown fox", "The quick brown fox jumps", true, " jumps"},
		{"all again, as its own turn", "The quick brown ", "The quick brown fox", false, "fox"},
		{"all of a long one", long, long + " Then", true, " Then"},
		{"nearly all of a long one", long, long[:len(long)-2] + "?", true, long[:len(long)-2] + "?"},
		{"the word again", "over the la", "lazy dog", true, "zy dog"},
		{"a whole word again", "over the lazy", "lazy dog", true, " dog"},
		{"the rest of the word", "over the la", "zy dog", true, "zy dog"},
		{"within a word", "ban", "ana", true, "ana"},
		{"a letter", "I saw a", "apple", true, "apple"},
		{"digits", "it costs 1", "100", true, "100"},
		{"words of its own turn", "ho ho", "ho", false, "ho"},
		{"what is said over and over", "| --- | --- | --- ", "| --- | --- |\n", true, "| --- | --- |\n"},
		{"a space too many", "The ", " quick", true, "quick"},
		{"line breaks", "One.\n", "\nTwo.", true, "\nTwo."},
		{"indentation", "if x:\n  ", "  return", true, "  return"},
		{"space of its own turn", "One.\n", "\n\nTwo.", false, "\nTwo."},
		{"less space of its own turn", "One.\n\n", "\nTwo.", false, "Two."},
		{"other space of its own turn", "One. ", "\n\nTwo.", false, "\n\nTwo."},
		{"no space of its own turn", "One. ", "Two.", false, "Two."},
		{"spaces alone said", "  ", "  One", false, "One"},
		{"letters of several bytes", "Ночь над Москвой", "над Москвой тиха", true, " тиха"},
		{"nothing more", "One", "", true, ""},
		{"nothing but the end", "The quick brown fox", "quick brown fox", true, ""},
		{"a beginning of the end", "The quick brown fox", "quick br", true, "quick br"},
		{"space alone", "One", "\n", false, "\n"},
	} {
		for _, size := range []int{1, 2, 3, 7, 1 << 20} {
			j := newJoint(c.said, c.asked)
			var got strings.Builder
			for rest := c.more; rest != ""; {
				n := min(size, len(rest))
				for n < len(rest) && rest[n]&0xC0 == 0x80 {
					n++
				}
				got.WriteString(j.add(rest[:n], false))
				rest = rest[n:]
			}
			if got.WriteString(j.add("", true)); got.String() != c.want {
				t.Errorf("%s, by %d: %.60q, want %.60q", c.name, size, got.String(), c.want)
			}
		}
	}
}

// What goes on is never changed but at its beginning, and what is cut off there
// was said.
func FuzzJoint(f *testing.F) {
	f.Add("The quick ", " brown", true, uint8(2))
	f.Add("a\n", "\n\nb", false, uint8(1))
	f.Fuzz(func(t *testing.T, said, more string, asked bool, size uint8) {
		j := newJoint(said, asked)
		got, n := "", int(size)%17+1
		for rest := more; rest != ""; rest = rest[min(n, len(rest)):] {
			got += j.add(rest[:min(n, len(rest))], false)
		}
		got += j.add("", true)
		if !strings.HasSuffix(more, got) || len(more)-len(got) > len(said) {
			t.Errorf("%q then %q became %q", said, more, got)
		}
	})
}
