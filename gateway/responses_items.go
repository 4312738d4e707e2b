package gateway

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/providers/responses"
	"sluice/providers/schema"
)

// Bounds of a page of items, as OpenAI has them.
const (
	usualItems = 20
	mostItems  = 100
)

// serveInputItems lists what a kept response answers, newest first unless the
// caller wants the other order, a page at a time.
func (c *Call) serveInputItems(id string) error {
	if err := c.authenticate(); err != nil {
		return err
	}
	k, err := c.keptOr404(id)
	if err != nil {
		return err
	}
	args := c.rc.QueryArgs()
	limit := usualItems
	if v := string(args.Peek("limit")); v != "" {
		if limit, err = strconv.Atoi(v); err != nil || limit < 1 || limit > mostItems {
			return schema.Invalid("limit", "limit must be an integer from 1 to %d", mostItems)
		}
	}
	items := responses.InputOf(k.Stored, k.Response)
	switch order := string(args.Peek("order")); order {
	case "", "desc":
		slices.Reverse(items)
	case "asc":
	default:
		return schema.Invalid("order", "order must be asc or desc")
	}
	if after := string(args.Peek("after")); after != "" {
		at := slices.IndexFunc(items, func(item json.RawMessage) bool { return itemID(item) == after })
		if at < 0 {
			return schema.Invalid("after", "after must be the id of an item")
		}
		items = items[at+1:]
	}
	return c.sendItems(items[:min(limit, len(items))], len(items) > limit)
}

func itemID(item json.RawMessage) string { return gjson.GetBytes(item, "id").Str }

func (c *Call) sendItems(items []json.RawMessage, more bool) error {
	page := struct {
		Object  string            `json:"object"`
		Data    []json.RawMessage `json:"data"`
		FirstID *string           `json:"first_id"`
		LastID  *string           `json:"last_id"`
		HasMore bool              `json:"has_more"`
	}{Object: "list", Data: items, HasMore: more}
	if n := len(items); n > 0 {
		first, last := itemID(items[0]), itemID(items[n-1])
		page.FirstID, page.LastID = &first, &last
	} else {
		page.Data = []json.RawMessage{}
	}
	body, err := json.Marshal(page)
	if err != nil {
		return err
	}
	return c.sendJSON(body)
}
