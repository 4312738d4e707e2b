package prompts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is a Store in memory that can be down.
type memory struct {
	mu       sync.Mutex
	versions map[string][]Version
	labels   map[string]map[string]int
	down     bool
}

var errDown = errors.New("the store is down")

func (m *memory) enter() (func(), error) {
	m.mu.Lock()
	if m.down {
		m.mu.Unlock()
		return nil, errDown
	}
	return m.mu.Unlock, nil
}

func (m *memory) Publish(_ context.Context, v Version) (int, bool, error) {
	leave, err := m.enter()
	if err != nil {
		return 0, false, err
	}
	defer leave()
	list := m.versions[v.Name]
	if n := m.labels[v.Name][LabelProduction]; n > 0 && list[n-1].Digest == v.Digest {
		return n, false, nil
	}
	v.N = len(list) + 1
	m.versions[v.Name] = append(list, v)
	m.label(v.Name, LabelProduction, v.N)
	return v.N, true, nil
}

func (m *memory) label(name, label string, n int) {
	if m.labels[name] == nil {
		m.labels[name] = map[string]int{}
	}
	m.labels[name][label] = n
}

func (m *memory) Versions(_ context.Context, name string) ([]Version, error) {
	leave, err := m.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return slices.Clone(m.versions[name]), nil
}

func (m *memory) Labels(_ context.Context, name string) (map[string]int, error) {
	leave, err := m.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	out := map[string]int{}
	for k, v := range m.labels[name] {
		out[k] = v
	}
	return out, nil
}

func (m *memory) MoveLabel(_ context.Context, name string, l LabelMove) error {
	leave, err := m.enter()
	if err != nil {
		return err
	}
	defer leave()
	m.label(name, l.Label, l.To)
	return nil
}

func (m *memory) Names(context.Context) ([]string, error) {
	leave, err := m.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	var names []string
	for n := range m.versions {
		names = append(names, n)
	}
	slices.Sort(names)
	return names, nil
}

// shop is a registry over a directory and a store.
type shop struct {
	*Registry
	t     *testing.T
	dir   string
	store *memory
}

func newShop(t *testing.T) *shop {
	store := &memory{versions: map[string][]Version{}, labels: map[string]map[string]int{}}
	return &shop{newRegistry(store), t, t.TempDir(), store}
}

func newRegistry(s Store) *Registry {
	return NewRegistry(s, func() time.Time { return time.Unix(1700000000, 0) })
}

