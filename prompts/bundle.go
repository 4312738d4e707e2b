package prompts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// bundleMark begins the first line of a version's source that carries its
// partials: the marks, then NAME:BYTES of each partial, sorted. The prompt
// file follows, then the partials, each of its length. A version is thus
// complete in itself; and a prompt without partials is stored as it is.
const bundleMark = "#sluice:partials "

// bundle packs a prompt file and the partials it uses into a version's source.
func bundle(source []byte, partials map[string]string) []byte {
	if len(partials) == 0 {
		return source
	}
	names := partialNames(partials)
	var head, tail strings.Builder
	head.WriteString(bundleMark)
	for i, n := range names {
		if i > 0 {
			head.WriteByte(' ')
		}
		head.WriteString(n + ":" + strconv.Itoa(len(partials[n])))
		tail.WriteString(partials[n])
	}
	return slices.Concat([]byte(head.String()+"\n"), source, []byte(tail.String()))
}

// Unbundle takes a version's source apart: the prompt file, and the partials
// that it had when it was published.
func Unbundle(source []byte) (prompt []byte, partials map[string]string, err error) {
	rest, ok := bytes.CutPrefix(source, []byte(bundleMark))
	if !ok {
		return source, nil, nil
	}
	head, rest, ok := bytes.Cut(rest, []byte("\n"))
	fields := strings.Fields(string(head))
	if !ok || len(fields) == 0 {
		return nil, nil, fmt.Errorf("the list of partials is broken")
	}
	partials = map[string]string{}
	for _, f := range slices.Backward(fields) {
		i := strings.LastIndexByte(f, ':')
		n := -1
		if i > 0 {
			n, err = strconv.Atoi(f[i+1:])
		}
		if err != nil || n < 0 || n > len(rest) {
			return nil, nil, fmt.Errorf("the list of partials is broken at %q", f)
		}
		partials[f[:i]] = string(rest[len(rest)-n:])
		rest = rest[:len(rest)-n]
	}
	return rest, partials, nil
}

// digest is the SHA-256 of a version's source, partials included, in hex.
func digest(source []byte) string {
	sum := sha256.Sum256(source)
	return hex.EncodeToString(sum[:])
}

func partialNames(partials map[string]string) []string {
	names := make([]string, 0, len(partials))
	for n := range partials {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Digest is that of the version that a prompt would be published as.
func (l *Live) Digest() string { return digest(bundle(l.Source, l.Partials)) }
