package responses

import "github.com/tidwall/gjson"

// NotStored tells whether a valid body asks that its answer is not kept.
func NotStored(raw []byte) bool { return gjson.GetBytes(raw, "store").Type == gjson.False }

// Streamed tells whether a valid body asks for a stream.
func Streamed(raw []byte) bool { return gjson.GetBytes(raw, "stream").Type == gjson.True }
