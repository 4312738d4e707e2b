package prompts

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"sluice/providers/schema"
)

// schemes are the URLs that a media part may have. Nothing is fetched here.
var schemes = []string{"http", "https", "gs", "s3"}

// mimeTypes are those that a URL's ending tells, where the prompt does not.
var mimeTypes = map[string]string{
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp",
	".mp3": "audio/mpeg", ".wav": "audio/wav", ".ogg": "audio/ogg", ".flac": "audio/flac", ".m4a": "audio/mp4",
	".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime",
	".pdf": "application/pdf", ".txt": "text/plain", ".csv": "text/csv", ".html": "text/html", ".md": "text/markdown", ".json": "application/json",
}

// mediaPart is media as the unified request has it: an image or a sound by its
// MIME type, else a document. Where nothing tells the type, it is an image.
func mediaPart(m *Media) (schema.Part, error) {
	media := &schema.Media{MIME: m.ContentType}
	scheme, rest, _ := strings.Cut(m.URL, ":")
	if strings.EqualFold(scheme, "data") {
		if err := readDataURL(media, rest); err != nil {
			return schema.Part{}, err
		}
		return schema.Part{Type: partType(media.MIME), Media: media}, nil
	}
	u, err := url.Parse(m.URL)
	if err != nil || u.Host == "" || !slices.Contains(schemes, strings.ToLower(u.Scheme)) {
		return schema.Part{}, fmt.Errorf("the media's url must be a data URL or begin with http://, https://, gs:// or s3://")
	}
	media.URL = m.URL
	if media.MIME == "" {
		media.MIME = mimeTypes[strings.ToLower(path.Ext(u.Path))]
	}
	return schema.Part{Type: partType(media.MIME), Media: media}, nil
}

func partType(mime string) schema.PartType {
	kind, _, _ := strings.Cut(strings.ToLower(mime), "/")
	switch kind {
	case "", "image":
		return schema.PartImage
	case "audio":
		return schema.PartAudio
	}
	return schema.PartDocument
}

// readDataURL reads what stands after "data:" (RFC 2397); a type given beside
// the URL wins over the one in it.
func readDataURL(media *schema.Media, rest string) error {
	head, data, ok := strings.Cut(rest, ",")
	if !ok {
		return fmt.Errorf("the media's data URL has no comma")
	}
	head, is64 := strings.CutSuffix(head, ";base64")
	if media.MIME == "" {
		media.MIME, _, _ = strings.Cut(head, ";")
	}
	if !is64 {
		text, err := url.PathUnescape(data)
		if err != nil {
			return fmt.Errorf("the media's data URL is not well escaped")
		}
		if media.MIME == "" {
			media.MIME = "text/plain"
		}
		media.Data = base64.StdEncoding.EncodeToString([]byte(text))
		return nil
	}
	if _, err := base64.StdEncoding.DecodeString(data); err != nil {
		return fmt.Errorf("the media's data URL is not base64")
	}
	media.Data = data
	return nil
}
