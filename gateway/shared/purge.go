package shared

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Purge says which answers are not to be given any more: those that fit every
// field that is not empty, so an empty one says all.
type Purge struct {
	Tag    string
	Key    string // whole: a path with its query, or a model's MODEL/OWNER/DIGEST
	Prefix string // how it begins
	Model  string // answers of this name; those of routes have none
	Host   string // with Key: the resource of a route, and nothing of models
}

// purgeText is a purge as JSON.
type purgeText struct {
	Tag    *string `json:"tag,omitempty"`
	Key    *string `json:"key,omitempty"`
	Prefix *string `json:"prefix,omitempty"`
	Model  *string `json:"model,omitempty"`
}

// ownText is likewise, with what replicas alone say.
type ownText struct {
	purgeText
	Host *string `json:"host,omitempty"`
}

func (p Purge) text() string {
	given := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	t := ownText{purgeText{given(p.Tag), given(p.Key), given(p.Prefix), given(p.Model)}, given(p.Host)}
	if p == (Purge{}) {
		t.Prefix = new(string)
	}
	b, _ := json.Marshal(t) // it holds text alone
	return string(b)
}

// longEvent bounds what another system may say, in bytes.
const longEvent = 8 << 10

// ParseEvent reads a purge that another system has sent: JSON that holds tag,
// key, prefix or model, or several of them; an empty prefix is that of all.
func ParseEvent(text string) (Purge, error) {
	if len(text) > longEvent {
		return Purge{}, fmt.Errorf("it is longer than %d bytes", longEvent)
	}
	var t purgeText
	if err := strictly(text, &t); err != nil {
		return Purge{}, err
	}
	if t == (purgeText{}) {
		return Purge{}, errors.New("it names no tag, key, prefix or model")
	}
	for _, f := range []struct {
		name string
		text *string
	}{{"tag", t.Tag}, {"key", t.Key}, {"model", t.Model}} {
		if f.text != nil && *f.text == "" {
			return Purge{}, fmt.Errorf("%s is empty", f.name)
		}
	}
	return (&ownText{purgeText: t}).purge(), nil
}

// parseOwn reads a purge that a replica has told. What is not understood, of a
// later version maybe, stands for all.
func parseOwn(text string) Purge {
	var t ownText
	if strictly(text, &t) != nil {
		return Purge{}
	}
	return t.purge()
}

func (t *ownText) purge() (p Purge) {
	for to, from := range map[*string]*string{&p.Tag: t.Tag, &p.Key: t.Key, &p.Prefix: t.Prefix, &p.Model: t.Model, &p.Host: t.Host} {
		if from != nil {
			*to = *from
		}
	}
	return p
}

// strictly decodes one JSON value that has only fields which are known.
func strictly(text string, to any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return fmt.Errorf("want a JSON object of tag, key, prefix and model: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more after the JSON object")
	}
	return nil
}
