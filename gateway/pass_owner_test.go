package gateway

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// The files that a body names are found however their field is written.
func TestFilesIn(t *testing.T) {
	for body, want := range map[string]string{
		`{"model":"m","messages":[{"role":"user","content":"no file"}]}`:                                                 "",
		`{"messages":[{"content":[{"type":"file","file":{"file_id":"file-1"}},{"type":"text","text":"x"}]}]}`:            "file-1",
		`{"input":[{"content":[{"type":"input_file","f\u0069le_id":"file-2"}]}],"tools":[{"file_ids":["file-3","f4"]}]}`: "file-2 file-3 f4",
		`{"input_file_id":"file-5","endpoint":"/v1/chat/completions"}`:                                                   "file-5",
		`{"messages":[{"role":"user","content":"caf\u00e9 and \u4e2d"}]}`:                                                "",
	} {
		var ids []string
		if mayNameFile([]byte(body)) {
			ids = filesIn(gjson.Parse(body), nil)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	if mayNameFile([]byte(`{"messages":[{"role":"user","content":"caf\u00e9 \u00`)) {
		t.Error("a letter beyond ASCII is no part of the name")
	}
	if ids := filesIn(gjson.Parse("--b\r\nfile_id"), nil); len(ids) > 0 {
		t.Errorf("a form names %v", ids)
	}
}

// What a batch's file asks for names files as calls do.
func TestFilesInLines(t *testing.T) {
	line := func(id string) string {
		return `{"custom_id":"1","body":{"messages":[{"content":[{"type":"file","file":{"f\u0069le_id":"` + id + `"}}]}]}}`
	}
	file := line("file-2") + "\r\n\nnot JSON file_id\n" + line("file-1") + "\r" + line("file-3") + "\n" + line("file-2")
	if got := strings.Join(filesInLines([]byte(file)), " "); got != "file-1 file-2 file-3" {
		t.Errorf("%q", got)
	}
	if got := filesInLines([]byte("%PDF \x00 \\u00")); got != nil {
		t.Errorf("%q", got)
	}
}
