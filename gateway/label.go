package gateway

import (
	"strings"
	"unicode/utf8"
)

// Callers choose the labels of their usage records. A record that is too long
// for the spool would be lost, and its call free: what is more is cut off here.
const (
	maxLabel  = 640 // bytes; OpenAI's longest metadata makes 577
	maxLabels = 32
)

// label is a word of the caller's as it is recorded.
func label(s string) string {
	if len(s) <= maxLabel {
		return s
	}
	cut := maxLabel
	for cut > maxLabel-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

// labels are the tags as they are recorded. It changes the list.
func labels(tags []string) []string {
	tags = tags[:min(len(tags), maxLabels)]
	for i, t := range tags {
		tags[i] = label(t)
	}
	return tags
}

// splitTags reads x-sluice-tags.
func splitTags(v []byte) []string {
	if len(v) == 0 {
		return nil
	}
	var tags []string
	for t := range strings.SplitSeq(string(v), ",") {
		if t = strings.TrimSpace(t); t != "" {
			tags = append(tags, t)
		}
	}
	return tags
}
