package upstream

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/tidwall/gjson"
	"github.com/valyala/fasthttp"
)

var bedrockFormat = format{
	name: "bedrock", read: readBedrock, body: bedrockBody, frames: bedrockFrames, fault: bedrockError, strict: strictBedrock,
	stream: "application/vnd.amazon.eventstream",
	key:    awsKey,
	check:  unsigned,
	head: func(h *fasthttp.ResponseHeader, status int) {
		h.Set("X-Amzn-Errortype", awsError(status)+":http://internal.amazon.com/coral/com.amazon.bedrock/")
	},
}

// bedrock serves an operation on a model.
func (s *Server) bedrock(ctx *fasthttp.RequestCtx, operation string) {
	switch operation {
	case "converse", "converse-stream":
		s.chat(ctx, &bedrockFormat)
	case "count-tokens":
		a, _ := readBedrock(string(ctx.Path()), gjson.GetBytes(ctx.PostBody(), "input.converse").Raw)
		a.readMessages()
		writeJSON(ctx, 200, encode(object{"inputTokens": a.words}))
	case "invoke":
		s.embed(ctx, &bedrockFormat, bedrockEmbeddings)
	default:
		writeJSON(ctx, 404, bedrockError(404, "no such operation: "+operation))
	}
}

// readBedrock reads a Converse request.
func readBedrock(path, body string) (a ask, ok bool) {
	root := gjson.Parse(body)
	_, model, _ := strings.Cut(path, "/model/")
	a.model, a.usage = model[:max(0, strings.LastIndexByte(model, '/'))], true
	a.stream = strings.HasSuffix(path, "/converse-stream")
	a.messages = root.Get("messages")
	a.words = wordCount(textOf(root.Get("system")))
	a.max = int(root.Get("inferenceConfig.maxTokens").Int())
	if s := root.Get("outputConfig.textFormat.structure.jsonSchema.schema"); s.Exists() {
		a.schema = gjson.Parse(s.String()) // a JSON document in a string
	}
	thinking := root.Get("additionalModelRequestFields.thinking.type").String()
	a.thinking = thinking == "enabled" || thinking == "adaptive"
	root.Get("toolConfig.tools.#.toolSpec").ForEach(func(_, t gjson.Result) bool {
		a.tools = append(a.tools, tool{t.Get("name").String(), t.Get("inputSchema.json")})
		return true
	})
	a.choice = root.Get("toolConfig.toolChoice.tool.name").String()
	a.single = root.Get("additionalModelRequestFields.tool_choice.disable_parallel_tool_use").Bool()
	return a, root.IsObject() && a.model != "" && a.messages.IsArray()
}

func (r *answer) bedrockUsage() object {
	return object{"inputTokens": r.in, "outputTokens": r.out, "totalTokens": r.in + r.out}
}

func (r *answer) bedrockStop() string {
	if r.cut {
		return "max_tokens"
	}
	return r.anthropicStop()
}

// bedrockBody is Converse's answer.
func bedrockBody(_ *ask, r *answer) []byte {
	content := []object{}
	if r.think != "" {
		content = append(content, object{"reasoningContent": object{
			"reasoningText": object{"text": r.think, "signature": bedrockSignature}}})
	}
	if len(r.pieces) > 0 {
		content = append(content, object{"text": r.text()})
	}
	for _, c := range r.calls {
		content = append(content, object{"toolUse": object{"toolUseId": c.id, "name": c.name, "input": json.RawMessage(c.args)}})
	}
	return encode(object{
		"output":     object{"message": object{"role": "assistant", "content": content}},
		"stopReason": r.bedrockStop(), "usage": r.bedrockUsage(), "metrics": object{"latencyMs": 1},
	})
}

// bedrockFrames are the messages of ConverseStream: text blocks begin without
// a start, and the usage comes after the stop.
func bedrockFrames(_ *ask, r *answer) [][]byte {
	s := &bedrockStream{encoder: eventstream.NewEncoder()}
	s.send("messageStart", object{"role": "assistant"})
	if r.think != "" {
		var all []object
		for _, piece := range split(r.think) {
			all = append(all, object{"reasoningContent": object{"text": piece}})
		}
		s.block(nil, append(all, object{"reasoningContent": object{"signature": bedrockSignature}}))
	}
	if len(r.pieces) > 0 {
		var all []object
		for _, piece := range r.pieces {
			all = append(all, object{"text": piece})
		}
		s.block(nil, all)
	}
	for _, c := range r.calls {
		var all []object
		for _, part := range thirds(c.args) {
			all = append(all, object{"toolUse": object{"input": part}})
		}
		s.block(object{"toolUse": object{"toolUseId": c.id, "name": c.name}}, all)
	}
	s.send("messageStop", object{"stopReason": r.bedrockStop()})
	s.send("metadata", object{"usage": r.bedrockUsage(), "metrics": object{"latencyMs": 1}})
	return s.frames
}

type bedrockStream struct {
	frames  [][]byte
	index   int
	encoder *eventstream.Encoder
}

func (s *bedrockStream) send(event string, data object) {
	data["p"] = "abcdefgh" // padding, against guesses by length
	text := func(name, value string) eventstream.Header {
		return eventstream.Header{Name: name, Value: eventstream.StringValue(value)}
	}
	var b bytes.Buffer
	err := s.encoder.Encode(&b, eventstream.Message{
		Headers: eventstream.Headers{text(":event-type", event), text(":content-type", "application/json"), text(":message-type", "event")},
		Payload: encode(data),
	})
	if err != nil {
		panic(err) // a message of our own making
	}
	s.frames = append(s.frames, b.Bytes())
}

func (s *bedrockStream) block(start object, deltas []object) {
	if start != nil {
		s.send("contentBlockStart", object{"start": start, "contentBlockIndex": s.index})
	}
	for _, d := range deltas {
		s.send("contentBlockDelta", object{"delta": d, "contentBlockIndex": s.index})
	}
	s.send("contentBlockStop", object{"contentBlockIndex": s.index})
	s.index++
}

// awsError is the name of an error, as the page on error codes has them.
func awsError(status int) string {
	switch {
	case status == 401 || status == 403:
		return "AccessDeniedException"
	case status == 404:
		return "ResourceNotFoundException"
	case status == 408:
		return "ModelTimeoutException"
	case status == 424:
		return "ModelErrorException"
	case status == 429:
		return "ThrottlingException"
	case status == 503:
		return "ServiceUnavailableException"
	case status >= 500:
		return "InternalServerException"
	}
	return "ValidationException"
}

func bedrockError(_ int, message string) []byte { return encode(object{"message": message}) }

// bedrockEmbeddings answers InvokeModel in Titan's form, or in Cohere's where
// several texts come.
func bedrockEmbeddings(_, body string) []byte {
	root := gjson.Parse(body)
	dimensions := defaultDimensions
	for _, name := range []string{"dimensions", "output_dimension"} {
		if n := int(root.Get(name).Int()); n > 0 {
			dimensions = n
		}
	}
	if texts := root.Get("texts"); texts.IsArray() {
		list := [][]float32{}
		for _, t := range texts.Array() {
			list = append(list, Vector(t.String(), dimensions))
		}
		return encode(object{"id": nextID("embed-fake"), "response_type": "embeddings_by_type", "embeddings": object{"float": list}})
	}
	text := root.Get("inputText").String()
	return encode(object{"embedding": Vector(text, dimensions), "inputTextTokenCount": len(text)/4 + 1})
}
