package mistral

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeEmbed is Embed.Encode: OpenAI's request with output_dimension for
// dimensions.
func encodeEmbed(req *schema.EmbedRequest) (*dialect.Upstream, error) {
	if err := wire.NoTokens(req); err != nil {
		return nil, err
	}
	out := *req
	out.Dimensions, out.User, out.Extra = nil, "", make(map[string]json.RawMessage)
	var dropped []string
	for _, name := range slices.Sorted(maps.Keys(req.Extra)) {
		switch name {
		case "output_dimension", "output_dtype", "metadata":
			out.Extra[name] = req.Extra[name]
		default:
			dropped = append(dropped, name)
		}
	}
	if req.Dimensions != nil {
		out.Extra["output_dimension"] = strconv.AppendInt(nil, *req.Dimensions, 10)
	}
	if req.User != "" {
		dropped = append(dropped, "user")
	}
	up, err := base.Embed.Encode(&out)
	if err != nil {
		return nil, err
	}
	up.Dropped = append(up.Dropped, dropped...)
	return up, nil
}
