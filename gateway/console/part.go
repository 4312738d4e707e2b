package console

import (
	"net/url"
	"strconv"
)

// part is what a page shows of a list that may be long: at most so many, from
// where the query says under a name. next is the address of what comes after;
// empty: nothing does.
func part[T any](path string, q url.Values, name string, list []T, most int) (shown []T, next string) {
	from, err := strconv.Atoi(q.Get(name))
	if err != nil || from < 0 || from > len(list) {
		from = 0
	}
	end := min(from+most, len(list))
	if end < len(list) {
		q = clone(q)
		q.Del("done") // it was said
		q.Set(name, strconv.Itoa(end))
		next = path + "?" + q.Encode()
	}
	return list[from:end], next
}
