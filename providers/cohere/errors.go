package cohere

import (
	"net/http"

	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeError is Dialect.Error. The bodies are {"message"} with an id beside
// it, one of those that hosts of OpenAI's API send too; 498 is Cohere's word
// for content that it blocked, and 499 for a caller that left.
func decodeError(status int, header func(string) string, body []byte) *schema.Error {
	e := openai.Dialect.Error(status, header, body)
	switch status {
	case 498:
		e.Code, e.Class = schema.CodeContentFilter, schema.ClassContentFilter
	case 499:
		e.Code, e.Class = schema.CodeUpstream, schema.ClassServerError
	}
	return e
}

// failed is an error told in the place of an answer, with a status of success.
func failed(message string) *schema.Error {
	body := append(wire.AppendString([]byte(`{"message":`), message), '}')
	e := decodeError(http.StatusBadGateway, func(string) string { return "" }, body)
	e.UpstreamStatus = http.StatusOK
	return e
}

// ended is an answer that ended with ERROR or TIMEOUT.
func ended(reason, message string) *schema.Error {
	if message == "" {
		message = "the provider ended the answer with " + reason
	}
	e := failed(message)
	if reason == "TIMEOUT" {
		e.Code, e.Class, e.Status = schema.CodeUpstreamTimeout, schema.ClassTimeout, http.StatusGatewayTimeout
	}
	e.Type = reason
	return e
}
