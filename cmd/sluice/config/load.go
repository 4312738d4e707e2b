package config

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

//go:embed default.yaml
var defaults []byte

// embedded names the defaults in faults and origins.
const embedded = "(embedded defaults)"

// maxFile bounds a configuration file.
const maxFile = 8 << 20

// DefaultYAML is the embedded configuration, with its comments.
func DefaultYAML() string { return string(defaults) }

// Load reads the embedded defaults, the file at path over them (empty: none)
// and the SLUICE_… overrides of environ, which is as os.Environ gives it, over
// both. enabled names the providers that are on without being declared, such as
// those whose keys the environment holds.
//
// A configuration with faults is refused whole: the error is then a Faults that
// holds every one.
func Load(path string, environ []string, enabled ...string) (*Config, error) {
	l := &loader{path: path, dir: ".", environ: environ, origin: origins{}, koanf: koanf.New(delim)}
	if path != "" {
		l.dir = filepath.Dir(path)
	}
	return l.config(enabled)
}

// config is the configuration of all layers.
func (l *loader) config(enabled []string) (*Config, error) {
	if err := l.layers(); err != nil {
		return nil, err
	}
	c := &Config{origin: l.origin, sources: l.sources, written: func() []byte { return l.written }}
	d := &decoder{origin: l.origin, faults: l.faults}
	d.value(nil, l.koanf.Raw(), reflect.ValueOf(c).Elem(), "")
	c.finish(l.dir)
	l.clouds(c, d)
	l.policies(c, d)
	l.tlsFiles(c.Server.TLS, []string{"server", "tls"}, d)
	l.tlsFiles(c.Admin.TLS, []string{"admin", "tls"}, d)
	l.routeFiles(c, d)
	l.validations(c, d)
	l.mocks(c, d)
	c.sources = l.sources
	check(c, d, enabled)
	if len(d.faults) > 0 {
		return nil, d.faults.sorted()
	}
	return c, nil
}

// loader gathers the layers.
type loader struct {
	path, dir string
	environ   []string
	origin    origins
	faults    Faults
	sources   []string
	koanf     *koanf.Koanf
	text      *Text  // instead of a file
	written   []byte // what the file, or the text, says
}

// layers loads the defaults, the file and the environment in turn. A file that
// is not YAML at all ends it, for what follows would be noise.
func (l *loader) layers() error {
	if err := l.yaml(embedded, defaults); err != nil {
		return err
	}
	if err := l.own(); err != nil {
		return err
	}
	layer, faults := environLayer(l.environ, l.expander("."), l.origin)
	l.faults = append(l.faults, faults...)
	return l.load(layer)
}

// own loads the file, or the text that stands for it.
func (l *loader) own() (err error) {
	name := l.path
	switch {
	case l.text != nil && l.text.Led:
		name, l.written = l.text.Name, tidy(l.text.YAML)
	case l.text != nil:
		if err := l.load(map[string]any{"config": map[string]any{"lead": "store"}, "store": l.text.Store}); err != nil {
			return err
		}
		name, l.written = l.text.Name, tidy(l.text.YAML)
	case l.path == "":
		return nil
	default:
		if l.written, err = readFile(l.path); err != nil {
			return fmt.Errorf("cannot read configuration %q: %w", l.path, err)
		}
		l.source(l.path)
	}
	return l.yaml(name, l.written)
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("is a directory")
	case info.Size() > maxFile:
		return nil, fmt.Errorf("is larger than %d bytes", maxFile)
	}
	return os.ReadFile(path)
}

func (l *loader) yaml(file string, src []byte) error {
	t := &tree{file: file, expand: l.expander(l.dir), origin: l.origin}
	layer := t.parse(src)
	l.faults = append(l.faults, t.faults...)
	if layer == nil && len(t.faults) > 0 {
		return l.faults.sorted()
	}
	return l.load(layer)
}

// load merges a layer over what is there. Lists are replaced whole. A key
// without a value leaves what is below it alone.
func (l *loader) load(layer map[string]any) error {
	dropEmpty(layer, l.koanf.Raw())
	if err := l.koanf.Load(confmap.Provider(layer, ""), nil); err != nil {
		return fmt.Errorf("cannot merge configuration: %w", err)
	}
	return nil
}

func dropEmpty(layer, under map[string]any) {
	for key, value := range layer {
		if value == nil && under[key] != nil {
			delete(layer, key)
			continue
		}
		m, is := value.(map[string]any)
		u, has := under[key].(map[string]any)
		if is && has {
			dropEmpty(m, u)
		}
	}
}

func (l *loader) expander(dir string) *expander {
	e := &expander{dir: dir, read: l.source, lookup: func(name string) (string, bool) {
		for _, pair := range slices.Backward(l.environ) { // the last of a name counts, as in os/exec
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}}
	if l.text != nil {
		e.kept = l.text.Kept
	}
	return e
}

// source notes a file that was read.
func (l *loader) source(path string) {
	if abs, err := filepath.Abs(path); err == nil && !slices.Contains(l.sources, abs) {
		l.sources = append(l.sources, abs)
	}
}

// finish fills in what follows from other values. dir is the file's directory.
func (c *Config) finish(dir string) {
	kinds := kindsOfProviders()
	for name, p := range c.Providers {
		if p.Kind == "" && slices.Contains(kinds, name) {
			p.Kind = name
		}
		p.BaseURL = trimBase(p.BaseURL)
		if p.Kind == "mock" {
			p.finishMock(c.origin.given("providers", name, "fail", "share"))
		}
		c.Providers[name] = p
	}
	at := c.origin.find([]string{"prompts", "dir"})
	if c.Prompts.Dir != "" && !at.env && !filepath.IsAbs(c.Prompts.Dir) {
		c.Prompts.Dir = filepath.Join(dir, c.Prompts.Dir)
	}
	if at.file == embedded && !isDir(c.Prompts.Dir) {
		c.Prompts.Dir = ""
	}
}

// clouds fills in what the clouds' own variables say of the declared providers.
func (l *loader) clouds(c *Config, d *decoder) {
	get := func(name string) string {
		value, _ := l.expander(l.dir).lookup(name)
		return value
	}
	for _, name := range sortedKeys(c.Providers) {
		p := c.Providers[name]
		if err := p.environment(get, l.source); err != nil {
			d.fault([]string{"providers", name}, "%v", err)
		}
		c.Providers[name] = p
	}
}

// kindsOfProviders are the words of providers.*.kind.
func kindsOfProviders() []string {
	field, _ := fieldOf(reflect.TypeFor[Provider](), "kind")
	return strings.Split(field.Tag.Get("enum"), ",")
}

func trimBase(address string) string { return strings.TrimRight(address, "/") }

// finishMock prices what has no price, so that reports show something, but for
// verbatim, which is part of a prompt rather than a model; and it makes every
// call fail where a status has no share.
func (p *Provider) finishMock(shareGiven bool) {
	if p.Fail.Status > 0 && !shareGiven {
		p.Fail.Share = 1
	}
	if p.Prices == nil {
		p.Prices = map[string]Price{}
	}
	for model, price := range map[string]Price{"*": {Input: "1", Output: "2"}, "verbatim": {Input: "0", Output: "0"}} {
		if _, priced := p.Prices[model]; !priced {
			p.Prices[model] = price
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
