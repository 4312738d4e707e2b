package discovery

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "targets.yaml")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	f := follow(t, File{Path: path}.Watch)
	f.await(Waiting)
	put("- {url: http://a:1, weight: 2}\n- url: http://b:1\n- {url: http://c:1, weight: 0}\n")
	f.next("a:1*2 b:1")
	put("- {url: http://b:1}\n")
	f.next("b:1")
	put("- {ulr: http://b:1}\n")
	f.await(Stale)
	put("[]\n")
	f.next("")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f.await(Stale)
}

func FuzzFile(f *testing.F) {
	for _, text := range []string{"", "[]", "null", "- {url: http://a:1, weight: 2}", "- http://a", "- {url: ftp://a}", "- {url: http://a?q}", "- {url: http://a, weight: -1}", "{}", "- &a [*a]"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ParseFile(text)
		if err != nil && list != nil {
			t.Errorf("both: %v, %v", list, err)
		}
		for _, e := range list {
			if e.URL == "" || e.Weight < 1 {
				t.Errorf("read %+v", e)
			}
		}
	})
}

func TestParseFileRefuses(t *testing.T) {
	for _, text := range []string{"", "# nothing", "null", "- {url: ftp://a}", "- {url: \"http://a?q\"}", "- {url: http://a, weight: -1}", "{}", "- {url: http://a, more: 1}"} {
		if list, err := ParseFile([]byte(text)); err == nil {
			t.Errorf("%q is read as %v", text, list)
		}
	}
}
