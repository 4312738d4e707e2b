package config

import (
	"reflect"

	"github.com/knadh/koanf/v2"
)

// Text is a configuration that is no file: one that the store keeps, or that
// may come to be one.
type Text struct {
	Name  string // in faults
	Dir   string // where its relative paths begin
	YAML  []byte
	Store string // the store that is open: where the text says nothing of it
	Led   bool   // by a file, which the text stands for: Store does not count
	Kept  func(name string) (secret string, ok bool)
}

// LoadText is Load for a text instead of a file. Where it does not say who
// leads, the store does.
func LoadText(t Text, environ []string, enabled ...string) (*Config, error) {
	l := &loader{dir: t.Dir, text: &t, environ: environ, origin: origins{}, koanf: koanf.New(delim)}
	c, err := l.config(enabled)
	if err != nil || t.Led {
		return c, err
	}
	var faults Faults
	if c.Lead.Lead != "store" {
		faults = append(faults, c.Fault("the gateway was started with store, which a revision cannot change", "config", "lead"))
	}
	if c.Store != t.Store {
		faults = append(faults, c.Fault("the gateway was started with another store, which a revision cannot change", "store"))
	}
	if len(faults) > 0 {
		return nil, faults.sorted()
	}
	return c, nil
}

// Stated refuses a text that says nothing, or only in comments: one that was
// lost on its way must not take all there is away. {} says that nothing is meant.
func Stated(name string, text []byte) error {
	t := &tree{file: name, origin: origins{}}
	root := t.read(tidy(text))
	if len(t.faults) == 0 && (root == nil || unalias(root).Tag == "!!null") {
		t.fault(1, "want a configuration, a mapping of sections such as server: and providers:, and this says nothing; {} is an empty one")
		return t.faults
	}
	return nil // what else is wrong is found when it is read
}

// Leader is what must be known before a configuration can be read that is not
// in the file.
type Leader struct {
	Lead  Lead
	Store string
}

// ReadLeader reads of a file and the environment only who leads and where the
// store is. What else is wrong with the file is not looked at.
func ReadLeader(path string, environ []string) (Leader, error) {
	l := &loader{path: path, dir: ".", environ: environ, origin: origins{}, koanf: koanf.New(delim)}
	if err := l.layers(); err != nil {
		return Leader{}, err
	}
	out := Leader{}
	d := &decoder{origin: l.origin}
	raw := l.koanf.Raw()
	d.value([]string{"config"}, raw["config"], reflect.ValueOf(&out.Lead).Elem(), "")
	d.value([]string{"store"}, raw["store"], reflect.ValueOf(&out.Store).Elem(), "")
	for _, f := range l.faults {
		for _, key := range [][]string{{"store"}, {"config"}, {"config", "lead"}} {
			if at := l.origin.find(key); at.lost && at.file == f.File && at.line == f.Line {
				d.faults = append(d.faults, f)
			}
		}
	}
	if len(d.faults) > 0 {
		return Leader{}, d.faults.sorted()
	}
	return out, nil
}

// Written is what the file, or the text, said: with its secrets. It is empty
// where there was none.
func (c *Config) Written() []byte { return c.written() }
