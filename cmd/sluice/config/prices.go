package config

import (
	"fmt"
	"path/filepath"
	"reflect"

	"github.com/knadh/koanf/v2"
)

// priceFile is a file of prices: those of providers, as in a configuration.
type priceFile struct {
	Providers map[string]struct {
		Prices map[string]Price `json:"prices"`
	} `json:"providers"`
}

// LoadPrices reads a file that holds providers.NAME.prices as a configuration
// does, and nothing else. A file with faults is refused whole, as by Load.
func LoadPrices(path string) (map[string]map[string]Price, error) {
	l := &loader{path: path, dir: filepath.Dir(path), origin: origins{}, koanf: koanf.New(delim)}
	src, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read prices %q: %w", path, err)
	}
	if err := l.yaml(path, src); err != nil {
		return nil, err
	}
	var file priceFile
	d := &decoder{origin: l.origin, faults: l.faults}
	d.value(nil, l.koanf.Raw(), reflect.ValueOf(&file).Elem(), "")
	d.checking = true
	k := &checker{decoder: d}
	out := map[string]map[string]Price{}
	for _, name := range sortedKeys(file.Providers) {
		at := []string{"providers", name, "prices"}
		out[name] = file.Providers[name].Prices
		for _, model := range sortedKeys(out[name]) {
			k.price(below(at, model), model, out[name][model])
		}
	}
	if len(out) == 0 {
		k.fault([]string{"providers"}, "is needed: prices stand under providers.NAME.prices, as in a configuration")
	}
	if len(d.faults) > 0 {
		return nil, d.faults.sorted()
	}
	return out, nil
}
