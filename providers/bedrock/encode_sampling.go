package bedrock

import (
	"encoding/json"
	"strconv"

	"sluice/providers/wire"
)

// sampling sets what inferenceConfig has, and what the model takes beside it.
func (e *encoder) sampling() {
	req := e.req
	if req.MaxTokens != nil && *req.MaxTokens > 0 {
		e.maxTokens = req.MaxTokens
	}
	e.temp, e.topP = req.Temperature, req.TopP
	if t := req.Temperature; t != nil && *t > 1 {
		one := 1.0 // OpenAI's range ends at 2, Converse's at 1
		e.temp = &one
		e.drop("temperature")
	}
	for _, s := range req.Stop {
		if s == "" {
			e.drop("stop")
			continue
		}
		e.stop = append(e.stop, s)
	}
	if req.TopK != nil {
		value := strconv.AppendInt(nil, *req.TopK, 10)
		switch e.traits.topK {
		case "":
			e.drop("top_k")
		case "inferenceConfig.topK":
			e.addMore("inferenceConfig", append(append([]byte(`{"topK":`), value...), '}'))
		default:
			e.addMore(e.traits.topK, value)
		}
	}
	absent := []string{"n", "logprobs", "top_logprobs", "logit_bias", "min_p", "modalities", "audio", "prediction", "store", "verbosity", "prompt_cache_key"}
	if e.traits.more {
		e.addFloat("frequency_penalty", req.FrequencyPenalty)
		e.addFloat("presence_penalty", req.PresencePenalty)
		if req.Seed != nil {
			e.addMore("seed", strconv.AppendInt(nil, *req.Seed, 10))
		}
	} else {
		absent = append(absent, "seed", "frequency_penalty", "presence_penalty")
	}
	for _, name := range wire.Absent(req, absent...) {
		e.drop(name)
	}
}

func (e *encoder) addFloat(name string, value *float64) {
	if value != nil {
		e.addMore(name, strconv.AppendFloat(nil, *value, 'g', -1, 64))
	}
}

// effort tells how much to think. Nova takes high effort only without limits
// of its own, and a limit that the caller or its budget set must stand.
func (e *encoder) effort() {
	r := e.req.Reasoning
	if r == nil {
		return
	}
	level := r.Effort
	switch {
	case r.Off, level == "none":
		if e.traits.effort == "openai" {
			e.drop("reasoning_effort") // these models always think
		}
		return
	case e.traits.effort == "":
		e.drop("reasoning_effort")
		return
	case level == "minimal":
		level = "low"
	case level == "xhigh", level == "max":
		level = "high"
	case level == "":
		level = "medium"
	}
	if r.Budget != nil {
		e.drop("reasoning.max_tokens")
	}
	if e.traits.effort == "openai" {
		e.addMore("reasoning_effort", json.RawMessage(strconv.Quote(level)))
		return
	}
	if level == "high" && (e.req.MaxTokens != nil || e.req.Temperature != nil || e.req.TopP != nil) {
		level = "medium"
		e.drop("reasoning_effort")
	}
	e.addMore("reasoningConfig", json.RawMessage(`{"type":"enabled","maxReasoningEffort":`+strconv.Quote(level)+`}`))
}
