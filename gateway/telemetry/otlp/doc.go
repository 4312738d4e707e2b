// Package otlp tells a collector of calls: traces, metrics and log records in
// OpenTelemetry's protocol, as protobuf over HTTP.
//
// What a call tells is written in its final form at once, field by field, into
// memory that is used again: no tree of objects is built for it. A span costs
// no allocation that way, where the SDK's takes seven.
package otlp
