package bedrock

import (
	"mime"
	"path"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// formats are Bedrock's words for types of media (ImageBlock, DocumentBlock,
// VideoBlock and AudioBlock of the API reference): the block, and the format.
var formats = map[string][2]string{
	"image/png": {"image", "png"}, "image/jpeg": {"image", "jpeg"}, "image/jpg": {"image", "jpeg"},
	"image/gif": {"image", "gif"}, "image/webp": {"image", "webp"},

	"application/pdf": {"document", "pdf"}, "text/csv": {"document", "csv"}, "text/html": {"document", "html"},
	"text/markdown": {"document", "md"}, "text/plain": {"document", "txt"}, "application/msword": {"document", "doc"},
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": {"document", "docx"},
	"application/vnd.ms-excel": {"document", "xls"},
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {"document", "xlsx"},
	"application/json": {"document", "txt"}, "application/xml": {"document", "txt"}, "text/xml": {"document", "txt"},

	"video/mp4": {"video", "mp4"}, "video/quicktime": {"video", "mov"}, "video/x-matroska": {"video", "mkv"},
	"video/webm": {"video", "webm"}, "video/x-flv": {"video", "flv"}, "video/mpeg": {"video", "mpeg"},
	"video/x-ms-wmv": {"video", "wmv"}, "video/3gpp": {"video", "three_gp"},

	"audio/wav": {"audio", "wav"}, "audio/x-wav": {"audio", "wav"}, "audio/mpeg": {"audio", "mp3"}, "audio/mp3": {"audio", "mp3"},
	"audio/flac": {"audio", "flac"}, "audio/aac": {"audio", "aac"}, "audio/ogg": {"audio", "ogg"}, "audio/opus": {"audio", "opus"},
	"audio/mp4": {"audio", "mp4"}, "audio/m4a": {"audio", "m4a"}, "audio/webm": {"audio", "webm"}, "audio/pcm": {"audio", "pcm"},
}

// signatures are the beginnings of data in base64, for media whose type is not
// told or commonly told wrong.
var signatures = map[string]string{"/9j/": "image/jpeg", "iVBOR": "image/png", "R0lGOD": "image/gif", "UklGR": "image/webp", "JVBERi": "application/pdf"}

// media writes an image, a document, a sound or a film.
func (e *encoder) media(at string, p *schema.Part) ([]byte, error) {
	m := p.Media
	if m == nil {
		return nil, schema.Invalid(at, "%s has no data", at)
	}
	url, kind, data := m.URL, strings.ToLower(m.MIME), m.Data
	if strings.HasPrefix(url, "data:") {
		var ok bool
		if kind, data, ok = wire.DataURL(url); !ok {
			return nil, schema.Invalid(at, "%s is not a base64 data URL", at)
		}
		url = ""
	}
	var source []byte
	switch {
	case m.FileID != "":
		return nil, schema.Invalid(at, "%s: the provider takes no files by id", at)
	case strings.HasPrefix(url, "s3://"):
		source = append(wire.AppendText([]byte(`{"s3Location":{`), "uri", url), "}}"...)
	case url != "":
		return nil, schema.Invalid(at, "%s: of URLs the provider takes s3:// only; send the data itself", at)
	case data == "":
		return nil, schema.Invalid(at, "%s has no data", at)
	default:
		source = append(wire.AppendText([]byte{'{'}, "bytes", data), '}')
	}
	format, ok := formatOf(kind, data, m, p.Type)
	if !ok {
		return nil, schema.Invalid(at, "%s: the provider does not read %q", at, kind)
	}
	b := wire.AppendText(append(wire.AppendKey([]byte{'{'}, format[0]), '{'), "format", format[1])
	if format[0] == "document" {
		b = wire.AppendText(b, "name", e.documentName(m.Filename))
	}
	b = wire.AppendRaw(b, "source", source)
	if format[0] == "document" {
		b = wire.AppendText(b, "context", gjson.ParseBytes(p.Extra["context"]).Str)
		if gjson.GetBytes(p.Extra["citations"], "enabled").Bool() {
			b = append(b, `,"citations":{"enabled":true}`...)
		}
	}
	return append(b, '}', '}'), nil
}

// formatOf finds the block and the format by type, by the name's ending, or by
// the data's first bytes.
func formatOf(kind, data string, m *schema.Media, part schema.PartType) (format [2]string, ok bool) {
	kind, _, _ = strings.Cut(kind, ";")
	if format, ok = formats[kind]; ok {
		return format, true
	}
	if kind == "" || kind == "application/octet-stream" || kind == "image/*" {
		for _, name := range []string{m.Filename, m.URL} {
			byName, _, _ := strings.Cut(mime.TypeByExtension(strings.ToLower(path.Ext(name))), ";")
			if format, ok = formats[byName]; ok {
				return format, true
			}
		}
		for prefix, t := range signatures {
			if strings.HasPrefix(data, prefix) {
				return formats[t], true
			}
		}
		if part == schema.PartImage {
			return formats["image/png"], true
		}
	}
	if strings.HasPrefix(kind, "text/") {
		return formats["text/plain"], true
	}
	return format, false
}

// documentName makes a name that the API takes: letters, digits, single
// spaces, hyphens, parentheses and brackets, and no other document's.
func (e *encoder) documentName(filename string) string {
	name := strings.TrimSuffix(filename, path.Ext(filename))
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-()[]", r) {
			return r
		}
		return ' '
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	name = strings.TrimSpace(name[:min(len(name), 180)])
	if name == "" {
		name = "document"
	}
	for unique, n := name, 2; ; n++ {
		if !e.documents[unique] {
			e.documents[unique] = true
			return unique
		}
		unique = name + " " + string(appendInt(nil, n))
	}
}
