package prompts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"sluice/prompts/ordered"
)

// samples are programs that call a prompt, as x-codeSamples (an extension that
// ReDoc and others show). They read SLUICE_URL, such as http://127.0.0.1:8080,
// and SLUICE_KEY from the environment, and print the output.
func samples(path string, example json.RawMessage) []any {
	input, err := ordered.Decode(example)
	if err != nil {
		input = ordered.Object{}
	}
	body := string(ordered.Append(nil, input))
	sample := func(lang, label, format string, args ...any) any {
		return pairsOf("lang", lang, "label", label, "source", fmt.Sprintf(format, args...))
	}
	return []any{
		sample("Shell", "curl", curlSample, path, strings.ReplaceAll(body, "'", `'\''`)),
		sample("Python", "Python", pythonSample, strconv.QuoteToASCII(path), python(input)),
		sample("TypeScript", "TypeScript", typescriptSample, path, body),
		sample("Go", "Go", goSample, strconv.Quote(path), goText(body)),
	}
}

const curlSample = `curl "$SLUICE_URL%s" -H "Authorization: Bearer $SLUICE_KEY" -H 'Content-Type: application/json' -d '%s'`

const pythonSample = `import json, os, urllib.request

request = urllib.request.Request(os.environ["SLUICE_URL"] + %s, json.dumps(%s).encode(),
    {"Authorization": "Bearer " + os.environ["SLUICE_KEY"], "Content-Type": "application/json"})
with urllib.request.urlopen(request) as response:
    print(response.read().decode())
`

const typescriptSample = `const response = await fetch(process.env.SLUICE_URL + "%s", {
  method: "POST",
  headers: { Authorization: ` + "`Bearer ${process.env.SLUICE_KEY}`" + `, "Content-Type": "application/json" },
  body: JSON.stringify(%s),
});
if (!response.ok) throw new Error(await response.text());
console.log(await response.text());
`

const goSample = `package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	request, err := http.NewRequest("POST", os.Getenv("SLUICE_URL")+%s, strings.NewReader(%s))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("SLUICE_KEY"))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		log.Fatal(err)
	}
}
`

// goText is a text as Go writes it.
func goText(s string) string {
	if strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

// python is a value as Python writes it: JSON but for its words.
func python(v any) string {
	var b bytes.Buffer
	appendPython(&b, v)
	return b.String()
}

func appendPython(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case string:
		b.WriteString(strconv.QuoteToASCII(v))
	case []any:
		b.WriteByte('[')
		for i := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			appendPython(b, v[i])
		}
		b.WriteByte(']')
	case ordered.Object:
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(strconv.QuoteToASCII(m.Key) + ": ")
			appendPython(b, m.Value)
		}
		b.WriteByte('}')
	default:
		b.Write(ordered.Append(nil, v))
	}
}
