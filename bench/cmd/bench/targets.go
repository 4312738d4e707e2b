package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sluice/bench/freeport"
	"sluice/bench/load"
	"sluice/bench/upstream"
)

// target is one server under test.
type target struct {
	name         string
	ours         bool
	streamPrefix string // of the path of streams
	against      string // the target that it is compared with
	// prepare gives the command that serves on addr; an errSkip says why not.
	prepare func(t *target, e *env) (*exec.Cmd, error)

	addr    string
	cmd     *exec.Cmd // nil: direct
	log     string
	started time.Duration // to the first right answer
	admin   string        // of Sluice: host:port
	sinks   []io.Closer   // where it tells of calls, beside its log
}

// env is what all targets share.
type env struct {
	dir      string
	upstream string // host:port of the fake
	sluice   string // path of the binary
	pin      bool
}

// newEnv starts a fake provider and makes a directory; end takes both away.
func newEnv(sluice string) (e *env, end func(), err error) {
	fake, err := upstream.New(upstream.Options{})
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		fake.Close()
		return nil, nil, err
	}
	return &env{dir: dir, upstream: fake.Addr(), sluice: sluice}, func() { fake.Close(); _ = os.RemoveAll(dir) }, nil
}

type errSkip string

func (e errSkip) Error() string { return string(e) }

func targets() []target {
	return []target{
		{name: "direct", prepare: func(*target, *env) (*exec.Cmd, error) { return nil, nil }},
		{name: "nginx", streamPrefix: "/stream", prepare: nginx},
		{name: "fasthttp", against: "nginx", prepare: bareProxy},
		{name: "sluice", ours: true, against: "nginx", prepare: sluice},
		{name: "set", ours: true, against: "sluice", prepare: sluiceSet},
		{name: "told", ours: true, against: "sluice", prepare: sluiceTold},
		{name: "stalled", ours: true, against: "sluice", prepare: sluiceStalled},
	}
}

func bareProxy(t *target, e *env) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.Command(self, "proxy", "-addr", t.addr, "-to", e.upstream), nil
}

func nginx(t *target, e *env) (*exec.Cmd, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			return nil, errSkip("nginx is not installed (Debian: apt-get install nginx); there will be no ratios")
		}
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // the worker must reach the temporary directory
	}
	conf := strings.NewReplacer("USER", user, "DIR", e.dir, "LISTEN", t.addr, "UPSTREAM", e.upstream).Replace(nginxConf)
	file := filepath.Join(e.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return exec.Command(path, "-c", file, "-p", e.dir, "-e", filepath.Join(e.dir, "nginx-error.log")), nil
}

const nginxConf = `USER
daemon off;
worker_processes 1;
pid DIR/nginx.pid;
events { worker_connections 8192; }
http {
	access_log off;
	limit_req_zone $http_authorization zone=callers:1m rate=1000000r/s;
	client_body_temp_path DIR/nginx-body;
	proxy_temp_path DIR/nginx-proxy;
	fastcgi_temp_path DIR/nginx-fastcgi;
	uwsgi_temp_path DIR/nginx-uwsgi;
	scgi_temp_path DIR/nginx-scgi;
	client_max_body_size 32m;
	client_body_buffer_size 64k;
	keepalive_requests 1000000000;
	upstream up { server UPSTREAM; keepalive 1024; keepalive_requests 1000000000; }
	proxy_http_version 1.1;
	proxy_set_header Connection "";
	server {
		listen LISTEN backlog=4096;
		location / { proxy_pass http://up; }
		location /plain { access_log DIR/nginx-access.log; limit_req zone=callers burst=1000000 nodelay; proxy_pass http://up; }
		location /stream/ { proxy_pass http://up/; proxy_buffering off; }
	}
}
`

// sluice runs with everything on: key, limits, hard budget, ledger, access
// log, metrics.
func sluice(t *target, e *env) (*exec.Cmd, error) {
	return gateway(t, e, "log: {format: json}\nmodels:\n", plainModel)
}

func plainModel(w *work, provider string) string {
	return fmt.Sprintf("  bench-%s: %s/%s\n", w.name, provider, w.model)
}

// sluiceSet has all that keeps answers coming set up as well: none of it has
// anything to do while the provider answers.
func sluiceSet(t *target, e *env) (*exec.Cmd, error) {
	return gateway(t, e, idleConf, func(w *work, provider string) string {
		return strings.NewReplacer("NAME", w.name, "MODEL", provider+"/"+w.model).Replace(idleModel)
	})
}

