package audit

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// secrets are the members of objects that never get into a record.
var secrets = map[string]bool{"hash": true, "secret": true, "token": true, "password": true, "client_secret": true}

// mostState bounds what a record holds of a state.
const mostState = 64 << 10

// State is v, which may be JSON already, as records hold it: without secrets
// and names of users.
// What is no JSON, or null, is left out.
func State(v any) json.RawMessage {
	raw, ok := v.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			return nil
		}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil || value == nil {
		return nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // see Seal
	if err := e.Encode(scrub(value)); err != nil {
		return nil
	}
	out := bytes.TrimSpace(b.Bytes())
	if len(out) > mostState {
		return json.RawMessage(`{"left_out_bytes":` + strconv.Itoa(len(out)) + `}`)
	}
	return out
}

func scrub(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if text, ok := value.(string); secrets[name] || ok && isKey(text) {
				delete(v, name)
				continue
			}
			if name == "user" && value != "" { // who may ask to be forgotten, which a chain cannot
				v[name] = "(user)"
				continue
			}
			v[name] = scrub(value)
		}
	case []any:
		for i := range v {
			v[i] = scrub(v[i])
		}
	case string:
		if isKey(v) {
			return "(secret)"
		}
	}
	return v
}

// isKey tells whether a text is a key of a caller, or an admin token that was
// made here: their beginnings alone are no secrets.
func isKey(text string) bool {
	return strings.HasPrefix(text, "sk-sl-") && len(text) > 30 || strings.HasPrefix(text, "sl-admin-")
}
