package azure

import (
	"net/url"
	"strings"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// passes are OpenAI's operations without a unified form, at Azure's paths: what
// a model does is at its deployment in dated versions, files and batches are
// the resource's, and a session names its deployment in the query (foundry/
// openai/how-to/realtime-audio-websockets and ai-services/openai/reference,
// read 2026-11-24). Azure judges texts elsewhere, and the form "models/" has
// none of this.
func passes(version string) map[schema.Operation]*dialect.Pass {
	place := passPlace(version)
	if place == nil {
		return nil
	}
	all := make(map[schema.Operation]*dialect.Pass, len(openai.Dialect.Pass))
	for op, p := range openai.Dialect.Pass {
		if op == schema.OpModerate {
			continue
		}
		own := *p
		own.Path = func(model, path string) string { return place(op, model, path) }
		all[op] = &own
	}
	return all
}

// passPlace tells where an operation goes, of OpenAI's path; nil: nowhere.
func passPlace(version string) func(op schema.Operation, model, path string) string {
	switch {
	case strings.HasPrefix(version, "models/"):
		return nil
	case version == "" || version == "v1":
		return func(_ schema.Operation, _, path string) string { return "/openai/v1" + path }
	case version == "preview" || version == "latest":
		return func(_ schema.Operation, _, path string) string { return versioned("/openai/v1"+path, version) }
	}
	return func(op schema.Operation, model, path string) string {
		switch op {
		case schema.OpFile, schema.OpBatch:
			return versioned("/openai"+path, version)
		case schema.OpRealtime:
			if at, query, ok := strings.Cut(path, "?"); ok {
				values, err := url.ParseQuery(query)
				if err == nil {
					values.Del("model")
					values.Set("deployment", model)
					path = at + "?" + values.Encode()
				}
			}
			return versioned("/openai"+path, version)
		}
		return versioned("/openai/deployments/"+wire.Segment(model)+path, version)
	}
}

// versioned adds the version to the query of a path.
func versioned(path, version string) string {
	mark := "?"
	if strings.Contains(path, "?") {
		mark = "&"
	}
	return path + mark + "api-version=" + url.QueryEscape(version)
}
