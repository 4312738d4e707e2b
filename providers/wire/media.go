package wire

import (
	"net/url"
	"path"
	"strings"

	"sluice/providers/schema"
)

// DataURL takes a data: URL apart into its media type, without parameters, and
// its base64 data. ok is false for other URLs and for data that is not base64.
func DataURL(s string) (mime, data string, ok bool) {
	if len(s) < 5 || !strings.EqualFold(s[:5], "data:") {
		return "", "", false
	}
	head, data, found := strings.Cut(s[5:], ",")
	if !found {
		return "", "", false
	}
	head, base64 := strings.CutSuffix(head, ";base64")
	if !base64 {
		return "", "", false
	}
	mime, _, _ = strings.Cut(head, ";")
	if strings.Contains(data, "%") { // base64 that was escaped for the URL
		if plain, err := url.PathUnescape(data); err == nil {
			data = plain
		}
	}
	return strings.ToLower(strings.TrimSpace(mime)), data, true
}

// IsPDF tells whether media are known to be a PDF, by type, name or URL.
func IsPDF(m *schema.Media) bool {
	address, _, _ := strings.Cut(m.URL, "?")
	return strings.HasPrefix(m.MIME, "application/pdf") || strings.EqualFold(path.Ext(m.Filename), ".pdf") ||
		strings.EqualFold(path.Ext(address), ".pdf")
}

// AppendDataURL appends the data: URL of base64 data.
func AppendDataURL(dst []byte, mime, data string) []byte {
	dst = append(dst, "data:"...)
	dst = append(dst, mime...)
	dst = append(dst, ";base64,"...)
	return append(dst, data...)
}

// AudioFormat is a media type in OpenAI's word for input audio; no type is wav.
func AudioFormat(mime string) string {
	switch mime {
	case "", "audio/wav", "audio/x-wav", "audio/wave":
		return "wav"
	case "audio/mpeg", "audio/mp3":
		return "mp3"
	}
	return strings.TrimPrefix(mime, "audio/")
}
