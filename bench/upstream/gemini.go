package upstream

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/valyala/fasthttp"
)

var geminiFormat = format{
	name: "gemini", read: readGemini, body: geminiBody, frames: geminiFrames, stream: events, fault: geminiError, strict: strictGemini,
	key: func(ctx *fasthttp.RequestCtx) string {
		if key := ctx.Request.Header.Peek("X-Goog-Api-Key"); len(key) > 0 {
			return string(key)
		}
		return openaiFormat.key(ctx) // Vertex AI's way
	},
	check: func(ctx *fasthttp.RequestCtx) string {
		if strings.HasSuffix(string(ctx.Path()), ":streamGenerateContent") && string(ctx.QueryArgs().Peek("alt")) != "sse" {
			return "the fake streams events alone: alt=sse"
		}
		return unknownGemini(gjson.ParseBytes(ctx.PostBody()))
	},
}

// gemini serves a method of a model.
func (s *Server) gemini(ctx *fasthttp.RequestCtx, method string) {
	switch method {
	case "generateContent", "streamGenerateContent":
		s.chat(ctx, &geminiFormat)
	case "countTokens":
		body := gjson.ParseBytes(ctx.PostBody())
		if inner := body.Get("generateContentRequest"); inner.Exists() {
			body = inner
		}
		a, _ := readGemini(string(ctx.Path()), body.Raw)
		a.readMessages()
		writeJSON(ctx, 200, encode(object{"totalTokens": a.words}))
	case "embedContent", "batchEmbedContents":
		s.embed(ctx, &geminiFormat, geminiEmbeddings)
	default:
		writeJSON(ctx, 404, geminiError(404, "no such method: "+method))
	}
}

// geminiModel is the model in a path: what stands between models/ and the colon.
func geminiModel(path string) string {
	_, model, _ := strings.Cut(path, "/models/")
	if i := strings.LastIndexByte(model, ':'); i >= 0 {
		model = model[:i]
	}
	return model
}

// readGemini reads a generateContent request.
func readGemini(path, body string) (a ask, ok bool) {
	root := gjson.Parse(body)
	a.model, a.usage = geminiModel(path), true
	a.stream = strings.HasSuffix(path, ":streamGenerateContent")
	a.messages = root.Get("contents")
	a.words = wordCount(textOf(root.Get("systemInstruction.parts")))
	a.max = int(root.Get("generationConfig.maxOutputTokens").Int())
	for _, name := range []string{"responseSchema", "responseJsonSchema", "_responseJsonSchema"} {
		if s := root.Get("generationConfig." + name); s.Exists() {
			a.schema = s
		}
	}
	thinking := root.Get("generationConfig.thinkingConfig")
	a.thinking = thinking.Get("includeThoughts").Bool()
	root.Get("tools.#.functionDeclarations|@flatten").ForEach(func(_, f gjson.Result) bool {
		schema := f.Get("parametersJsonSchema")
		if !schema.Exists() {
			schema = f.Get("parameters")
		}
		a.tools = append(a.tools, tool{f.Get("name").String(), schema})
		return true
	})
	config := root.Get("toolConfig.functionCallingConfig")
	switch names := config.Get("allowedFunctionNames").Array(); {
	case config.Get("mode").String() == "NONE":
		a.choice = "none"
	case len(names) == 1:
		a.choice = names[0].String()
	}
	return a, root.IsObject() && a.model != "" && a.messages.IsArray()
}

func (r *answer) geminiUsage() object {
	u := object{"promptTokenCount": r.in, "candidatesTokenCount": r.out, "totalTokenCount": r.in + r.out}
	if r.think != "" {
		u["thoughtsTokenCount"], u["totalTokenCount"] = thoughts, r.in+r.out+thoughts
	}
	return u
}

// thoughts is how many tokens the fake thinks, where its format tells them.
const thoughts = 6

func (r *answer) geminiFinish() string {
	if r.cut {
		return "MAX_TOKENS"
	}
	return "STOP"
}

// callParts are the function calls; the first is signed, as Gemini 3 does it.
func (r *answer) callParts() []object {
	var parts []object
	for i, c := range r.calls {
		part := object{"functionCall": object{"name": c.name, "args": json.RawMessage(c.args)}}
		if i == 0 {
			part["thoughtSignature"] = geminiSignature
		}
		parts = append(parts, part)
	}
	return parts
}

// geminiBody is a GenerateContentResponse.
func geminiBody(a *ask, r *answer) []byte {
	parts := []object{}
	if r.think != "" {
		parts = append(parts, object{"text": r.think, "thought": true})
	}
	if len(r.pieces) > 0 {
		part := object{"text": r.text()}
		if r.think != "" {
			part["thoughtSignature"] = geminiSignature
		}
		parts = append(parts, part)
	}
	return encode(r.geminiChunk(a, nextID("gemini-fake"), append(parts, r.callParts()...), r.geminiFinish(), r.geminiUsage()))
}

func (r *answer) geminiChunk(a *ask, id string, parts []object, finish string, usage object) object {
	candidate := object{"content": object{"role": "model", "parts": parts}, "index": 0}
	if finish != "" {
		candidate["finishReason"] = finish
	}
	return object{"candidates": []object{candidate}, "usageMetadata": usage, "modelVersion": a.model, "responseId": id}
}

// geminiFrames are the events of a stream: whole responses, the last with the
// finish reason and nothing after it.
func geminiFrames(a *ask, r *answer) [][]byte {
	id := nextID("gemini-fake")
	var frames [][]byte
	send := func(parts []object, finish string, usage object) {
		frames = append(frames, frame("", encode(r.geminiChunk(a, id, parts, finish, usage))))
	}
	so := object{"promptTokenCount": r.in, "totalTokenCount": r.in}
	if r.think != "" {
		for _, piece := range split(r.think) {
			send([]object{{"text": piece, "thought": true}}, "", so)
		}
	}
	for _, piece := range r.pieces {
		send([]object{{"text": piece}}, "", so)
	}
	if calls := r.callParts(); len(calls) > 0 {
		send(calls, "", so)
	}
	last := object{"text": ""}
	if r.think != "" && len(r.calls) == 0 {
		last["thoughtSignature"] = geminiSignature
	}
	send([]object{last}, r.geminiFinish(), r.geminiUsage())
	return frames
}

// geminiError is the body of an error; the words are those of the API's page on
// troubleshooting.
func geminiError(status int, message string) []byte {
	word := map[int]string{
		400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
		500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
	}[status]
	switch {
	case word == "" && status < 500:
		word = "INVALID_ARGUMENT"
	case word == "":
		word = "UNKNOWN"
	}
	return encode(object{"error": object{"code": status, "message": message, "status": word}})
}

// geminiEmbeddings answers embedContent and batchEmbedContents.
func geminiEmbeddings(path, body string) []byte {
	root := gjson.Parse(body)
	one := func(r gjson.Result) object {
		dimensions := defaultDimensions
		if n := int(r.Get("outputDimensionality").Int()); n > 0 {
			dimensions = n
		}
		return object{"values": Vector(textOf(r.Get("content.parts")), dimensions)}
	}
	if !strings.HasSuffix(path, ":batchEmbedContents") {
		return encode(object{"embedding": one(root)})
	}
	list := []object{}
	root.Get("requests").ForEach(func(_, r gjson.Result) bool {
		list = append(list, one(r))
		return true
	})
	return encode(object{"embeddings": list})
}
