package examples

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/bench/freeport"
)

// binary is the path of the gateway that all tests start.
var binary string

const adminToken = "admin-token-of-the-examples"

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("skipped: -short")
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sluice-examples-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if given := os.Getenv("SLUICE_E2E_BINARY"); given != "" {
		binary, err = filepath.Abs(given)
	} else {
		binary = filepath.Join(dir, "sluice")
		err = build(binary, "sluice/cmd/sluice")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(out, pkg string) error {
	if said, err := exec.Command("go", "build", "-o", out, pkg).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %s: %w\n%s", pkg, err, said)
	}
	return nil
}

// gateway is a running binary with a copy of an example.
type gateway struct {
	t      *testing.T
	dir    string // the copy, and the working directory
	listen string // host:port
	admin  string
	env    []string
}

// prepare copies an example; env is added to its environment, which holds no
// provider's key.
func prepare(t *testing.T, example string, env ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), listen: freeAddr(t), admin: freeAddr(t)}
	if err := os.CopyFS(g.dir, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	g.env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir,
		"SLUICE_SERVER__LISTEN=" + g.listen, "SLUICE_SERVER__ADMIN=" + g.admin, "SLUICE_ADMIN__TOKEN=" + adminToken,
		"SLUICE_ADMIN=http://" + g.admin, "SLUICE_ADMIN_TOKEN=" + adminToken}, env...)
	return g
}

// start is prepare, and runs the binary until it is ready.
func start(t *testing.T, example string, env ...string) *gateway {
	t.Helper()
	g := prepare(t, example, env...)
	g.serve()
	return g
}

func (g *gateway) serve() {
	g.t.Helper()
	var said bytes.Buffer // read once the process has ended
	cmd := g.command(binary, "serve", "-c", "sluice.yaml", "--data", filepath.Join(g.dir, "data"))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		g.t.Fatalf("cannot start sluice: %v", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	g.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // if it still runs
		if err := <-exited; err != nil || g.t.Failed() {
			g.t.Errorf("sluice ended with %v and said:\n%s", err, said.String())
		}
	})
	if !eventually(func() bool {
		select {
		case err := <-exited:
			exited <- err
			return true
		default:
		}
		res, err := http.Get("http://" + g.listen + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == 200
	}) {
		g.t.Fatal("sluice is not ready after 20 s")
	}
}

func (g *gateway) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = g.dir, g.env
	return cmd
}

// sluice runs a command of the binary and gives what it printed and its code.
func (g *gateway) sluice(args ...string) (said string, code int) {
	g.t.Helper()
	out, err := g.command(binary, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		g.t.Fatalf("sluice %v: %v", args, err)
	}
	return string(out), 0
}

// answer is what a call gave.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a *answer) get(path string) gjson.Result { return gjson.Get(a.body, path) }

// do sends a request to host:port; headers are names and values in turn.
func (g *gateway) do(method, url, body string, headers ...string) *answer {
	g.t.Helper()
	req, err := http.NewRequest(method, "http://"+url, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	return read(g.t, res)
}

func read(t *testing.T, res *http.Response) *answer {
	t.Helper()
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return &answer{res.StatusCode, res.Header, b.String()}
}

// chat asks a model with one message.
func (g *gateway) chat(key, model string) *answer {
	g.t.Helper()
	return g.do("POST", g.listen+"/v1/chat/completions", fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"Hello"}]}`, model),
		"Authorization", "Bearer "+key)
}

// eventually asks until ok holds; false: it did not within 20 s.
func eventually(ok func() bool) bool {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
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
