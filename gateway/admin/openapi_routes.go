package admin

import (
	"sluice/billing"
	"sluice/gateway/alert"
	"sluice/gateway/audit"
	"sluice/prompts"
	"sluice/router"
)

// parameters are the words of the query parameters.
var parameters = map[string]string{
	"limit": "items of a page, at most 1000; 100 if not given", "after": "the next of the page before",
	"from": "a date, or an RFC 3339 time", "to": "likewise, exclusive", "time_zone": "whose days and months; billing.time_zone if not given",
	"group_by": "dimensions, separated by commas: team, key, user, model, target, provider, prompt, version, tag, status, hour, day, month",
	"format":   "json, csv, or another that the answer names", "team": "only this team", "key": "only this key: team/name, or its id; of the cache: what x-sluice-cache-key told, or a path with its query",
	"prefix": "how the key of a cached answer begins: MODEL/OWNER/, or a path",
	"model":  "only what was asked for under this name; of arms and explain: the name", "provider": "only this provider", "target": "only this provider/model",
	"prompt": "only this prompt", "route": "only this route", "user": "only this user", "tag": "only calls that carry this tag", "status": "only this HTTP status, or of subscriptions: pending, approved, rejected, revoked",
	"min_usd": "only calls that cost this much, in dollars", "q": "part of a call's id or request id",
	"path": "of a request, with its query; instead of model", "host": "that the request is for", "method": "GET if not given",
	"roles": "of the supposed caller, separated by commas", "scopes": "likewise", "ip": "of the supposed caller", "at": "when it would be; now if not given",
	"view": "written, or effective; written if not given", "message": "what the revision is for", "force": "true: though it breaks callers of routes",
	"actor": "only what this one did: the name of a token, or of who signed in", "action": "only this action, such as key.rotate, or all of a kind: key",
	"resource": "only this resource and those below it, such as teams/research",
	"month":    "such as 2026-10; the last one that is over if not given", "by": "what the lines are by: model, key, prompt, version, user, provider, target, day",
	"tolerance": "percentage that a figure may be off; 0 if not given",
	"input":     "the prompt's input, as JSON", "version": "a version of the prompt", "label": "a label of the prompt",
}

var pageOf = []string{"limit", "after"}

// budgetSchema is billing.BudgetStatus, whose amounts are dollars as text, or
// numbers of tokens or requests.
func budgetSchema() jsonSchema {
	amount, text := jsonSchema{"type": []string{"string", "integer"}}, jsonSchema{"type": "string"}
	foretold := jsonSchema{"type": []string{"string", "integer", "null"}}
	when := jsonSchema{"type": []string{"string", "null"}, "format": "date-time"}
	return jsonSchema{"type": "object", "required": []string{"owner", "per", "spent", "held", "remaining", "resets", "warn_at", "hard", "runs_out", "forecast", "forecast_low", "forecast_high"},
		"properties": jsonSchema{
			"owner": jsonSchema{"type": "object", "properties": typeSchemaFields(billing.OwnerName{})},
			"usd":   text, "tokens": jsonSchema{"type": "integer"}, "requests": jsonSchema{"type": "integer"},
			"per": text, "spent": amount, "held": amount, "remaining": amount, "carried": amount, "raised": amount, "since": when, "resets": when,
			"models": jsonSchema{"type": "array", "items": text}, "time_zone": text,
			"warn_at": jsonSchema{"type": "array", "items": jsonSchema{"type": "number"}}, "warned": jsonSchema{"type": "number"}, "hard": jsonSchema{"type": "boolean"},
			"runs_out": when, "forecast": foretold, "forecast_low": foretold, "forecast_high": foretold}}
}

