package reconcile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Forms as the providers document them, and their consoles' files.
const (
	openAIUsage = `{"object":"page","data":[
		{"object":"bucket","start_time":1761955200,"end_time":1762041600,"results":[
			{"object":"organization.usage.completions.result","input_tokens":1000,"input_cached_tokens":800,"input_cache_write_tokens":7,"output_tokens":500,
			 "num_model_requests":5,"project_id":null,"model":"gpt-4o-mini-2024-07-18","batch":null},
			{"object":"organization.usage.embeddings.result","input_tokens":16,"num_model_requests":2,"model":"text-embedding-3-small"}]},
		{"object":"bucket","start_time":1762041600,"end_time":1762128000,"results":[]}],"has_more":false,"next_page":null}`
	openAICosts = `{"object":"page","data":[{"object":"bucket","start_time":1761955200,"end_time":1762041600,"results":[
		{"object":"organization.costs.result","amount":{"value":0.06,"currency":"usd"},"line_item":"gpt-4o-mini-2024-07-18, input","project_id":null},
		{"object":"organization.costs.result","amount":{"value":1e-05,"currency":"usd"},"line_item":"gpt-4o-mini-2024-07-18, cached input"},
		{"object":"organization.costs.result","amount":{"value":"0.000000000600000000000000000","currency":"usd"},"line_item":"priority | gpt-5.6-sol, output, long context"},
		{"object":"organization.costs.result","amount":{"value":0.01,"currency":"usd"},"line_item":"web search tool calls"}]}],"has_more":true,"next_page":"p"}
		{"object":"page","data":[{"object":"bucket","start_time":1762041600,"result":[
		{"amount":{"value":0,"currency":"usd"},"line_item":null}]}],"has_more":false}`
	openAIUsageCSV = "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,model,batch,input_tokens,output_tokens,input_cached_tokens\n" +
		"1761955200,1761955260,2025-11-01T00:00:00+00:00,2025-11-01T00:01:00+00:00,proj_a,3.0,gpt-4o-mini-2024-07-18,false,600,200.0,500\n" +
		"1761955260,1761955320,2025-11-01T00:01:00+00:00,2025-11-01T00:02:00+00:00,,,,,,,\n" +
		"1761955320,1761955380,2025-11-01T00:02:00+00:00,2025-11-01T00:03:00+00:00,proj_b,2.0,gpt-4o-mini-2024-07-18,false,400,300,300\n"
	openAICostsCSV = "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,project_id\n" +
		"1761955200,1762041600,2025-11-01T00:00:00,2025-11-02T00:00:00,0.003835980000000000000000000000,usd,1000,tokens,\"gpt-5-nano, input_tokens\",proj_a\n" +
		"1762041600,1762128000,2025-11-02T00:00:00,2025-11-03T00:00:00,,,,,,\n"
	anthropicUsage = `{"data":[{"starting_at":"2025-11-01T00:00:00Z","ending_at":"2025-11-02T00:00:00Z","results":[
		{"uncached_input_tokens":1500,"cache_creation":{"ephemeral_1h_input_tokens":1000,"ephemeral_5m_input_tokens":500},"cache_read_input_tokens":200,
		 "output_tokens":500,"server_tool_use":{"web_search_requests":10},"model":"claude-sonnet-4-20250514","service_tier":"standard","context_window":"0-200k"}]}],
		"has_more":false,"next_page":null}`
	anthropicCosts = `[{"data":[{"starting_at":"2025-11-01T00:00:00Z","ending_at":"2025-11-02T00:00:00Z","results":[
		{"currency":"USD","amount":"123.78912","cost_type":"tokens","token_type":"uncached_input_tokens","model":"claude-sonnet-4-20250514","description":"Usage"},
		{"currency":"USD","amount":"10","cost_type":"web_search","model":null,"description":"Web Search Usage"}]}],"has_more":false,"next_page":null}]`
	anthropicUsageCSV = "\ufeffusage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m," +
		"usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count,inference_geo,speed\n" +
		"2025-11-01,claude-haiku-4-5-20251001,app,\"Acme, Inc\",standard,≤ 200k,100,20,3,4000,50,0,global,\n"
	anthropicCostsCSV = "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,inference_geo,speed\n" +
		"2025-11-01,Claude Haiku 4.5,Default,app,message,≤ 200k,input_no_cache,0.05,0.05,token,global,\n" +
		"2025-11-01,Claude Haiku 4.5,Default,app,message,≤ 200k,output,0.10,0.10,token,global,\n" +
		"2025-11-03,,Default,app,message,,,0.01,0.01,web_search,,\n"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
		days       string
	}{
		"OpenAI's usage": {openAIUsage, "2025-11-01 gpt-4o-mini-2024-07-18 [1000 800 7 500 0]; 2025-11-01 text-embedding-3-small [16 0 0 0 0]", "2025-11-01 2025-11-02"},
		"OpenAI's costs": {openAICosts, "2025-11-01 (web search tool calls) [0 0 0 0 10000000]; 2025-11-01 gpt-4o-mini-2024-07-18 [0 0 0 0 60010000]; 2025-11-01 gpt-5.6-sol [0 0 0 0 1]",
			"2025-11-01 2025-11-02"},
		"OpenAI's usage as CSV":    {openAIUsageCSV, "2025-11-01 gpt-4o-mini-2024-07-18 [1000 800 0 500 0]", "2025-11-01 2025-11-01"},
		"OpenAI's costs as CSV":    {openAICostsCSV, "2025-11-01 gpt-5-nano [0 0 0 0 3835980]", "2025-11-01 2025-11-02"},
		"Anthropic's usage":        {anthropicUsage, "2025-11-01 claude-sonnet-4-20250514 [3200 200 1500 500 0]", "2025-11-01 2025-11-01"},
		"Anthropic's costs":        {anthropicCosts, "2025-11-01 (web_search) [0 0 0 0 100000000]; 2025-11-01 claude-sonnet-4-20250514 [0 0 0 0 1237891200]", "2025-11-01 2025-11-01"},
		"Anthropic's usage as CSV": {anthropicUsageCSV, "2025-11-01 claude-haiku-4-5-20251001 [4123 4000 23 50 0]", "2025-11-01 2025-11-01"},
		"Anthropic's costs as CSV": {anthropicCostsCSV, "2025-11-01 Claude Haiku 4.5 [0 0 0 0 150000000]; 2025-11-03 (web_search) [0 0 0 0 10000000]", "2025-11-01 2025-11-03"},
	} {
		e, err := Parse([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, l := range e.Lines {
			got = append(got, fmt.Sprint(l.Day, " ", l.Model, " ", l.Figures))
		}
		if text := strings.Join(got, "; "); text != c.want || e.Money != strings.Contains(name, "costs") {
			t.Errorf("%s: %v %s", name, e.Money, text)
		}
		if days := e.First.Format("2006-01-02 ") + e.Last.Format("2006-01-02"); days != c.days {
			t.Errorf("%s covers %s", name, days)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for want, text := range map[string]string{
		"empty":                      " \n",
		"neither usage nor costs":    `{"object":"page","data":[]}`,
		"more follow":                strings.Replace(openAIUsage, `"has_more":false`, `"has_more":true`, 1),
		"neither a start_time":       `{"data":[{"results":[]}]}`,
		"no page":                    `{"data":3}`,
		"not JSON":                   `{"data":`,
		"grouped by model":           strings.ReplaceAll(openAIUsage, `"model":"gpt-4o-mini-2024-07-18"`, `"model":null`),
		"line item":                  strings.Replace(openAICosts, `"line_item":"web search tool calls"`, `"line_item":null`, 1),
		"data[0].results[1]: amount": strings.Replace(openAICosts, "1e-05", "{}", 1),
		"not USD":                    strings.Replace(anthropicCosts, `"currency":"USD"`, `"currency":"EUR"`, 1),
		"each its own":               openAIUsage + openAICosts,
		"year 1":                     `{"data":[{"starting_at":"0001-01-01T00:00:00Z"}]}`,
		"no number of tokens":        strings.Replace(openAIUsage, `"input_tokens":1000`, `"input_tokens":-1`, 1),
		"is no number":               strings.Replace(anthropicUsage, `"ephemeral_5m_input_tokens":500`, `"ephemeral_5m_input_tokens":9000000000000`, 1),
		"too large":                  strings.Replace(openAICosts, "0.06", "1e30", 1),
		"is not an amount":           strings.Replace(openAICosts, "0.06", "1e300", 1),
		"columns":                    "a,b\n1,2\n",
		"line 2: output_tokens":      strings.Replace(openAIUsageCSV, "200.0", "200.5", 1),
		"line 2: start_time":         strings.Replace(openAIUsageCSV, "1761955200,", "now,", 1),
		"line 2: usage_date_utc":     strings.Replace(anthropicUsageCSV, "2025-11-01,", "Nov 1,", 1),
		"line 3: cost_usd":           strings.Replace(anthropicCostsCSV, "0.10,", "$0.10,", 1),
		"wrong number of fields":     anthropicCostsCSV + "2025-11-01\n",
		"are those of no usage":      "usage_date_utc,model_version\n",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestLineItem(t *testing.T) {
	for text, want := range map[string]string{
		"gpt-4o-2024-08-06, cached input": "gpt-4o-2024-08-06", "GPT-5.4": "GPT-5.4", "gpt-image-1 text, cached input": "gpt-image-1",
		"gpt-audio-mini-2025-12-15 audio, input": "gpt-audio-mini-2025-12-15", "priority | gpt-5.6-sol, output, long context": "gpt-5.6-sol",
		"web search tool calls": "(web search tool calls)", "Image models": "(Image models)", "": "", "whisper-1, audio": "whisper-1",
		"assistants api | file search": "(assistants api | file search)", ", input": "(, input)", "Code Interpreter, sessions": "(Code Interpreter, sessions)",
	} {
		if got := lineItem(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// fuzz checks what must hold of any input that is read.
func fuzz(t *testing.T, b []byte) {
	e, err := Parse(b)
	if err != nil {
		return
	}
	if e.First.IsZero() || e.Last.Before(e.First) {
		t.Errorf("it covers %v to %v", e.First, e.Last)
	}
	for _, l := range e.Lines {
		if l.Model == "" || l.Day < e.First.Format("2006-01-02") || l.Day > e.Last.Format("2006-01-02") || e.Money != slices.Equal(l.Figures[:iUSD], make([]int64, iUSD)) {
			t.Errorf("%+v", l)
		}
		family(l.Model)
	}
}

func FuzzJSON(f *testing.F) {
	for _, text := range []string{openAIUsage, openAICosts, anthropicUsage, anthropicCosts} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.HasPrefix(b, []byte("{")) || bytes.HasPrefix(b, []byte("[")) {
			fuzz(t, b)
		}
	})
}

func FuzzCSV(f *testing.F) {
	for _, text := range []string{openAIUsageCSV, openAICostsCSV, anthropicUsageCSV, anthropicCostsCSV} {
		f.Add([]byte(text))
	}
	f.Fuzz(fuzz)
}
