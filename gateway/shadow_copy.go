package gateway

import (
	"bytes"
	"reflect"
	"strings"

	"sluice/gateway/cache"
	"sluice/providers"
	"sluice/providers/dialect"
	"sluice/providers/responses"
	"sluice/providers/schema"
)

// copied is a request as guards have left it, in memory of its own.
type copied struct {
	op        schema.Operation
	client    *dialect.Dialect
	raw       []byte
	head      schema.Head
	continues string

	unified *schema.ChatRequest
	// Of a request that is translated, what is sent in place of raw.
	chat   *schema.ChatRequest
	embed  *schema.EmbedRequest
	rerank *schema.RerankRequest
}

func copyOf(r *providers.Request) copied {
	q := copied{op: r.Op, client: r.Client, raw: bytes.Clone(r.Raw), head: deepCopy(r.Head), continues: strings.Clone(r.Continues),
		unified: deepCopy(r.Unified)}
	if r.Unified != nil || !r.Translate {
		return q
	}
	switch r.Op { // what cannot be read is refused whoever it is sent to
	case schema.OpEmbed:
		req, _ := r.Embed()
		q.embed = deepCopy(req)
	case schema.OpRerank:
		req, _ := r.Rerank()
		q.rerank = deepCopy(req)
	default:
		req, _ := r.Chat()
		q.chat = deepCopy(req)
	}
	return q
}

// into makes r the request.
func (q *copied) into(r *providers.Request) {
	*r = providers.Request{Op: q.op, Client: q.client, Raw: q.raw, Head: q.head, Continues: q.continues, Unified: q.unified}
	switch {
	case q.chat != nil:
		r.Replace(q.chat)
	case q.embed != nil:
		r.ReplaceEmbed(q.embed)
	case q.rerank != nil:
		r.ReplaceRerank(q.rerank)
	}
	if q.client == &responses.Dialect {
		r.Translate = true // what is not told otherwise would be kept by the provider
	}
}

// repeatable tells whether the request does nothing beside its answer, and can
// be read.
func (q *copied) repeatable() bool {
	if q.op != schema.OpChat {
		return true
	}
	var r providers.Request
	q.into(&r)
	req, err := r.Chat()
	return err == nil && cache.Repeatable(req)
}

// deepCopy is v with nothing in common with it: not even its texts, which may be
// views of memory that is used again. Every field that leads to memory must be
// exported, as those of requests are.
func deepCopy[T any](v T) T {
	unshare(reflect.ValueOf(&v).Elem())
	return v
}

// unshare puts copies in the place of all that a settable value refers to.
func unshare(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(strings.Clone(v.String()))
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		own := reflect.New(v.Elem().Type())
		own.Elem().Set(v.Elem())
		unshare(own.Elem())
		if v.Kind() == reflect.Interface {
			own = own.Elem()
		}
		v.Set(own)
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				unshare(field)
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(own, v)
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range own.Len() {
				unshare(own.Index(i))
			}
		}
		v.Set(own)
	case reflect.Map:
		unshareMap(v)
	}
}

func unshareMap(v reflect.Value) {
	if v.IsNil() {
		return
	}
	own := reflect.MakeMapWithSize(v.Type(), v.Len())
	for of, at := v.MapRange(), v.Type(); of.Next(); {
		key, value := reflect.New(at.Key()).Elem(), reflect.New(at.Elem()).Elem()
		key.Set(of.Key())
		value.Set(of.Value())
		unshare(key)
		unshare(value)
		own.SetMapIndex(key, value)
	}
	v.Set(own)
}
