package config

import (
	"bytes"
	"regexp"
	"strconv"
	"unicode"
	"unicode/utf8"
)

var (
	yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)
	// The YAML library counts lines from 0 in errors of its parser, from 1 in
	// those of its scanner, and names no line where it is the first one.
	parserError   = regexp.MustCompile(`^(did not find expected (',' or|key|'-'|node content|<)|found (undefined tag|duplicate))`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)
)

// syntax reports the parser's error, which is "yaml: line N: what" and quotes
// nothing of the file but names of anchors.
func (t *tree) syntax(src []byte, err error) {
	m := yamlError.FindStringSubmatch(err.Error())
	if m == nil {
		t.fault(1, "cannot read YAML: %v", err)
		return
	}
	line, _ := strconv.Atoi(m[1]) // 0 where none is named
	if line == 0 || parserError.MatchString(m[2]) {
		line++
	}
	if anchor := unknownAnchor.FindStringSubmatch(m[2]); anchor != nil {
		line = lineAt(src, bytes.Index(src, []byte("*"+anchor[1])))
	} else if bad := bytes.IndexFunc(src, unreadable); bad >= 0 && m[1] == "" {
		line = lineAt(src, bad)
	}
	message := "cannot read YAML: " + m[2]
	lines := bytes.Split(src, []byte("\n"))
	if line <= len(lines) && bytes.Contains(lines[line-1], []byte("${")) {
		message += `; inside [ ] and { } a reference must be quoted: "${NAME}"`
	}
	t.fault(line, "%s", message)
}

// lineAt is the line of an offset, from 1.
func lineAt(src []byte, offset int) int {
	return 1 + bytes.Count(src[:max(0, offset)], []byte("\n"))
}

// unreadable tells the characters that no YAML may hold.
func unreadable(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
}
