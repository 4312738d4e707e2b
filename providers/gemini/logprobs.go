package gemini

import (
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/providers/wire"
)

// readLogprobs turns a logprobsResult into OpenAI's logprobs; nil where there
// is none.
func readLogprobs(v gjson.Result) json.RawMessage {
	chosen := v.Get("chosenCandidates")
	if !chosen.IsArray() {
		return nil
	}
	top := v.Get("topCandidates").Array()
	b := []byte(`{"content":[`)
	at := 0
	each(chosen, func(c gjson.Result) {
		b = appendLogprob(append(wire.AppendComma(b), '{'), c.Get("token").String(), c.Get("logProbability").Num)
		b = append(b, `,"top_logprobs":[`...)
		if at < len(top) {
			each(top[at].Get("candidates"), func(c gjson.Result) {
				b = appendLogprob(append(wire.AppendComma(b), '{'), c.Get("token").String(), c.Get("logProbability").Num)
				b = append(b, '}')
			})
		}
		b = append(b, ']', '}')
		at++
	})
	return append(b, `],"refusal":null}`...)
}

func appendLogprob(b []byte, token string, logprob float64) []byte {
	b = wire.AppendString(append(b, `"token":`...), token)
	b = strconv.AppendFloat(append(b, `,"logprob":`...), logprob, 'g', -1, 64)
	b = append(b, `,"bytes":[`...)
	for i := range len(token) {
		b = strconv.AppendInt(wire.AppendComma(b), int64(token[i]), 10)
	}
	return append(b, ']')
}

// appendLogprobs writes OpenAI's logprobs as a logprobsResult.
func appendLogprobs(b []byte, logprobs json.RawMessage) []byte {
	content := gjson.GetBytes(logprobs, "content")
	if !content.IsArray() {
		return b
	}
	one := func(b []byte, v gjson.Result) []byte {
		b = wire.AppendString(append(wire.AppendComma(b), `{"token":`...), v.Get("token").String())
		b = strconv.AppendFloat(append(b, `,"logProbability":`...), v.Get("logprob").Num, 'g', -1, 64)
		return append(b, '}')
	}
	b = append(wire.AppendKey(b, "logprobsResult"), `{"chosenCandidates":[`...)
	each(content, func(v gjson.Result) { b = one(b, v) })
	b = append(b, `],"topCandidates":[`...)
	each(content, func(v gjson.Result) {
		b = append(wire.AppendComma(b), `{"candidates":[`...)
		each(v.Get("top_logprobs"), func(v gjson.Result) { b = one(b, v) })
		b = append(b, ']', '}')
	})
	return append(b, ']', '}')
}
