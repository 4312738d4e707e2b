package admin

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"sluice/gateway/audit"
	"sluice/providers/schema"
)

// api is the admin plane at work.
type api struct {
	Options
	// changes are made one at a time, so that the check of one sees the other.
	changes  sync.Mutex
	document func() []byte // OpenAPI; a field, for routes refer to what calls it
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Location == nil {
		o.Location = func() *time.Location { return time.UTC }
	}
	if o.ClientIP == nil {
		o.ClientIP = func(r *http.Request) string { return audit.ClientIP(r, nil) }
	}
	return o
}

// request is one request and who makes it.
type request struct {
	*http.Request
	w         http.ResponseWriter
	id        Identity
	requestID string
}

// maxBody bounds what a request may send; prompts are the largest.
const maxBody = 1 << 20

// read decodes the JSON body into v; an empty body leaves v as it is.
func (q *request) read(v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(q.w, q.Body, maxBody))
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	return decode(body, v)
}

// answer writes v as JSON.
func (q *request) answer(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode answer: %w", err)
	}
	q.w.Header().Set("Content-Type", "application/json")
	q.w.WriteHeader(status)
	_, _ = q.w.Write(append(body, '\n')) // the client may have left
	return nil
}

// done answers that there is nothing to say.
func (q *request) done() error {
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

// query is the URL's query, of which only known names may be there: one that
// was mistyped would silently select something else.
func (q *request) query(known ...string) (url.Values, error) {
	values, err := url.ParseQuery(q.URL.RawQuery)
	if err != nil {
		return nil, schema.Invalid("", "the query cannot be read: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, name) {
			return nil, schema.Invalid(name, "unknown query parameter %q%s", name, meant(name, known))
		}
		if len(values[name]) > 1 {
			return nil, schema.Invalid(name, "query parameter %q is given twice", name)
		}
	}
	return values, nil
}

// Bounds of a page.
const (
	defaultPage = 100
	longestPage = 1000
)

// limit is the query's limit.
func limit(values url.Values) (int, error) {
	text := values.Get("limit")
	if text == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > longestPage {
		return 0, schema.Invalid("limit", "limit must be a whole number from 1 to %d, not %q", longestPage, text)
	}
	return n, nil
}

// list is a page of a list.
type list[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next"` // where the next page begins; nil: there is none
}

// page is the part of items, in the order of their keys, that the query asks for. The cursor
// is the key of the last item, so that it stays good when items come and go.
func page[T any](values url.Values, items []T, key func(*T) string) (list[T], error) {
	n, err := limit(values)
	if err != nil {
		return list[T]{}, err
	}
	after, ok := "", true
	if text := values.Get("after"); text != "" {
		if after, ok = placeOf[T](text); !ok {
			return list[T]{}, schema.Invalid("after", "after %.40q is not a cursor of this list", text)
		}
	}
	type place struct { // items are large, and their keys are put together
		key string
		at  int
	}
	var order []place
	for i := range items {
		if k := key(&items[i]); k > after || after == "" {
			order = append(order, place{k, i})
		}
	}
	slices.SortFunc(order, func(a, b place) int { return cmp.Compare(a.key, b.key) })
	l := list[T]{Data: make([]T, min(n, len(order)))}
	for i := range l.Data {
		l.Data[i] = items[order[i].at]
	}
	if n < len(order) {
		next := cursor[T](order[n-1].key)
		l.Next = &next
	}
	return l, nil
}

// cursor is the place after an item of a list, by its key. It begins with a
// checksum of the list and the key: what was mistyped, or is of another list,
// would else begin a page somewhere.
func cursor[T any](key string) string {
	sum := crc32.ChecksumIEEE([]byte(reflect.TypeFor[T]().String() + " " + key))
	return base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint32(nil, sum), key...))
}

// placeOf is the key of a cursor that was given.
func placeOf[T any](text string) (key string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < 4 {
		return "", false
	}
	key = string(raw[4:])
	return key, cursor[T](key) == text
}

func errNotFound(format string, args ...any) *schema.Error {
	return &schema.Error{Code: schema.CodeNotFound, Status: http.StatusNotFound, Origin: schema.OriginGateway,
		Message: fmt.Sprintf(format, args...)}
}

func errConflict(format string, args ...any) *schema.Error {
	return &schema.Error{Code: codeConflict, Status: http.StatusConflict, Origin: schema.OriginGateway,
		Message: fmt.Sprintf(format, args...)}
}
