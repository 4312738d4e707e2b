package discovery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
	"go.yaml.in/yaml/v3"
)

// File is a YAML list of {url, weight}.
type File struct {
	Path string
}

// mostFile bounds a file, in bytes.
const mostFile = 16 << 20

// Watch reads the file, and reads it again when something becomes of it or of
// the link that it is.
func (f File) Watch(ctx context.Context, tell Tell) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("cannot watch files: %w", err)
	}
	defer w.Close()
	if err := w.Add(filepath.Dir(f.Path)); err != nil {
		return fmt.Errorf("cannot watch the directory of the file: %w", err)
	}
	for {
		list, err := f.read()
		if err != nil {
			return err
		}
		tell(list)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.Events:
		case err := <-w.Errors:
			return fmt.Errorf("cannot watch the file: %w", err)
		}
		if err := wait(ctx, leastPause); err != nil { // it may be half written
			return err
		}
		for len(w.Events) > 0 {
			<-w.Events
		}
	}
}

func (f File) read() ([]Endpoint, error) {
	info, err := os.Stat(f.Path)
	if err != nil {
		return nil, err
	}
	if info.Size() > mostFile {
		return nil, fmt.Errorf("the file is larger than %d bytes", mostFile)
	}
	text, err := os.ReadFile(f.Path)
	if err != nil {
		return nil, err
	}
	return ParseFile(text)
}

// ParseFile reads what a file holds. Those with a weight of 0 are drained, and
// not in the list. A file that holds nothing, not even [], is half written.
func ParseFile(text []byte) ([]Endpoint, error) {
	var given []struct {
		URL    string `yaml:"url"`
		Weight *int   `yaml:"weight"`
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	switch err := d.Decode(&given); {
	case errors.Is(err, io.EOF), err == nil && given == nil:
		return nil, errors.New("the file is empty: an empty list is []")
	case err != nil:
		return nil, fmt.Errorf("want a list of {url, weight}: %w", err)
	}
	list := make([]Endpoint, 0, len(given))
	for i, g := range given {
		u, err := url.Parse(g.URL)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
			return nil, fmt.Errorf("%d: want a url such as http://127.0.0.1:9001", i)
		case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
			return nil, fmt.Errorf("%d: the url of a target holds no query, fragment or password", i)
		case g.Weight != nil && *g.Weight < 0:
			return nil, fmt.Errorf("%d: the weight is negative", i)
		case g.Weight != nil && *g.Weight == 0:
		case g.Weight != nil:
			list = append(list, Endpoint{URL: g.URL, Weight: *g.Weight})
		default:
			list = append(list, Endpoint{URL: g.URL, Weight: 1})
		}
	}
	return list, nil
}
