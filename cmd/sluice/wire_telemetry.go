package main

import (
	"crypto/rand"
	"os"
	"strings"

	"sluice/cmd/sluice/config"
	"sluice/gateway"
	"sluice/gateway/guard"
	"sluice/gateway/telemetry/otlp"
	"sluice/gateway/telemetry/sink"
)

// exporter tells the collector of calls; nil: there is none.
func (s *server) exporter() *otlp.Exporter {
	t := &s.started.Telemetry
	if t.OTLP == "" {
		return nil
	}
	return otlp.New(otlp.Options{URL: t.OTLP, Header: revealed(t.Headers), Resource: s.resource(), Gather: s.metrics.Gather, Log: s.log})
}

// resource is what a collector knows this process by.
func (s *server) resource() otlp.Resource {
	if s.instance == "" {
		host, _ := os.Hostname()
		s.instance = host + "-" + strings.ToLower(rand.Text()[:8])
	}
	return otlp.Resource{Service: "sluice", Version: version, Instance: s.instance}
}

// logSinks are those that the configuration names.
func (s *server) logSinks() (list []gateway.LogSink) {
	l := &s.started.Log
	for i, name := range l.Names() {
		c := &l.Sinks[i]
		o := sink.Options{Name: name, Most: int(c.Queue), Batch: int(c.Batch), Every: c.Every, Log: s.log}
		switch c.Kind() {
		case "file":
			o.To = &sink.File{Path: c.File, Max: int64(c.MaxSize), Keep: int(c.Keep)}
		case "otlp":
			o.To = otlp.Post(c.OTLP, "logs", revealed(c.Headers), otlp.NewWrap(s.resource()))
		case "http":
			o.To = &sink.HTTP{URL: c.HTTP, Header: revealed(c.Headers)}
		case "nats":
			o.To = &sink.NATS{URL: c.NATS, Subject: c.Subject}
		}
		list = append(list, gateway.LogSink{Queue: sink.NewQueue(o), OTLP: c.OTLP != ""})
	}
	return list
}

func revealed(headers map[string]config.Secret) map[string]string {
	out := make(map[string]string, len(headers))
	for name, value := range headers {
		out[name] = value.Reveal()
	}
	return out
}

// captureOf is what is told of bodies; nil: nothing.
func captureOf(cfg *config.Config) *gateway.Capture {
	spans := cfg.Telemetry.CaptureContent && cfg.Telemetry.OTLP != ""
	if cfg.Log.Bodies == "none" && !spans {
		return nil
	}
	return &gateway.Capture{Bodies: cfg.Log.Bodies, Spans: spans, Redact: guard.NewRedactor(cfg.Log.Kinds())}
}
