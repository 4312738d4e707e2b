package prompts

import (
	"strings"
	"testing"
)

func TestTags(t *testing.T) {
	for list, good := range map[string]bool{"[text, support]": true, "text": true, "[]": false, "[1]": false, "{a: b}": false, `[""]`: false, `["a\nb"]`: false,
		"[" + strings.Repeat("a", 41) + "]": false, "[" + strings.Repeat("a, ", 21) + "]": false} {
		tmpl, faults := Parse("x", []byte("---\nmodel: mock/echo\nsluice.tags: "+list+"\n---\nhi"), ParseOptions{})
		if (faults == nil) != good {
			t.Errorf("%s: %v", list, faults)
		}
		if list == "[text, support]" && (len(tmpl.Sluice.Tags) != 2 || tmpl.Sluice.Tags[1] != "support") {
			t.Errorf("read as %v", tmpl.Sluice.Tags)
		}
	}
}
