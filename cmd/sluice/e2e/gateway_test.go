package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"sluice/bench/freeport"
	"sluice/bench/upstream"
)

// What every test configuration begins with.
const (
	adminToken = "admin-token-of-the-tests"
	teamKey    = "sk-e2e-team-key-0123456789"
)

// head declares the listeners, a fake OpenAI-shaped provider `up` and a fake
// Anthropic `ant`; rest follows it.
const head = `server: {listen: "LISTEN", admin: "ADMIN", drain: 10s}
admin: {token: "` + adminToken + `"}
store: "sqlite:DIR/sluice.db"
`

const providers = `providers:
  up: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-up], prices: {"*": {input: 1, output: 2}}}
  ant: {kind: anthropic, base_url: "UP", keys: [sk-ant], prices: {"*": {input: 1, output: 2}}}
`

const team = `teams:
  t: {keys: [{name: k, value: "` + teamKey + `"}]}
`

// gateway is a running binary.
type gateway struct {
	t          *testing.T
	dir        string // its configuration, data and working directory
	fake       *upstream.Server
	listen     string // host:port
	admin      string
	env        []string
	commandEnv []string // of the commands that sluice runs
	args       []string
	key        string
	client     *http.Client
	cmd        *exec.Cmd
	stderr     *logBuffer
	stdout     *logBuffer
	exited     chan struct{}
	exitErr    error
}

// logBuffer keeps what a process writes.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newGateway prepares a gateway with a fake upstream; rest is its
// configuration after head. It is not started.
func newGateway(t *testing.T, rest string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), fake: upstream.Start(t), listen: freeAddr(t), admin: freeAddr(t), key: teamKey}
	g.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}, Timeout: 60 * time.Second}
	t.Cleanup(g.client.CloseIdleConnections)
	g.configure(head + rest)
	g.args = []string{"serve", "-c", g.file(), "--data", filepath.Join(g.dir, "data")}
	return g
}

// start is newGateway, started.
func start(t *testing.T, rest string) *gateway {
	t.Helper()
	g := newGateway(t, rest)
	g.start()
	return g
}

func (g *gateway) file() string { return filepath.Join(g.dir, "sluice.yaml") }

// configure writes the configuration file, in one step.
func (g *gateway) configure(text string) {
	g.t.Helper()
	text = strings.NewReplacer("LISTEN", g.listen, "ADMIN", g.admin, "DIR", g.dir, "UP", g.fake.URL()).Replace(text)
	temp := g.file() + ".new"
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(temp, g.file()); err != nil {
		g.t.Fatal(err)
	}
}

// hashOf is a password's bcrypt that holds no word which configure replaces.
func hashOf(t *testing.T, password string) string {
	t.Helper()
	for {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(hash), "UP") && !strings.Contains(string(hash), "DIR") {
			return string(hash)
		}
	}
}

// start runs the binary until it is ready.
func (g *gateway) start() {
	g.t.Helper()
	g.spawn()
	g.waitReady()
}

// spawn runs the binary; the environment holds no provider's key.
func (g *gateway) spawn() {
	g.t.Helper()
	cmd := exec.Command(binary, g.args...)
	cmd.Dir = g.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir}, g.env...)
	g.stderr, g.stdout = &logBuffer{}, &logBuffer{}
	cmd.Stderr, cmd.Stdout = g.stderr, g.stdout
	if err := cmd.Start(); err != nil {
		g.t.Fatalf("cannot start sluice: %v", err)
	}
	g.cmd, g.exited = cmd, make(chan struct{})
	go func() {
		g.exitErr = cmd.Wait()
		close(g.exited)
	}()
	g.t.Cleanup(func() {
		_ = cmd.Process.Kill() // if it still runs
		<-g.exited
		if g.t.Failed() {
			g.t.Logf("stderr of sluice:\n%s", tail(g.stderr.String(), 4000))
		}
	})
}

func (g *gateway) waitReady() {
	g.t.Helper()
	ready := eventually(20*time.Second, func() bool {
		select {
		case <-g.exited:
			return true
		default:
		}
		res, err := g.client.Get("http://" + g.listen + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == 200
	})
	select {
	case <-g.exited:
		g.t.Fatalf("sluice ended at once: %v\n%s", g.exitErr, g.stderr)
	default:
	}
	if !ready {
		g.t.Fatalf("sluice is not ready after 20 s\n%s", g.stderr)
	}
}

func (g *gateway) signal(sig os.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(sig); err != nil {
		g.t.Fatalf("cannot signal sluice: %v", err)
	}
}

// kill ends the process without warning.
func (g *gateway) kill() {
	g.signal(syscall.SIGKILL)
	<-g.exited
	g.client.CloseIdleConnections()
}

// stop asks for the end and gives the exit code.
func (g *gateway) stop() int {
	g.t.Helper()
	g.signal(syscall.SIGTERM)
	return g.exitCode(30 * time.Second)
}

func (g *gateway) exitCode(limit time.Duration) int {
	g.t.Helper()
	select {
	case <-g.exited:
	case <-time.After(limit):
		g.t.Fatalf("sluice has not ended after %v\n%s", limit, g.stderr)
	}
	return codeOf(g.t, g.exitErr)
}

func codeOf(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatalf("sluice did not run: %v", err)
	return -1
}

// sluice runs a command of the binary and gives what it printed and its code.
func (g *gateway) sluice(args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = g.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir, "SLUICE_ADMIN=http://" + g.admin, "SLUICE_ADMIN_TOKEN=" + adminToken}
	cmd.Env = append(cmd.Env, g.commandEnv...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	code = codeOf(g.t, cmd.Run())
	return out.String(), errs.String(), code
}

// eventually asks until ok holds; false: it did not within the limit.
func eventually(limit time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// logs tells whether a text is in the log, or soon is: it comes through a pipe,
// later than the answer.
func (g *gateway) logs(text string) bool {
	return eventually(10*time.Second, func() bool { return strings.Contains(g.stderr.String(), text) })
}

// freeAddr is an address that nothing listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := freeport.Addr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// chatBody is a chat completion request with one user message; extra fields
// are JSON that begins with a comma, or nothing.
func chatBody(model, text, extra string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}]%s}`, model, text, extra)
}
