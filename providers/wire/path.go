package wire

import (
	"net/url"
	"strings"
)

var segmentEscapes = strings.NewReplacer("+", "%20", "%40", "@")

// Segment is a name as one segment of a URL's path. A caller may have chosen
// the name, and must not choose the path by it: slashes and colons are
// escaped, and so are names that mean a place.
func Segment(name string) string {
	switch name {
	case ".":
		return "%2E"
	case "..":
		return "%2E%2E"
	}
	return segmentEscapes.Replace(url.QueryEscape(name))
}
