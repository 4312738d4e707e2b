package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sluice/bench/freeport"
)

// sinksConf has every call told in three logs, and to a collector.
const sinksConf = `telemetry: {otlp: "http://COLLECTOR"}
log:
  format: json
  sinks:
    - {name: http, http: "http://HTTP", queue: QUEUE}
    - {name: otlp, otlp: "http://COLLECTOR", queue: QUEUE}
    - {name: file, file: "FILE", queue: QUEUE}
models:
`

// sinkNames are the queues of sinksConf: that of spans has a name of its own.
var sinkNames = []string{"http", "otlp", "file", "traces"}

// sluiceTold tells of every call, to sinks and a collector that take all of it.
func sluiceTold(t *target, e *env) (*exec.Cmd, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	taker := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}), ReadHeaderTimeout: time.Minute}
	go func() { _ = taker.Serve(ln) }() // until it is closed
	t.sinks = append(t.sinks, taker)
	return gateway(t, e, strings.NewReplacer("COLLECTOR", ln.Addr().String(), "HTTP", ln.Addr().String(), "QUEUE", "8MiB",
		"FILE", filepath.Join(e.dir, t.name+".jsonl")).Replace(sinksConf), plainModel)
}

// sluiceStalled tells of every call too, and nobody takes it: a log's server
// accepts connections and says nothing, a file's disk hangs, and the collector is
// gone. The queues of the logs are full after a hundred calls, that of spans after
// some ten thousand.
func sluiceStalled(t *target, e *env) (*exec.Cmd, error) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t.sinks = append(t.sinks, silent) // the system accepts for it
	file := filepath.Join(e.dir, t.name+".fifo")
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		return nil, fmt.Errorf("cannot make a file that hangs: %w", err)
	}
	hung, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	t.sinks = append(t.sinks, hung)
	gone, err := freeport.Addr()
	if err != nil {
		return nil, err
	}
	return gateway(t, e, strings.NewReplacer("COLLECTOR", gone, "HTTP", silent.Addr().String(), "QUEUE", "64KiB", "FILE", file).Replace(sinksConf), plainModel)
}

var lostLine = regexp.MustCompile(`(?m)^sluice_log_dropped_total\{sink="(\w+)"\} (\S+)$`)

// losses reads what the target has lost to its sinks: those that take nothing
// must have lost something, and all others nothing.
func (r *report) losses(t *target) {
	if t.sinks == nil {
		return
	}
	text, err := metrics(t.admin)
	if err != nil {
		r.fault(t.name, "what was lost", err)
		return
	}
	lost := map[string]int64{}
	for _, m := range lostLine.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(m[2], 64)
		r.fault(t.name, "what was lost", err)
		lost[m[1]] = int64(n)
	}
	for _, sink := range sinkNames {
		r.Lost = append(r.Lost, lossFigure{t.name, sink, lost[sink]})
		if stalled := t.name == "stalled"; stalled != (lost[sink] > 0) {
			r.note("%s has lost %d of what it told %s: it was not as it was to be", t.name, lost[sink], sink)
		}
	}
}

func metrics(admin string) (string, error) {
	res, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		return "", err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	b, err := io.ReadAll(res.Body)
	return string(b), err
}
