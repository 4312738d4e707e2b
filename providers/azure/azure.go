// Package azure is OpenAI's API as Azure serves it: the same bodies under other
// paths, with filter results beside the answers, which pass through.
//
// There are three forms, told apart by the API's version:
//
//   - "v1" or nothing: /openai/v1/chat/completions, the deployment's name in
//     the body as the model; "preview" and "latest" are v1 with that
//     api-version in the query;
//   - a date, such as 2024-10-21: /openai/deployments/NAME/chat/completions;
//   - "models/" and a date: /models/chat/completions, Foundry's older form for
//     models of other makers.
//
// The base URL is the resource's: https://NAME.openai.azure.com or
// https://NAME.services.ai.azure.com. The key goes in the header api-key, or an
// Entra token as a bearer token (package auth).
//
// Documents are at learn.microsoft.com/azure. Checked on 2026-11-24: the path
// of v1 (foundry/openai/api-version-lifecycle), that of dated versions and the
// headers of a key and a token (ai-services/openai/reference), and what came
// with 2024-09-01-preview (ai-services/openai/api-version-deprecation). Not
// checked against a document: the form "models/", "preview" and "latest", the
// role developer, and the codes of errors.
package azure

import (
	"net/url"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// KeyHeader is the header of an Azure key.
const KeyHeader = "Api-Key"

// New makes the dialect of one version of the API. Its name is OpenAI's: a
// client's bytes can go there as they are.
func New(apiVersion string) *dialect.Dialect {
	place := placeOf(apiVersion)
	d := openai.New(quirksOf(apiVersion))
	chat, embed := *d.Chat, *d.Embed
	encodeChat, encodeEmbed := chat.Encode, embed.Encode
	chat.Path = func(model string, _ bool) string { return place(model, "chat/completions") }
	chat.Encode = func(req *schema.ChatRequest) (*dialect.Upstream, error) {
		up, err := encodeChat(req)
		if err == nil {
			up.Path = place(req.Model, "chat/completions")
		}
		return up, err
	}
	embed.Path = func(model string) string { return place(model, "embeddings") }
	embed.Encode = func(req *schema.EmbedRequest) (*dialect.Upstream, error) {
		up, err := encodeEmbed(req)
		if err == nil {
			up.Path = place(req.Model, "embeddings")
		}
		return up, err
	}
	d.Chat, d.Embed, d.Error = &chat, &embed, decodeError
	d.Pass = passes(apiVersion)
	return d
}

// placeOf tells where an operation on a model goes.
func placeOf(version string) func(model, operation string) string {
	query := ""
	switch dated, models := strings.CutPrefix(version, "models/"); {
	case version == "" || version == "v1":
		return func(_, operation string) string { return "/openai/v1/" + operation }
	case version == "preview" || version == "latest":
		query = "?api-version=" + version
		return func(_, operation string) string { return "/openai/v1/" + operation + query }
	case models:
		query = "?api-version=" + url.QueryEscape(dated)
		return func(_, operation string) string { return "/models/" + operation + query }
	default:
		query = "?api-version=" + url.QueryEscape(version)
		return func(model, operation string) string {
			return "/openai/deployments/" + wire.Segment(model) + "/" + operation + query
		}
	}
}

// quirksOf tells what older versions lack: stream_options and
// max_completion_tokens came with 2024-09-01-preview (ai-services/openai/
// api-version-deprecation), the role developer with 2024-12-01-preview (not
// checked against a document).
func quirksOf(version string) openai.Quirks {
	dated, models := strings.CutPrefix(version, "models/")
	if dated == "" || dated[0] != '2' {
		return openai.Quirks{}
	}
	q := openai.Quirks{NoDeveloperRole: dated < "2024-12-01", NoStreamOptions: dated < "2024-09-01" && !models}
	if models || dated < "2024-09-01" {
		q.MaxTokensField = "max_tokens"
	}
	return q
}

// decodeError is Dialect.Error. Azure has some codes of its own.
func decodeError(status int, header func(string) string, body []byte) *schema.Error {
	e := openai.Dialect.Error(status, header, body)
	switch code(body) {
	case "DeploymentNotFound", "unknown_model", "OperationNotSupported":
		e.Class, e.Code, e.Status = schema.ClassNotFound, schema.CodeModelNotFound, 404
	case "ResponsibleAIPolicyViolation", "content_filter":
		e.Class, e.Code, e.Status = schema.ClassContentFilter, schema.CodeContentFilter, 400
	}
	return e
}

// code is the innermost code of an error that is a word.
func code(body []byte) string {
	if !gjson.ValidBytes(body) {
		return ""
	}
	e := gjson.GetBytes(body, "error")
	if inner := e.Get("innererror.code").Str; inner != "" {
		return inner
	}
	return e.Get("code").Str
}
