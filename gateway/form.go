package gateway

import (
	"encoding/base64"
	"io"
	"mime/multipart"
	"sort"

	"github.com/valyala/fasthttp"

	"sluice/prompts"
	"sluice/providers/schema"
)

// pairs are the names and values of a query or a form, in their order.
func pairs(args *fasthttp.Args) []prompts.Pair {
	var list []prompts.Pair
	for k, v := range args.All() {
		if string(k) != "stream" {
			list = append(list, prompts.Pair{Name: string(k), Value: string(v)})
		}
	}
	return list
}

// formPairs are those of a multipart form; a file becomes a data URL, which is
// what a media field takes.
func formPairs(form *multipart.Form) ([]prompts.Pair, error) {
	var list []prompts.Pair
	for _, name := range sorted(form.Value) {
		for _, v := range form.Value[name] {
			list = append(list, prompts.Pair{Name: name, Value: v})
		}
	}
	for _, name := range sorted(form.File) {
		for _, h := range form.File[name] {
			f, err := h.Open()
			if err != nil {
				return nil, schema.Invalid(name, "cannot read the file of field %q: %v", name, err)
			}
			data, err := io.ReadAll(f)
			f.Close()
			if err != nil {
				return nil, schema.Invalid(name, "cannot read the file of field %q: %v", name, err)
			}
			kind := h.Header.Get("Content-Type")
			if kind == "" {
				kind = "application/octet-stream"
			}
			list = append(list, prompts.Pair{Name: name,
				Value: "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data)})
		}
	}
	return list, nil
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
