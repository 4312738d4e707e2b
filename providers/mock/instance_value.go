package mock

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// object writes the properties in the schema's order, then what is required
// or needed beside them.
func (g *generator) object(s gjson.Result, p place) {
	required := map[string]bool{}
	for _, r := range s.Get("required").Array() {
		required[r.String()] = true
	}
	written := map[string]bool{}
	g.out = append(g.out, '{')
	add := func(name string, sub gjson.Result) {
		if len(written) > 0 {
			g.out = append(g.out, ',')
		}
		written[name] = true
		quoted, _ := json.Marshal(name)
		g.out = append(append(g.out, quoted...), ':')
		g.value(sub, p.down(name, 0))
	}
	s.Get("properties").ForEach(func(k, sub gjson.Result) bool {
		impossible := sub.Type == gjson.False || g.examples && g.resolve(sub, p).Get("writeOnly").Bool() && !required[k.String()]
		if !written[k.String()] && !impossible && (required[k.String()] || g.generous(p)) {
			add(k.String(), sub)
		}
		return true
	})
	more := s.Get("additionalProperties")
	for _, r := range s.Get("required").Array() {
		if !written[r.String()] {
			add(r.String(), more)
		}
	}
	for i := 1; int64(len(written)) < s.Get("minProperties").Int() && more.Type != gjson.False && i <= 1000; i++ {
		add("key"+strconv.Itoa(i), more)
	}
	g.out = append(g.out, '}')
}

// array writes as many items as must be, at least one where there is room.
func (g *generator) array(s gjson.Result, p place) {
	prefix := s.Get("prefixItems").Array()
	items := s.Get("items")
	n := max(int(s.Get("minItems").Int()), 0)
	if n == 0 && g.generous(p) {
		n = 1
	}
	if n < len(prefix) && g.generous(p) {
		n = len(prefix)
	}
	if most := s.Get("maxItems"); most.Exists() {
		n = min(n, int(most.Int()))
	}
	if items.Type == gjson.False {
		n = min(n, len(prefix))
	}
	n = min(n, 1000)
	unique := s.Get("uniqueItems").Bool()
	g.out = append(g.out, '[')
	for i := range n {
		if i > 0 {
			g.out = append(g.out, ',')
		}
		index := 0
		if unique {
			index = i
		}
		if i < len(prefix) {
			g.value(prefix[i], p.down(p.name, index))
			continue
		}
		g.value(items, p.down(p.name, index))
	}
	g.out = append(g.out, ']')
}

// number is the least number allowed, index steps up; 1 where nothing is said.
func number(s gjson.Result, index int, integer bool) string {
	step := 1.0
	if m := s.Get("multipleOf"); m.Exists() && m.Num > 0 {
		step = m.Num
	}
	least, most := bounds(s)
	value := step
	switch {
	case !math.IsInf(least, -1):
		value = math.Ceil(least/step) * step
		if !integer && step == 1 && value > most {
			value = (least + most) / 2
		}
		if value <= least && exclusive(s, "exclusiveMinimum", "minimum") {
			value += step
			if !integer && value >= most {
				value = (least + most) / 2
			}
		}
	case value > most:
		value = math.Floor(most/step) * step
		if value >= most && exclusive(s, "exclusiveMaximum", "maximum") {
			value -= step
		}
	}
	if up := value + float64(index)*step; up <= most {
		value = up
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// bounds are the least and the greatest value, exclusive ones included.
func bounds(s gjson.Result) (least, most float64) {
	least, most = math.Inf(-1), math.Inf(1)
	for _, k := range []string{"minimum", "exclusiveMinimum"} {
		if v := s.Get(k); v.Type == gjson.Number {
			least = max(least, v.Num)
		}
	}
	for _, k := range []string{"maximum", "exclusiveMaximum"} {
		if v := s.Get(k); v.Type == gjson.Number {
			most = min(most, v.Num)
		}
	}
	return least, most
}

// exclusive tells whether the stricter of the two bounds is the exclusive one,
// as a number (2020-12) or as a flag (draft 4).
func exclusive(s gjson.Result, open, closed string) bool {
	o, c := s.Get(open), s.Get(closed)
	if o.Type == gjson.True {
		return true
	}
	if o.Type != gjson.Number {
		return false
	}
	if c.Type != gjson.Number {
		return true
	}
	return (open == "exclusiveMinimum") == (o.Num >= c.Num) || o.Num == c.Num
}

// formats are values of the formats of JSON Schema 2020-12, section 7.3.
var formats = map[string]string{
	"date-time": "2024-01-01T00:00:00Z", "date": "2024-01-01", "time": "12:00:00Z", "duration": "P1D",
	"email": "user@example.com", "idn-email": "user@example.com", "hostname": "example.com", "idn-hostname": "example.com",
	"ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uri": "https://example.com/", "uri-reference": "/path", "iri": "https://example.com/",
	"iri-reference": "/path", "uri-template": "/path/{id}", "uuid": "123e4567-e89b-12d3-a456-426614174000", "regex": "^a$",
	"json-pointer": "/a", "relative-json-pointer": "0", "byte": "dGV4dA==",
}

// text is a string by its format, its pattern, or the name of its place.
func text(s gjson.Result, p place) string {
	value, fixed := formats[s.Get("format").String()]
	if fixed && p.index == 0 {
		return value
	}
	least, most := int(s.Get("minLength").Int()), math.MaxInt
	if m := s.Get("maxLength"); m.Exists() {
		most = int(m.Int())
	}
	if pattern := s.Get("pattern"); pattern.Exists() {
		if v, ok := matching(pattern.String(), least); ok {
			return v
		}
	}
	value = p.name
	if p.index > 0 {
		value = fmt.Sprint(p.index) + value
	}
	if n := utf8.RuneCountInString(value); n < least {
		value += strings.Repeat("x", min(least-n, 1<<20))
	}
	if utf8.RuneCountInString(value) > most {
		value = string([]rune(value)[:max(most, 0)])
	}
	return value
}
