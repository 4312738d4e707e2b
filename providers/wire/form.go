package wire

import (
	"bytes"
	"mime"
	"strings"

	"sluice/providers/schema"
)

// FormPart is one part of a multipart/form-data body (RFC 7578).
type FormPart struct {
	Name  string
	File  bool        // it has a filename
	Part  schema.Span // headers and value
	Value schema.Span
}

const (
	maxFormParts  = 256
	maxPartHeader = 8 << 10
)

// Form finds the parts of a multipart/form-data body, whose media type with
// its boundary is contentType. It takes what clients write and nothing that
// two readers could take for different things: lines end with CRLF, nothing
// stands before the first part or after the last, and the boundary stands only
// where a part ends. Anything else is invalid_request.
func Form(contentType string, body []byte) ([]FormPart, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	boundary := params["boundary"]
	if err != nil || kind != "multipart/form-data" || boundary == "" || len(boundary) > 70 {
		return nil, schema.Invalid("", "the content type must be multipart/form-data with a boundary")
	}
	delimiter := []byte("\r\n--" + boundary)
	var parts []FormPart
	at := 0
	if !bytes.HasPrefix(body, delimiter[2:]) {
		return nil, badForm("it does not begin with its boundary")
	}
	for at += len(delimiter) - 2; ; {
		rest := body[at:]
		if bytes.HasPrefix(rest, []byte("--")) {
			if end := rest[2:]; len(end) > 0 && string(end) != "\r\n" {
				return nil, badForm("something follows its last part")
			}
			return parts, nil
		}
		if !bytes.HasPrefix(rest, []byte("\r\n")) {
			return nil, badForm("a boundary is not at the end of its line")
		}
		if len(parts) == maxFormParts {
			return nil, badForm("it has too many parts")
		}
		from := at + 2
		size := bytes.Index(body[at:], delimiter) // a part may be empty of headers
		if size < 2 {
			return nil, badForm("a part does not end")
		}
		p, err := formPart(body, schema.Span{From: from, To: at + size})
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
		at += size + len(delimiter)
	}
}

// formPart reads the headers of a part.
func formPart(body []byte, at schema.Span) (FormPart, error) {
	p := FormPart{Part: at}
	raw := body[at.From:at.To]
	n := bytes.Index(raw, []byte("\r\n\r\n"))
	if n < 0 || n > maxPartHeader {
		return p, badForm("a part has no headers, or too many")
	}
	p.Value = schema.Span{From: at.From + n + 4, To: at.To}
	found := false
	for line := range strings.SplitSeq(string(raw[:n]), "\r\n") {
		key, value, ok := strings.Cut(line, ":")
		if !ok || key == "" || strings.ContainsFunc(key, notToken) || strings.ContainsFunc(value, isControl) {
			return p, badForm("a part has a header that is none")
		}
		if !strings.EqualFold(key, "Content-Disposition") {
			continue
		}
		kind, params, err := mime.ParseMediaType(value)
		name, named := params["name"]
		if err != nil || found || kind != "form-data" || !named || strings.Contains(strings.ToLower(value), "name*") {
			return p, badForm("a part has no name, or two")
		}
		p.Name, found = name, true
		_, p.File = params["filename"]
	}
	if !found {
		return p, badForm("a part has no name")
	}
	return p, nil
}

// notToken tells of a character that names of headers do not hold.
func notToken(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func badForm(why string) error {
	return schema.Invalid("", "the body is not valid multipart/form-data: %s", why)
}

// SetFormPart copies body to dst with a part replaced by a plain one with this
// value, which must hold no line break.
func SetFormPart(dst, body []byte, p *FormPart, value string) []byte {
	dst = append(dst, body[:p.Part.From]...)
	dst = append(dst, `Content-Disposition: form-data; name="`...)
	dst = append(dst, p.Name...)
	dst = append(dst, "\"\r\n\r\n"...)
	dst = append(dst, value...)
	return append(dst, body[p.Part.To:]...)
}
