package export

import (
	"time"

	"sluice/billing"
)

// Row is an entry as it is exported: one column a field, those of the structs
// within it too, under the same names in every format. Money is whole: a decimal text in CSV and JSON, a DECIMAL with
// nine digits behind the point in Parquet.
type Row struct {
	Call    string    `json:"call" parquet:"call"`
	Attempt int64     `json:"attempt" parquet:"attempt"` // 0: the call itself; 1…: a charged attempt that failed; -1: a correction
	Time    time.Time `json:"time" parquet:"time,timestamp(nanosecond)"`
	Asked
	Outcome
	Tokens
	Charge
	RequestID string `json:"request_id" parquet:"request_id"`
	Corrects  string `json:"corrects" parquet:"corrects"`
	Reason    string `json:"reason" parquet:"reason"`
}

// Asked is who called, and for what.
type Asked struct {
	Team      string   `json:"team" parquet:"team,dict"`
	KeyID     string   `json:"key_id" parquet:"key_id,dict"`
	Key       string   `json:"key" parquet:"key,dict"`
	User      string   `json:"user" parquet:"user,dict"`
	Tags      []string `json:"tags" parquet:"tags,list"`
	Operation string   `json:"operation" parquet:"operation,dict"`
	Model     string   `json:"model" parquet:"model,dict"`
	Provider  string   `json:"provider" parquet:"provider,dict"`
	Target    string   `json:"target" parquet:"target,dict"`
	Prompt    string   `json:"prompt" parquet:"prompt,dict"`
	Version   int64    `json:"version" parquet:"version"`
}

// Outcome is what became of the call.
type Outcome struct {
	Status     int64  `json:"status" parquet:"status"`
	Code       string `json:"code" parquet:"code,dict"`
	Origin     string `json:"origin" parquet:"origin,dict"`
	Refused    bool   `json:"refused" parquet:"refused"`
	Stream     bool   `json:"stream" parquet:"stream"`
	Cache      string `json:"cache" parquet:"cache,dict"`
	Disconnect bool   `json:"disconnect" parquet:"disconnect"`
	Delivered  int64  `json:"delivered_tokens" parquet:"delivered_tokens"` // -1: all
	LatencyMS  int64  `json:"latency_ms" parquet:"latency_ms"`
	TTFTMS     int64  `json:"ttft_ms" parquet:"ttft_ms"`
}

// Tokens are what was used.
type Tokens struct {
	Input        int64  `json:"input_tokens" parquet:"input_tokens"`
	CachedInput  int64  `json:"cached_input_tokens" parquet:"cached_input_tokens"`
	CacheWrite   int64  `json:"cache_write_tokens" parquet:"cache_write_tokens"`
	CacheWrite1h int64  `json:"cache_write_1h_tokens" parquet:"cache_write_1h_tokens"`
	Output       int64  `json:"output_tokens" parquet:"output_tokens"`
	Reasoning    int64  `json:"reasoning_tokens" parquet:"reasoning_tokens"`
	AudioInput   int64  `json:"audio_input_tokens" parquet:"audio_input_tokens"`
	AudioOutput  int64  `json:"audio_output_tokens" parquet:"audio_output_tokens"`
	Images       int64  `json:"images" parquet:"images"`
	Tier         string `json:"tier" parquet:"tier,dict"`
	Source       string `json:"source" parquet:"source,dict"`
}

// Charge is what it cost.
type Charge struct {
	PriceVersion string       `json:"price_version" parquet:"price_version,dict"`
	USD          billing.Nano `json:"usd" parquet:"usd,decimal(9:18)"`
	Excess       billing.Nano `json:"excess_usd" parquet:"excess_usd,decimal(9:18)"`
	Saved        billing.Nano `json:"saved_usd" parquet:"saved_usd,decimal(9:18)"`
}

// Of is an entry as a row.
func Of(e *billing.Entry) Row {
	u := &e.Usage
	tags := e.Tags
	if tags == nil {
		tags = []string{}
	}
	return Row{Call: e.Call, Attempt: int64(e.Attempt), Time: e.Time.UTC(),
		Asked: Asked{Team: e.Team, KeyID: e.KeyID, Key: e.Key, User: e.User, Tags: tags, Operation: e.Operation, Model: e.Model,
			Provider: e.Provider, Target: e.Target, Prompt: e.Prompt, Version: int64(e.Version)},
		Outcome: Outcome{Status: int64(e.Status), Code: e.Code, Origin: e.Origin, Refused: e.Refused, Stream: e.Stream, Cache: e.Cache,
			Disconnect: e.Disconnect, Delivered: e.Delivered, LatencyMS: e.Latency.Milliseconds(), TTFTMS: e.TTFT.Milliseconds()},
		Tokens: Tokens{Input: u.Input, CachedInput: u.CachedInput, CacheWrite: u.CacheWrite, CacheWrite1h: u.CacheWrite1h, Output: u.Output,
			Reasoning: u.Reasoning, AudioInput: u.AudioInput, AudioOutput: u.AudioOutput, Images: u.Images, Tier: u.Tier, Source: u.Source.String()},
		Charge:    Charge{PriceVersion: e.PriceVersion, USD: e.Cost, Excess: e.Excess, Saved: e.Saved},
		RequestID: e.RequestID, Corrects: e.Corrects, Reason: e.Reason}
}
