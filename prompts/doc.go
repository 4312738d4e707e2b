// Package prompts turns .prompt files, in Google's Dotprompt format, into
// requests, and keeps the prompts that a gateway serves.
//
// One file takes this way:
//
//	Parse        front matter (parse.go, metadata.go), our own sluice.* keys
//	             (settings.go, tests.go), schemas (picoschema), the body
//	             (handlebars); all faults at once, each with its line
//	CheckInput   an input against the input schema, defaults put in (check.go);
//	             InputFromPairs makes inputs of forms and queries (pairs.go)
//	Render       body and input to typed messages (build.go, render.go)
//	ChatRequest  messages and config to the unified request (chat.go, config.go)
//	CheckOutput  the model's answer to JSON that satisfies the output schema
//	             (output.go, lenient); RepairMessage says what was wrong
//
// A Registry publishes files and admin calls as immutable versions into a
// Store, and serves one Set at a time: the version of each name that its label
// production points to (registry.go, dir.go, set.go), or those that a split
// names (split.go).
//
// Around that: RunTests holds a prompt to its sluice.tests (trial.go,
// expect.go), Compare tells what differs between two versions and what of it
// breaks callers (diff.go, diff_schema.go, diff_text.go), and a Registry's
// Review does both before a publication. Steps say what a prompt calls first
// (steps.go), OpenAPI describes prompts to the programs that call them
// (openapi.go, caller.go).
//
// Two promises hold throughout. What a caller sends is only ever text: roles,
// media parts, helpers and partials come from the file alone. And what comes
// out is the same to the byte for the same file and input: schemas keep the
// order of their properties, values are written with sorted keys.
//
// The sub-packages each have one idea: handlebars (the template language),
// picoschema, lenient (JSON as models write it), ordered (JSON that keeps its
// keys' order). The format's source is google.github.io/dotprompt, read
// 2026-11, and the cases of its specification.
package prompts