// gateway is Sluice with a configuration that has more at its end, and a model
// for each work.
func gateway(t *target, e *env, more string, model func(w *work, provider string) string) (*exec.Cmd, error) {
	if _, err := os.Stat(e.sluice); err != nil {
		return nil, errSkip(e.sluice + " is not there (make build)")
	}
	var err error
	if t.admin, err = freeport.Addr(); err != nil {
		return nil, err
	}
	conf := strings.NewReplacer("LISTEN", t.addr, "ADMIN", t.admin, "DIR", e.dir, "UPSTREAM", e.upstream, "KEY", key).Replace(sluiceConf) + more
	for i := range works {
		if works[i].path != "" {
			continue // it is no model's
		}
		provider := "up"
		if works[i].translate {
			provider = "ant"
		}
		conf += model(&works[i], provider)
	}
	if err := writePrompts(filepath.Join(e.dir, "prompts")); err != nil {
		return nil, err
	}
	file := filepath.Join(e.dir, t.name+".yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(e.sluice)
	if err != nil {
		return nil, err
	}
	return exec.Command(path, "serve", "-c", file, "--data", filepath.Join(e.dir, t.name+"-data")), nil
}

// writePrompts writes the files of the works that are prompts.
func writePrompts(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for i := range works {
		if w := &works[i]; w.prompt {
			if err := os.WriteFile(filepath.Join(dir, w.name+".prompt"), []byte(w.promptFile()), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

const sluiceConf = `server: {listen: "LISTEN", admin: "ADMIN"}
prompts: {dir: "DIR/prompts"}
providers:
  up: {kind: openai-compatible, base_url: "http://UPSTREAM/v1", keys: [x], prices: {"*": {input: 1, output: 2}}}
  ant: {kind: anthropic, base_url: "http://UPSTREAM", keys: [x], prices: {"*": {input: 1, output: 2}}}
teams:
  bench:
    budget: {usd: 1000000, per: month, hard: true}
    limits: {rpm: 100000000, tpm: 4000000000, parallel: 10000}
    keys: [{name: b, value: "KEY", budget: {usd: 500000, per: month, hard: true}, limits: {rpm: 100000000}}]
routes:
  - name: plain
    match: {path: "/plain/**"}
    backend: {http: {targets: ["http://UPSTREAM"]}}
    auth: {require: [key]}
    limits: {rate: 100000000/1m, per: key}
`

// idleConf has a cache, guards and a sticky split for a model that is not called: the models
// that are called have what works only when something goes wrong.
const idleConf = `log: {format: json}
guards:
  pii: {on: [request, response], mask: [email, phone, card, iban, ip, secret], reversible: true}
  words: {on: [request], deny: {pattern: "AKIA[0-9A-Z]{16}"}}
models:
  spare: {targets: [{model: up/small_in-20}], guard: [pii, words], cache: {ttl: 10m, scope: key}}
  split: {balance: sticky, sticky: {by: user}, targets: [{model: up/small_in-20, weight: 9}, {model: ant/small_in-20, weight: 1}]}
`

const idleModel = `  bench-NAME:
    balance: ordered
    targets: [{model: MODEL}, {model: ant/small_in-20}]
    retry: {attempts: 2, backoff: 100ms, on: [rate_limited, overloaded, timeout, connection, server_error], budget: 0.2}
    fallback: [{model: spare}]
    breaker: {failures: 5, ratio: 0.5, min_calls: 20, within: 30s, open_for: 15s, probes: 1}
    hedge: {after: 30s}
    queue: {size: 100, wait: 10s}
    resume: true
`

// start runs the target on the first core and waits for its first right answer.
func (t *target) start(e *env, first *work) error {
	t.addr = e.upstream
	if t.name != "direct" {
		addr, err := freeport.Addr()
		if err != nil {
			return err
		}
		t.addr = addr
	}
	cmd, err := t.prepare(t, e)
	if err != nil || cmd == nil {
		return err
	}
	t.log = filepath.Join(e.dir, t.name+".log")
	out, err := os.Create(t.log)
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // the child holds its own
	if e.pin {
		cmd = exec.Command("taskset", append([]string{"-c", "0", cmd.Path}, cmd.Args[1:]...)...)
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = e.dir, out, out
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", t.name, err)
	}
	t.cmd = cmd
	w := first.request(t)
	for time.Since(begin) < 20*time.Second {
		if err = load.Once(w, t.addr); err == nil {
			t.started = time.Since(begin)
			return nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	return fmt.Errorf("cannot start %s: no right answer in 20 s: %w\n%s", t.name, err, t.tail())
}

// stop ends the process, at last by force.
func (t *target) stop() {
	defer func() {
		for _, s := range t.sinks {
			_ = s.Close() // nobody uses it any more
		}
	}()
	if t.cmd == nil {
		return
	}
	ended := make(chan struct{})
	go func() { _ = t.cmd.Wait(); close(ended) }() // how it ends does not matter any more
	_ = t.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		_ = t.cmd.Process.Kill()
		<-ended
	}
}

func (t *target) tail() string {
	b, _ := os.ReadFile(t.log)
	return string(bytes.TrimSpace(b[max(0, len(b)-2000):]))
}

// pinSelf leaves the first core to the server under test; false, with the
// reason: it cannot.
func pinSelf() (bool, string) {
	n := runtime.NumCPU()
	if n < 2 {
		return false, "there is one core only: driver and server share it"
	}
	others := "1-" + strconv.Itoa(n-1)
	if out, err := exec.Command("taskset", "-acp", others, strconv.Itoa(os.Getpid())).CombinedOutput(); err != nil {
		return false, fmt.Sprintf("taskset does not work, nothing is pinned: %v %s", err, out)
	}
	runtime.GOMAXPROCS(n - 1)
	return true, ""
}
