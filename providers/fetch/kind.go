package fetch

import (
	"mime"
	"net/http"
	"slices"
	"strings"
)

// documents are the types beside text/… that models read as documents.
var documents = []string{
	"application/pdf", "application/json", "application/xml", "application/rtf", "application/msword", "application/vnd.ms-excel",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation",
}

// kindOf is the media type of data, without parameters: what its server says,
// but what the first bytes say of images and PDFs, which servers often name
// wrong and providers then refuse. ok is false for what no model reads.
func kindOf(header string, data []byte) (kind string, ok bool) {
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		kind = ""
	}
	sniffed, _, _ := strings.Cut(http.DetectContentType(data), ";")
	switch {
	case sniffed == "application/pdf", strings.HasPrefix(sniffed, "image/"):
		kind = sniffed
	case kind == "", kind == "application/octet-stream", kind == "binary/octet-stream", kind == "application/binary":
		kind = sniffed
	case kind == "image/jpg":
		kind = "image/jpeg"
	}
	top, _, _ := strings.Cut(kind, "/")
	ok = top == "image" || top == "text" || top == "audio" || top == "video" || slices.Contains(documents, kind)
	return kind, ok
}
