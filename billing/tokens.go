package billing

import (
	"runtime/debug"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
)

// The encodings that we count with. Which model has which is in OpenAI's
// tiktoken (model.py, read 2026-11-24): cl100k_base for gpt-4, gpt-3.5 and the
// embeddings, o200k_base for gpt-4o and everything after it. Other makers'
// models have tokenizers of their own; o200k_base is nearest to most.
const (
	cl100k = "cl100k_base"
	o200k  = "o200k_base"
)

// olderModels are the beginnings of the names that use cl100k_base; notOlder
// are those that begin like them and do not.
var (
	olderModels = []string{"gpt-4", "gpt-3.5", "gpt-35", "text-embedding-3", "text-embedding-ada-002", "davinci-002", "babbage-002", "ft:gpt-4", "ft:gpt-3.5"}
	notOlder    = []string{"gpt-4o", "gpt-4.1", "gpt-4.5", "ft:gpt-4o", "ft:gpt-4.1"}
)

// Counter counts tokens with tiktoken, offline. An encoding's table is read
// when it is first wanted (a fifth of a second, 17 MB). Counting runs at some
// 4 MB/s, so it is not for every call: see UpperBound and Estimate. The zero
// Counter is ready, and any number of goroutines may use it.
type Counter struct {
	older, newer encoding
}

// NewCounter is a counter with nothing loaded.
func NewCounter() *Counter { return &Counter{} }

// encoding is one table, loaded once.
type encoding struct {
	once  sync.Once
	table *tiktoken.Tiktoken // nil: it could not be loaded
}

// offline makes tiktoken read its tables from the binary, before the first one.
var offline = sync.OnceFunc(func() { tiktoken.SetBpeLoader(loader.NewOfflineLoader()) })

func (e *encoding) get(name string) *tiktoken.Tiktoken {
	e.once.Do(func() {
		offline()
		e.table, _ = tiktoken.GetEncoding(name) // the tables are in the binary; a test reads both
		go debug.FreeOSMemory()                 // loading takes twice what the table keeps
	})
	return e.table
}

// encodingOf is the encoding's name for a model, which may have its provider
// before it.
func encodingOf(model string) string {
	if i := strings.LastIndexByte(model, '/'); i >= 0 {
		model = model[i+1:]
	}
	begins := func(prefix string) bool { return strings.HasPrefix(model, prefix) }
	for _, prefix := range notOlder {
		if begins(prefix) {
			return o200k
		}
	}
	for _, prefix := range olderModels {
		if begins(prefix) {
			return cl100k
		}
	}
	return o200k
}

// Count is how many tokens a text has for a model; special tokens in it are
// text. The text is what the model reads, not its JSON. Runs of more than 512
// bytes that a tokenizer would merge in quadratic time are counted in pieces,
// which finds at most a token more for each piece.
func (c *Counter) Count(model, text string) int64 {
	if text == "" {
		return 0
	}
	table := c.newer.get
	name := encodingOf(model)
	if name == cl100k {
		table = c.older.get
	}
	enc := table(name)
	if enc == nil {
		return Estimate(len(text))
	}
	var n int64
	for text != "" {
		end := pieceEnd(text)
		n += int64(len(enc.EncodeOrdinary(text[:end])))
		text = text[end:]
	}
	return n
}

const (
	runCap   = 512      // bytes of a run without a change between space and not
	pieceCap = 16 << 10 // bytes of a piece, from which on a good place to cut is taken
)

// pieceEnd is where to cut a text. In a long run it cuts anywhere between two
// characters; in a long text before a lone space that stands between ASCII
// letters, where no encoding has a token across.
func pieceEnd(text string) int {
	runStart, runIsSpace := 0, false
	for i := 0; i < len(text); {
		space, size := isSpace(text[i:])
		if i == 0 || space != runIsSpace {
			runStart, runIsSpace = i, space
		}
		if i > 0 && i+size-runStart > runCap {
			return i
		}
		if i >= pieceCap && text[i] == ' ' && i+1 < len(text) && letter(text[i-1]) && letter(text[i+1]) {
			return i
		}
		i += size
	}
	return len(text)
}

func letter(b byte) bool { b |= 0x20; return b >= 'a' && b <= 'z' }

func isSpace(s string) (space bool, size int) {
	if b := s[0]; b < utf8.RuneSelf {
		return b == ' ' || b >= '\t' && b <= '\r', 1
	}
	r, size := utf8.DecodeRuneInString(s)
	return unicode.IsSpace(r), size
}

// Estimate is about how many tokens a text of so many bytes has: a quarter, as
// in English; code and other scripts have more.
func Estimate(textBytes int) int64 { return (int64(max(textBytes, 0)) + 3) / 4 }

// UpperBound is at least how many tokens a request body of so many bytes has
// as text: a token is a byte or more, and what chat formats add for each
// message is less than its JSON. Pictures, audio and files that a body names by
// URL or id, and instructions that a provider adds for tools, are not in it.
func UpperBound(promptBytes int) int64 { return int64(max(promptBytes, 0)) + 8 }
