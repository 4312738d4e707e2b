package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestLoadPrices(t *testing.T) {
	load := func(text string) (map[string]map[string]Price, error) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "prices.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return LoadPrices(path)
	}
	got, err := load("providers:\n  lab: {prices: {\"*\": {input: 0.1, above: {5: {output: 1}}, tiers: {flex: {input: 0.05}}}}}\n")
	want := map[string]map[string]Price{"lab": {"*": {Input: "0.1", Above: map[int64]Price{5: {Output: "1"}}, Tiers: map[string]Price{"flex": {Input: "0.05"}}}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: %+v", err, got)
	}
	for text, say := range map[string]string{
		"": "providers: is needed", "providers: {lab: {keys: [a]}}": `unknown key "keys"`, "prices: {m: {input: 1}}": `unknown key "prices"`,
		"providers: {lab: {prices: {m: {input: dear}}}}":                  "providers.lab.prices.m.input",
		"providers: {lab: {prices: {m: {tiers: {default: {input: 1}}}}}}": "providers.lab.prices.m.tiers.default", "providers: [": "prices.yaml",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: error %v does not say %s", text, err, say)
		}
	}
	if _, err := LoadPrices(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a file that is not there is no error")
	}
}
