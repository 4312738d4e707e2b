package responses

import (
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// failure is what a response object with status failed, or an event error,
// tells. Both came with a status of success; error.code says what it means
// (reference of the response object, error).
func failure(v gjson.Result) *schema.Error {
	body := []byte(v.Raw)
	e := v.Get("error")
	if e.IsObject() {
		body = append(append([]byte(`{"error":`), e.Raw...), '}')
	} else if e.Type != gjson.String {
		e = v
	}
	status := wire.StatusOf(gjson.ParseBytes(body), 0)
	if status == 0 {
		status = statusFor(e.Get("code").String())
	}
	err := wire.DecodeError(status, func(string) string { return "" }, body)
	err.UpstreamStatus = 200
	return err
}

func statusFor(code string) int {
	switch {
	case code == "rate_limit_exceeded", code == "insufficient_quota":
		return 429
	case strings.Contains(code, "overloaded"):
		return 503
	case code == "vector_store_timeout":
		return 504
	case strings.HasPrefix(code, "invalid_"), strings.HasPrefix(code, "unsupported_"), strings.HasPrefix(code, "image_"),
		strings.HasPrefix(code, "empty_image"), strings.HasPrefix(code, "failed_to_download_image"),
		code == "context_length_exceeded", code == "content_filter", code == "bio_policy", code == "cyber_policy":
		return 400
	}
	return 502
}

// appendStreamError is Client.StreamError. Programs differ in what they look
// at: some in response.failed, some in error, and there in the event's own
// fields or, as OpenAI's SDKs do, in an object error.
func appendStreamError(dst []byte, e *schema.Error, requestID string) []byte {
	w := writer{response: responseID(requestID)}
	return w.Fail(dst, e, requestID)
}

// Fail is dialect.Failer's. The response that failed is the one that began, and
// the events are numbered on. A response that has ended gets the error alone.
func (w *writer) Fail(dst []byte, e *schema.Error, requestID string) []byte {
	if !w.ended {
		w.ended = true
		failed := w.envelope()
		failed.status, failed.failed = "failed", e
		for _, item := range w.items {
			if item.whole != nil {
				failed.output = append(separated(failed.output), item.whole...)
			}
		}
		dst = w.lifecycle(dst, eventFailed, &failed)
	}
	dst = wire.AppendString(append(w.event(dst, eventError), `,"code":`...), responseCode(e))
	dst = wire.AppendString(append(dst, `,"message":`...), e.Message)
	dst = wire.AppendOrNull(append(dst, `,"param":`...), e.Param)
	dst = append(dst, ',')
	body := wire.AppendError(nil, e, requestID) // {"error":{…}}
	return append(append(dst, body[1:]...), "\n\n"...)
}

// responseCode is the code of a failed response; those that the API has itself
// are what programs know.
func responseCode(e *schema.Error) string {
	switch {
	case e.Code == schema.CodeUpstream, e.Code == schema.CodeInternal, e.Code == schema.CodeUnavailable, e.Code == schema.CodeInvalidOutput:
		return "server_error"
	case e.Code == "":
		return "server_error"
	}
	return string(e.Code)
}