// restart is a new process over the same directory and store.
func (s *shop) restart() {
	s.Registry = newRegistry(s.store)
	s.publish()
	if err := s.Refresh(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) write(name, source string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) remove(name string) {
	if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) publish() Report {
	s.t.Helper()
	report, err := s.PublishDir(s.t.Context(), s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return report
}

// served lists what is served as path=name@version:text.
func (s *shop) served() string {
	s.t.Helper()
	var out []string
	for _, l := range s.Snapshot().All() {
		byPath, ok := s.Snapshot().ByPath(l.Path)
		if !ok || byPath != l {
			s.t.Errorf("%s is not at its path", l.ID())
		}
		out = append(out, l.Path+"="+l.ID()+":"+text(s.t, l))
	}
	return strings.Join(out, " ")
}

func text(t *testing.T, l *Live) string {
	t.Helper()
	r, err := l.Template.Render(RenderInput{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Messages[0].Content[0].Text
}

func (s *shop) want(want string) {
	s.t.Helper()
	if got := s.served(); got != want {
		s.t.Errorf("served %s\nwant   %s", got, want)
	}
}

func TestPublishDir(t *testing.T) {
	s := newShop(t)
	s.write("a.prompt", "one")
	s.write("sub/b.prompt", "---\nsluice.path: /bee\n---\n{{> tone}}b")
	s.write("sub/_tone.prompt", "kind ")
	s.write("a.short.prompt", "brief")
	s.write(".hidden/x.prompt", "no")
	s.write("note.txt", "no")
	if r := s.publish(); len(r.Published) != 3 || len(r.Faults) > 0 {
		t.Fatalf("report %+v", r)
	}
	first := "/prompts/a=a@1:one /prompts/a.short=a.short@1:brief /bee=b@1:kind b"
	s.want(first)
	if r := s.publish(); len(r.Published) != 0 {
		t.Errorf("unchanged files were published: %+v", r)
	}
	s.write("a.prompt", "two")
	s.write("sub/_tone.prompt", "rude ")
	s.publish()
	s.want("/prompts/a=a@2:two /prompts/a.short=a.short@1:brief /bee=b@2:rude b")
	if v := s.store.versions["a"][1]; v.Parent != 1 || v.Author != authorFile || v.Created.Unix() != 1700000000 || len(v.Digest) != 64 {
		t.Errorf("version %+v", v)
	}
	s.write("a.prompt", "{{#if")
	if r := s.publish(); len(r.Faults) != 1 || !strings.HasSuffix(r.Faults[0].File, "a.prompt") || r.Faults[0].Line != 1 {
		t.Errorf("faults %v", r.Faults)
	}
	s.want("/prompts/a=a@2:two /prompts/a.short=a.short@1:brief /bee=b@2:rude b")
	s.write("a.prompt", "two")
	s.remove("sub/b.prompt")
	if r := s.publish(); !slices.Equal(r.Withdrawn, []string{"b"}) || len(r.Published) != 0 {
		t.Errorf("report %+v", r)
	}
	s.want("/prompts/a=a@2:two /prompts/a.short=a.short@1:brief")
	s.restart()
	s.want("/prompts/a=a@2:two /prompts/a.short=a.short@1:brief")
	s.write("sub/b.prompt", "---\nsluice.path: /bee\n---\n{{> tone}}b")
	s.publish()
	s.want("/prompts/a=a@2:two /prompts/a.short=a.short@1:brief /bee=b@2:rude b")
}

func TestRollbackSurvives(t *testing.T) {
	s := newShop(t)
	s.write("a.prompt", "one")
	s.publish()
	s.write("a.prompt", "two")
	s.publish()
	ctx := t.Context()
	if err := s.store.MoveLabel(ctx, "a", LabelMove{Label: LabelProduction, To: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	s.want("/prompts/a=a@1:one")
	s.publish()
	s.want("/prompts/a=a@1:one")
	s.restart()
	s.want("/prompts/a=a@1:one")
	s.write("a.prompt", "three")
	s.publish()
	s.want("/prompts/a=a@3:three")
	s.write("a.prompt", "one") // an older text again is a new version
	s.publish()
	s.want("/prompts/a=a@4:one")
}

func TestResolve(t *testing.T) {
	s := newShop(t)
	s.write("_p.prompt", "old ")
	s.write("a.prompt", "{{> p}}one")
	s.publish()
	s.write("_p.prompt", "new ")
	s.write("a.prompt", "---\nsluice.path: /a\n---\n{{> p}}two")
	s.publish()
	ctx := t.Context()
	if err := s.store.MoveLabel(ctx, "a", LabelMove{Label: "staging", To: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	set := s.Snapshot()
	for _, c := range []struct {
		name    string
		version int
		label   string
		want    string
		err     error
	}{
		{"a", 0, "", "a@2:new two", nil}, {"a", 0, "production", "a@2:new two", nil}, {"a", 2, "", "a@2:new two", nil},
		{"a", 1, "", "a@1:old one", nil}, {"a", 0, "staging", "a@1:old one", nil}, {"a", 1, "staging", "a@1:old one", nil},
		{"a", 9, "", "", ErrNoVersion}, {"a", -1, "", "", ErrNoVersion}, {"a", 0, "beta", "", ErrNoVersion}, {"b", 0, "", "", ErrNoPrompt},
	} {
		l, err := set.Resolve(ctx, c.name, c.version, c.label)
		if !errors.Is(err, c.err) || err != nil && l != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if err == nil && (l.ID()+":"+text(t, l) != c.want || l.Path != "/a") {
			t.Errorf("%+v: %s %s", c, l.ID(), l.Path)
		}
	}
}

func TestStoreDown(t *testing.T) {
	s := newShop(t)
	s.write("a.prompt", "one")
	s.publish()
	s.write("a.prompt", "two")
	s.publish()
	ctx := t.Context()
	again := NewRegistry(s.store, time.Now) // as after a restart
	if _, err := again.PublishDir(ctx, s.dir); err != nil {
		t.Fatal(err)
	}
	s.store.down = true
	s.write("a.prompt", "three")
	s.write("b.prompt", "new")
	if _, err := s.PublishDir(ctx, s.dir); !errors.Is(err, errDown) {
		t.Errorf("error %v", err)
	}
	if err := s.Refresh(ctx); !errors.Is(err, errDown) {
		t.Errorf("error %v", err)
	}
	s.want("/prompts/a=a@2:two")
	for _, r := range []*Registry{s.Registry, again} {
		if l, err := r.Snapshot().Resolve(ctx, "a", 1, ""); err != nil || text(t, l) != "one" {
			t.Errorf("an older version is gone: %v", err)
		}
	}
	s.store.down = false
	s.publish()
	s.want("/prompts/a=a@3:three /prompts/b=b@1:new")
}

// Of a name with many versions the newest need no store, and memory is bounded.
func TestManyVersions(t *testing.T) {
	s := newShop(t)
	const n = maxKnown + 5
	for i := range n {
		if _, _, err := s.Publish(t.Context(), Publication{Name: "a", Source: []byte(fmt.Sprint("text ", i+1))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, down := range []bool{true, false} {
		s.store.down = down
		for _, version := range []int{n, 6, 5} {
			l, err := s.Snapshot().Resolve(t.Context(), "a", version, "")
			if lost := down && version == 5; lost != errors.Is(err, errDown) || !lost && (err != nil || text(t, l) != fmt.Sprint("text ", version)) {
				t.Errorf("version %d, the store down %v: %v", version, down, err)
			}
		}
	}
	if known := len(s.cache.known["a"]); known != maxKnown {
		t.Errorf("the text of %d versions is kept", known)
	}
}

func TestPaths(t *testing.T) {
	s := newShop(t)
	s.Prefix = "/api/"
	s.write("a.prompt", "---\nsluice.path: /x\n---\na")
	s.write("b.prompt", "---\nmodel: m\nsluice.path: /x\n---\nb")
	s.write("d/a.prompt", "twice")
	s.write("-c.prompt", "odd name")
	r := s.publish()
	if len(r.Faults) != 3 {
		t.Errorf("faults\n%v", r.Faults)
	}
	for _, want := range []string{`b.prompt:3: sluice.path: the path /api/x is already that of prompt "a"`, `d/a.prompt: the name "a" is that of`, "-c.prompt: a prompt's name is letters"} {
		if !strings.Contains(r.Faults.Error(), want) {
			t.Errorf("faults\n%v\nlack %s", r.Faults, want)
		}
	}
	s.want("/api/x=a@1:a")
	// The path moves from one file to another in one go.
	s.write("a.prompt", "---\nsluice.path: /y\n---\na")
	s.remove("d/a.prompt")
	s.publish()
	s.want("/api/y=a@2:a /api/x=b@1:b")

	faults, err := CheckDir(s.dir, "/v1", World{})
	if err != nil || len(faults) != 3 || !strings.Contains(faults.Error(), "belongs to the gateway") {
		t.Errorf("%v %v", faults, err)
	}
	if faults, err := CheckDir(filepath.Join(s.dir, "gone"), "", World{}); err != nil || len(faults) > 0 {
		t.Errorf("%v %v", faults, err)
	}
}

func TestPublishByHand(t *testing.T) {
	s := newShop(t)
	ctx := t.Context()
	publish := func(p Publication) (int, bool, error) { return s.Publish(ctx, p) }
	p := Publication{Name: "a", Source: []byte("{{> t}}x"), Partials: map[string]string{"t": "#sluice\n", "unused": "y"}, Message: "m", Author: "ada"}
	if n, created, err := publish(p); n != 1 || !created || err != nil {
		t.Fatal(n, created, err)
	}
	if n, created, err := publish(p); n != 1 || created || err != nil {
		t.Fatal(n, created, err)
	}
	s.restart()
	s.want("/prompts/a=a@1:#sluice\nx")
	var faults Faults
	for _, bad := range []Publication{
		{Name: "a", Source: []byte("{{")}, {Name: "../a", Source: []byte("x")}, {Name: "b", Source: []byte(bundleMark + "x:1\n")},
		{Name: "b", Source: []byte("---\nsluice.path: /prompts/a\n---\n")},
	} {
		if _, _, err := publish(bad); !errors.As(err, &faults) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	s.want("/prompts/a=a@1:#sluice\nx")
	l, _ := s.Snapshot().ByName("a")
	if len(l.Partials) != 1 || l.FromFile {
		t.Errorf("live %+v", l)
	}
}

func TestUnbundle(t *testing.T) {
	in := map[string]string{"a": "", "b": "x:\n#sluice:partials", "c": "é"}
	source, partials, err := Unbundle(bundle([]byte("prompt"), in))
	if err != nil || string(source) != "prompt" || fmt.Sprint(partials) != fmt.Sprint(in) {
		t.Errorf("%s %v %v", source, partials, err)
	}
	for _, bad := range []string{bundleMark, bundleMark + "\n", bundleMark + "a:9\nx", bundleMark + "a:-1\nx", bundleMark + "a\nx", bundleMark + ":1\nx"} {
		if _, _, err := Unbundle([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestSplitVersion(t *testing.T) {
	for in, want := range map[string]string{"/a@3": "/a 3", "/a": "/a 0", "/a@": "/a@ 0", "/a@0": "/a@0 0", "/a@x": "/a@x 0", "/a@+3": "/a@+3 0", "/a@b@2": "/a@b 2"} {
		if bare, n := SplitVersion(in); fmt.Sprint(bare, " ", n) != want {
			t.Errorf("%s: %s %d", in, bare, n)
		}
	}
}

// TestReadersNeverWait reads snapshots while prompts are published.
func TestReadersNeverWait(t *testing.T) {
	s := newShop(t)
	s.write("a.prompt", "v0")
	s.publish()
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				l, ok := s.Snapshot().ByPath("/prompts/a")
				if !ok || text(t, l) != fmt.Sprint("v", l.Version-1) {
					t.Error("a version with another's text")
					return
				}
			}
		})
	}
	for i := 1; i < 30; i++ {
		s.write("a.prompt", fmt.Sprint("v", i))
		s.publish()
	}
	close(done)
	wg.Wait()
}

func TestReadFile(t *testing.T) {
	s := newShop(t)
	s.write("a.prompt", "{{> p}}")
	s.write("_p.prompt", "x")
	name, source, partials, err := ReadFile(filepath.Join(s.dir, "a.prompt"))
	if err != nil || name != "a" || string(source) != "{{> p}}" || partials["p"] != "x" {
		t.Errorf("%s %s %v %v", name, source, partials, err)
	}
	if _, _, _, err := ReadFile(filepath.Join(s.dir, "gone.prompt")); err == nil {
		t.Error("a file that is not there was read")
	}
}