// sums, rows and report are billing.Report's, which writes itself.
var (
	sums = jsonSchema{"type": "object", "properties": typeSchemaFields(billing.Sums{}), "required": []string{"calls", "refused", "errors", "cached",
		"input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "usd", "saved_usd", "latency_p50_ms", "latency_p95_ms"}}
	openEnd = jsonSchema{"type": []string{"string", "null"}, "format": "date-time", "description": "null: it was not asked for, and that end is open"}
	report  = jsonSchema{"type": "object", "required": []string{"from", "to", "group_by", "rows", "total"}, "properties": jsonSchema{
		"from": openEnd, "to": openEnd,
		"group_by": jsonSchema{"type": "array", "items": jsonSchema{"type": "string"}},
		"rows":     jsonSchema{"type": "array", "items": sums, "description": "the dimensions of group_by under their names, and these"}, "total": sums}}
	reconciliation = jsonSchema{"type": "object", "required": []string{"from", "to", "compared", "tolerance_percent", "apart", "rows", "total"}, "properties": jsonSchema{
		"from": jsonSchema{"type": "string", "format": "date"}, "to": jsonSchema{"type": "string", "format": "date"},
		"compared": jsonSchema{"type": "array", "items": jsonSchema{"type": "string"}}, "tolerance_percent": jsonSchema{"type": "string"},
		"apart": jsonSchema{"type": "integer", "description": "rows with a figure that is off by more than the tolerance"},
		"rows": jsonSchema{"type": "array", "items": jsonSchema{"type": "object", "required": []string{"day", "model", "only", "apart"}, "properties": jsonSchema{
			"day": jsonSchema{"type": "string", "format": "date"}, "model": jsonSchema{"type": "string"}, "apart": jsonSchema{"type": "boolean"},
			"only": jsonSchema{"type": []string{"string", "null"}, "description": "here, there, or null: both have it"}}},
			"description": "and each figure compared: {here, there, drift}"},
		"total": jsonSchema{"type": "object"}}}
)

func typeSchemaFields(v any) any { return schemaOf(v, true).(jsonSchema)["properties"] }

var spreadsheet = []string{"text/csv", "application/x-ndjson"}

// descriptions are those of the routes, by method and path.
var descriptions = map[string]described{
	"GET /admin/v1/openapi.json": {summary: "This document", out: jsonSchema{"type": "object"}},

	"GET /admin/v1/teams":           {summary: "List the teams", query: pageOf, out: list[teamOut]{}},
	"POST /admin/v1/teams":          {summary: "Create a team", in: teamIn{}, out: teamOut{}, status: 201},
	"GET /admin/v1/teams/{name}":    {summary: "Show a team", out: teamOut{}},
	"PUT /admin/v1/teams/{name}":    {summary: "Create a team, or replace its terms", in: teamIn{}, out: teamOut{}},
	"DELETE /admin/v1/teams/{name}": {summary: "Delete a team that has no keys in force"},

	"GET /admin/v1/keys":         {summary: "List the keys", query: append([]string{"team"}, pageOf...), out: list[keyOut]{}},
	"POST /admin/v1/keys":        {summary: "Create a key, or take one over by its SHA-256; the answer alone has the secret", in: keyIn{}, out: keyOut{}, status: 201},
	"GET /admin/v1/keys/{id}":    {summary: "Show a key", out: keyOut{}},
	"PUT /admin/v1/keys/{id}":    {summary: "Replace the terms of a key", in: termsIn{}, out: keyOut{}},
	"DELETE /admin/v1/keys/{id}": {summary: "Revoke a key, at once"},
	"POST /admin/v1/keys/{id}/rotate": {summary: "Make a key with the same terms; the old one ends after the grace", in: struct {
		Grace string `json:"grace"`
	}{}, out: keyOut{}, status: 201},

	"GET /admin/v1/budgets": {summary: "List the budgets and how they stand", query: append([]string{"team"}, pageOf...), out: list[billing.BudgetStatus]{}},
	"GET /admin/v1/usage": {summary: "Sum what was used", out: report, forms: spreadsheet,
		query: []string{"from", "to", "time_zone", "group_by", "format", "team", "key", "model", "provider", "target", "prompt", "user", "tag"}},
	"GET /admin/v1/usage/verify": {summary: "Prove every sum of the ledger", out: struct {
		OK          bool     `json:"ok"`
		Entries     int64    `json:"entries"`
		Differences []string `json:"differences"`
	}{}},
	"POST /admin/v1/usage/reconcile": {summary: "Compare the ledger with a provider's own usage or cost export, JSON or CSV", in: mediaType("*/*"), out: reconciliation,
		query: []string{"provider", "from", "to", "tolerance", "format"}, forms: spreadsheet},
	"POST /admin/v1/usage/reprice": {summary: "Tell what a time would have cost at other prices; nothing changes", in: repriceIn{}, out: billing.Repriced{}},
	"GET /admin/v1/corrections":    {summary: "List the corrections of a time, oldest first", query: []string{"from", "to", "team"}, out: list[correctionOut]{}},
	"POST /admin/v1/corrections":   {summary: "Correct or refund what a call has cost, by a new entry of the ledger", in: correctionIn{}, out: correctionOut{}, status: 201},
	"POST /admin/v1/erasures":      {summary: "Erase the entries of a team before a time, or make a user unreadable; every sum stays", in: erasureIn{}, out: erasureOut{}},
	"GET /admin/v1/entries": {summary: "Stream whole entries of the ledger, oldest first, a line of JSON each", query: []string{"from", "to", "team"},
		out: mediaType("application/x-ndjson")},
	"GET /admin/v1/invoices/{name}": {summary: "Invoice a team's month", query: []string{"month", "by", "format"}, out: billing.Invoice{}, forms: []string{"text/csv", "text/html"}},
	"GET /admin/v1/requests": {summary: "List calls, newest first", out: list[requestOut]{},
		query: []string{"from", "to", "team", "key", "model", "prompt", "status", "tag", "min_usd", "q", "limit", "after"}},
	"GET /admin/v1/requests/{id}": {summary: "Show a call, or one of the last requests to routes, by its id or its caller's request id", out: requestOut{}},

	"GET /admin/v1/prices":  {summary: "List the prices that were set, the newest of each model first", query: []string{"provider", "model"}, out: list[priceOut]{}},
	"POST /admin/v1/prices": {summary: "Set a price from a time on, or end what was set", in: priceIn{}, out: priceOut{}, status: 201},

	"GET /admin/v1/prompts":                     {summary: "List the prompts that are served", query: pageOf, out: list[Prompt]{}},
	"GET /admin/v1/prompts/{name}":              {summary: "Show a prompt and its source", out: jsonSchema{"type": "object"}},
	"DELETE /admin/v1/prompts/{name}":           {summary: "Serve a prompt no longer; its versions stay, and the next one that is published is served"},
	"GET /admin/v1/prompts/{name}/versions":     {summary: "List a prompt's versions, newest first", query: pageOf, out: list[versionOut]{}},
	"GET /admin/v1/prompts/{name}/versions/{n}": {summary: "Show a version and its source", out: versionOut{}},
	"GET /admin/v1/prompts/{name}/labels":       {summary: "List a prompt's labels and every move of each", query: pageOf, out: list[labelOut]{}},
	"PUT /admin/v1/prompts/{name}/labels":       {summary: "Point labels to versions; null takes one away", in: map[string]*int{}, out: map[string]int{}},
	"GET /admin/v1/prompts/{name}/split":        {summary: "Tell how a split goes, or why the last one was stopped", out: splitOut{}},
	"PUT /admin/v1/prompts/{name}/split":        {summary: "Share the calls among versions; {} ends it", in: map[string]int{}, out: map[string]int{}},
	"POST /admin/v1/prompts/{name}/publish": {summary: "Publish a version", in: publishIn{}, status: 201, out: struct {
		Version int  `json:"version"`
		Created bool `json:"created"`
	}{}},
	"POST /admin/v1/prompts/{name}/test": {summary: "Run a prompt's tests", in: testIn{}, out: struct {
		Passed  int       `json:"passed"`
		Failed  int       `json:"failed"`
		Results []testOut `json:"results"`
	}{}},
	"GET /admin/v1/prompts/{name}/diff":   {summary: "Compare two versions", query: []string{"from", "to"}, out: prompts.Diff{}},
	"GET /admin/v1/prompts/{name}/render": {summary: "Show the messages that a version makes of an input", query: []string{"input", "version", "label"}, out: jsonSchema{"type": "object"}},

	"GET /admin/v1/subscriptions": {summary: "List the subscriptions of teams to prompts and routes, oldest first", query: append([]string{"team", "prompt", "route", "status"}, pageOf...),
		out: list[prompts.Subscription]{}},
	"POST /admin/v1/subscriptions":              {summary: "Apply for a team's subscription to a prompt, or a route", in: subscriptionIn{}, out: prompts.Subscription{}, status: 201},
	"GET /admin/v1/subscriptions/{id}":          {summary: "Show a subscription and its history", out: prompts.Subscription{}},
	"POST /admin/v1/subscriptions/{id}/approve": {summary: "Approve a subscription, or give it another plan", in: decisionIn{}, out: prompts.Subscription{}},
	"POST /admin/v1/subscriptions/{id}/reject":  {summary: "Reject a subscription that is pending", in: decisionIn{}, out: prompts.Subscription{}},
	"DELETE /admin/v1/subscriptions/{id}":       {summary: "Revoke a subscription, at once"},

	"GET /admin/v1/providers": {summary: "List the providers and how they stand", query: pageOf, out: list[Provider]{}},
	"POST /admin/v1/providers/{name}/breakers/{target...}": {summary: "Open or close a target's breaker, or leave it to itself", in: struct {
		State string `json:"state"`
	}{}, out: router.TargetStatus{}},
	"GET /admin/v1/models":                {summary: "List the models that callers may ask for", query: pageOf, out: list[Model]{}},
	"GET /admin/v1/guards":                {summary: "List the guards and what they did", query: pageOf, out: list[Guard]{}},
	"GET /admin/v1/alerts":                {summary: "List the alert rules, how they stand and whom they told", query: pageOf, out: list[alert.RuleStatus]{}},
	"POST /admin/v1/alerts/{name}/mute":   {summary: "Tell nobody that a rule fires, until a time", in: muteIn{}, out: alert.RuleStatus{}},
	"DELETE /admin/v1/alerts/{name}/mute": {summary: "Tell again that a rule fires", out: alert.RuleStatus{}},
	"GET /admin/v1/routes":                {summary: "List the routes of the classic gateway, in their order of precedence", query: pageOf, out: list[Route]{}},
	"POST /admin/v1/routes":               {summary: "Refused with 409: the configuration file declares routes", in: jsonSchema{"type": "object"}},
	"GET /admin/v1/routes/{name}":         {summary: "Show a route and how its targets stand", out: Route{}},
	"DELETE /admin/v1/routes/{name}":      {summary: "Refused with 409: the configuration file declares routes"},
	"GET /admin/v1/route-versions": {summary: "Tell which keys asked for which versions of routes, how often and when last", query: []string{"route", "team", "key", "from", "to", "format"},
		out: VersionReport{}, forms: []string{"text/csv"}},
	"GET /admin/v1/explain":  {summary: "Tell which targets a call would be weighed between, and why: for a model, or for a path which route it goes to, and by which rule its caller may use it", query: []string{"model", "path", "host", "method", "team", "user", "roles", "scopes", "ip", "at"}, out: jsonSchema{"type": "object"}},
	"GET /admin/v1/cache":    {summary: "Tell how the cache of answers stands", out: cacheOut{}},
	"DELETE /admin/v1/cache": {summary: "Purge answers that fit all that is given; an empty prefix fits every answer", query: []string{"tag", "key", "prefix", "model"}, out: Purged{}},
	"GET /admin/v1/config": {summary: "Show the configuration as it was written (view=written), or with defaults and what the environment sets (view=effective): references, no secrets. The first may be put back as it is", query: []string{"view"},
		out: jsonSchema{"type": "object"}, forms: []string{yamlType}},
	"PUT /admin/v1/config":               {summary: "Put a configuration in force, whole or not at all; If-Match is the ETag that it was read with. 409 where a file leads; 422 with what breaks callers of routes, unless force is true", query: []string{"message", "force"}, in: jsonSchema{"type": "object"}, out: ConfigApplied{}},
	"POST /admin/v1/config/validate":     {summary: "Tell what is wrong with a configuration: 422 with errors, or nothing", in: jsonSchema{"type": "object"}, out: map[string]bool{}},
	"POST /admin/v1/config/diff":         {summary: "Tell what a configuration would change, by object, and which of it breaks callers of routes; the same in other words changes nothing", in: jsonSchema{"type": "object"}, out: ConfigDiff{}},
	"GET /admin/v1/config/revisions":     {summary: "List what the configuration was, newest first", query: pageOf, out: list[Revision]{}},
	"GET /admin/v1/config/revisions/{n}": {summary: "Show a revision of the configuration", out: RevisionText{}},
	"POST /admin/v1/config/rollback":     {summary: "Put a revision in force again, as a new one; If-Match is the ETag that the configuration must have now. 409 where a file leads", in: rollbackIn{}, out: ConfigApplied{}},
	"GET /admin/v1/audit": {summary: "List the records of changes and sign-ins, newest first", query: []string{"from", "to", "actor", "action", "resource", "limit", "after"},
		out: list[audit.Record]{}},
	"GET /admin/v1/audit/verify": {summary: "Prove the chain of audit records, or tell the first that is not as it was written", out: audit.Verdict{}},
	"POST /admin/v1/reload":      {summary: "Read the configuration again", out: map[string]string{}},
	"GET /admin/v1/health":       {summary: "Tell how the replicas are", out: Health{}},
	"GET /admin/v1/arms":         {summary: "Compare the targets of a model, and its shadow, by cost, time, errors and length of answers", query: []string{"model", "from", "to"}, out: armsOut{}},
}
