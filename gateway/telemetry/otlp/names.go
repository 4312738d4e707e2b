package otlp

// The names of the GenAI semantic conventions that are told, as of their
// repository open-telemetry/semantic-conventions-genai.
const (
	GenAIOperation      = "gen_ai.operation.name"
	GenAIProvider       = "gen_ai.provider.name"
	GenAIRequestModel   = "gen_ai.request.model"
	GenAIMaxTokens      = "gen_ai.request.max_tokens"
	GenAIRequestStream  = "gen_ai.request.stream"
	GenAIFirstChunk     = "gen_ai.response.time_to_first_chunk"
	GenAIInputTokens    = "gen_ai.usage.input_tokens"
	GenAIOutputTokens   = "gen_ai.usage.output_tokens"
	GenAICacheRead      = "gen_ai.usage.cache_read.input_tokens"
	GenAICacheCreation  = "gen_ai.usage.cache_creation.input_tokens"
	GenAIReasoning      = "gen_ai.usage.reasoning.output_tokens"
	GenAIInputMessages  = "gen_ai.input.messages"
	GenAIOutputMessages = "gen_ai.output.messages"
	GenAITokenType      = "gen_ai.token.type"
	GenAIPromptName     = "gen_ai.prompt.name"

	ErrorType     = "error.type"
	ServerAddress = "server.address"
	ServerPort    = "server.port"
	HTTPMethod    = "http.request.method"
	HTTPRoute     = "http.route"
	HTTPStatus    = "http.response.status_code"
	HTTPResend    = "http.request.resend_count"
	URLPath       = "url.path"
	ClientAddress = "client.address"

	// Our own.
	SluiceCall    = "sluice.call.id"
	SluiceRequest = "sluice.request.id"
	SluiceTeam    = "sluice.team"
	SluiceKey     = "sluice.key"
	SluiceUser    = "sluice.user"
	SluiceTarget  = "sluice.target"
	SluicePrompt  = "sluice.prompt.version"
	SluiceCache   = "sluice.cache"
	SluiceCost    = "sluice.cost.usd"
	SluiceOrigin  = "sluice.error.origin"
	SluiceHedged  = "sluice.hedged"
	SluiceAccount = "sluice.provider_key"

	SluiceRouteCall = "sluice.route.call"
)

// The metrics.
const (
	OperationDuration = "gen_ai.client.operation.duration"
	TokenUsage        = "gen_ai.client.token.usage"
	FirstChunk        = "gen_ai.client.operation.time_to_first_chunk"
	FirstToken        = "gen_ai.server.time_to_first_token"
	PerOutputToken    = "gen_ai.server.time_per_output_token"
)
