package wire

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"sluice/providers/schema"
)

const formType = "multipart/form-data; boundary=xyz"

func form(parts ...string) []byte {
	return []byte("--xyz\r\n" + strings.Join(parts, "\r\n--xyz\r\n") + "\r\n--xyz--\r\n")
}

const (
	modelPart = "Content-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1"
	filePart  = "Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\nContent-Length: 9\r\n\r\nRI\r\nFF\n--x"
)

func TestForm(t *testing.T) {
	body := form(filePart, modelPart)
	parts, err := Form(formType, body)
	if err != nil || len(parts) != 2 {
		t.Fatalf("parts are %+v, %v", parts, err)
	}
	if p := parts[0]; p.Name != "file" || !p.File || string(body[p.Value.From:p.Value.To]) != "RI\r\nFF\n--x" {
		t.Errorf("file is %+v", p)
	}
	if p := parts[1]; p.Name != "model" || p.File || string(body[p.Value.From:p.Value.To]) != "whisper-1" {
		t.Errorf("model is %+v", p)
	}
	got := SetFormPart(nil, body, &parts[1], "large")
	if want := string(form(filePart, strings.Replace(modelPart, "whisper-1", "large", 1))); string(got) != want {
		t.Errorf("replaced: %q", got)
	}
	for _, end := range []string{"--xyz--", "--xyz--\r\n"} {
		if _, err := Form(`Multipart/Form-Data; boundary="xyz"`, []byte("--xyz\r\n"+modelPart+"\r\n"+end)); err != nil {
			t.Errorf("%q: %v", end, err)
		}
	}
}

func TestFormRefused(t *testing.T) {
	for name, c := range map[string]struct{ kind, body string }{
		"no boundary":            {"multipart/form-data", string(form(modelPart))},
		"another type":           {"multipart/mixed; boundary=xyz", string(form(modelPart))},
		"a long boundary":        {"multipart/form-data; boundary=" + strings.Repeat("x", 71), string(form(modelPart))},
		"nothing":                {formType, ""},
		"a preamble":             {formType, "hello\r\n" + string(form(modelPart))},
		"an epilogue":            {formType, string(form(modelPart)) + "x"},
		"no end":                 {formType, "--xyz\r\n" + modelPart},
		"cut":                    {formType, "--xyz\r\n" + modelPart + "\r\n--xyz"},
		"a boundary in a line":   {formType, "--xyz\r\n" + modelPart + "\r\n--xyzz\r\n--xyz--"},
		"bare line feeds":        {formType, strings.ReplaceAll(string(form(modelPart)), "\r\n", "\n")},
		"no headers":             {formType, string(form("\r\n\r\nx"))},
		"no empty line":          {formType, string(form("Content-Disposition: form-data; name=\"model\""))},
		"no name":                {formType, string(form("Content-Disposition: form-data\r\n\r\nx"))},
		"no disposition":         {formType, string(form("Content-Type: text/plain\r\n\r\nx"))},
		"two dispositions":       {formType, string(form("Content-Disposition: form-data; name=\"a\"\r\n" + modelPart))},
		"two names":              {formType, string(form("Content-Disposition: form-data; name=\"a\"; name=\"model\"\r\n\r\nx"))},
		"an encoded name":        {formType, string(form("Content-Disposition: form-data; name*=utf-8''model\r\n\r\nx"))},
		"a folded header":        {formType, string(form("Content-Disposition: form-data;\r\n name=\"model\"\r\n\r\nx"))},
		"a line feed in headers": {formType, string(form("Content-Disposition: form-data; name=\"a\"\nX: y\r\n\r\nx"))},
		"too many parts":         {formType, string(form(strings.Split(strings.Repeat(modelPart+"|", 300), "|")[:300]...))},
	} {
		_, err := Form(c.kind, []byte(c.body))
		var e *schema.Error
		if !errors.As(err, &e) || e.Status != 400 {
			t.Errorf("%s: %v, want a 400", name, err)
		}
	}
}

// readForm is what Go's own reader sees.
func readForm(t *testing.T, body []byte) (names, values []string) {
	r := multipart.NewReader(bytes.NewReader(body), "xyz")
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return names, values
		}
		if err != nil {
			t.Fatalf("another reader cannot read it: %v\n%q", err, body)
		}
		value, err := io.ReadAll(p)
		if err != nil {
			t.Fatalf("another reader cannot read a part: %v\n%q", err, body)
		}
		names, values = append(names, p.FormName()), append(values, string(value))
	}
}

// FuzzForm: what is taken is the same to another reader, before and after a
// part is replaced.
func FuzzForm(f *testing.F) {
	f.Add(form(filePart, modelPart))
	f.Add(form(modelPart))
	f.Add([]byte("--xyz--"))
	f.Fuzz(func(t *testing.T, body []byte) {
		parts, err := Form(formType, body)
		if err != nil || len(parts) == 0 {
			return
		}
		names, values := readForm(t, body)
		if len(names) != len(parts) {
			t.Fatalf("%d parts, another reader sees %d\n%q", len(parts), len(names), body)
		}
		for i, p := range parts {
			if p.Name != names[i] || string(body[p.Value.From:p.Value.To]) != values[i] {
				t.Fatalf("part %d is %q, another reader sees %q %q\n%q", i, p.Name, names[i], values[i], body)
			}
			if p.Name != "model" {
				continue
			}
			again, got := readForm(t, SetFormPart(nil, body, &p, "other"))
			values[i] = "other"
			if strings.Join(again, "|") != strings.Join(names, "|") || strings.Join(got, "|") != strings.Join(values, "|") {
				t.Fatalf("after replacing: %q %q\n%q", again, got, body)
			}
			return
		}
	})
}
