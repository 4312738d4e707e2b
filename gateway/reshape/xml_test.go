package reshape

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"sluice/prompts/ordered"
)

func TestXML(t *testing.T) {
	f := func(doc, want string, lists ...string) {
		t.Helper()
		v, err := FromXML([]byte(doc), lists)
		if err != nil {
			t.Errorf("%s: %v", doc, err)
			return
		}
		if got := string(ordered.Append(nil, v)); got != want {
			t.Errorf("%s: %s, want %s", doc, got, want)
		}
		back, err := ToXML(v, "")
		if err != nil {
			t.Errorf("%s: back: %v", doc, err)
			return
		}
		again, err := FromXML(back, lists)
		if err != nil || string(ordered.Append(nil, again)) != want {
			t.Errorf("%s: back and forth: %s, %v", doc, back, err)
		}
	}
	f(`<a/>`, `{"a":""}`)
	f(`<?xml version="1.0" encoding="UTF-8"?><!-- c --><a> x &amp; y </a>`, `{"a":"x & y"}`)
	f(`<a id="1"><b>x</b><c/><b>y</b></a>`, `{"a":{"@id":"1","b":["x","y"],"c":""}}`)
	f(`<a><b>x</b></a>`, `{"a":{"b":["x"]}}`, "b")
	f(`<a><l><i n="1"/></l></a>`, `{"a":{"l":{"i":[{"@n":"1"}]}}}`, "l.i")
	f(`<a><b>1</b><b>2</b><b>3</b></a>`, `{"a":{"b":["1","2","3"]}}`, "b")
	f(`<a><![CDATA[<b>&]]></a>`, `{"a":"<b>&"}`)
	f(`<a k="v">text<b/></a>`, `{"a":{"@k":"v","b":"","#text":"text"}}`)
	f(`<s:a xmlns:s="urn:x" s:k="v"><s:b/></s:a>`, `{"s:a":{"@xmlns:s":"urn:x","@s:k":"v","s:b":""}}`)
	f(`<é>ü</é>`, `{"é":"ü"}`)
}

func TestXMLRefuses(t *testing.T) {
	bomb := `<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><a>&lol2;</a>`
	for _, doc := range []string{
		"", "text", "{}", "<a>", "<a></b>", "</a>", "<a/><b/>", "<a/>text", "<a k='1' k='2'/>", `<a b=c/>`,
		bomb, `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`, `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`,
		`<a>&x;</a>`, `<?xml version="1.0" encoding="UTF-16"?><a/>`, "<a>\x00</a>", "<a>\xff</a>",
		strings.Repeat("<a>", maxXMLDepth+1) + strings.Repeat("</a>", maxXMLDepth+1),
	} {
		if v, err := FromXML([]byte(doc), nil); err == nil {
			t.Errorf("%.60s: %v", doc, v)
		}
	}
}

func TestToXML(t *testing.T) {
	f := func(body, root, want string) {
		t.Helper()
		got, err := ToXML(decoded(t, body), root)
		if err != nil || string(got) != xml.Header+want {
			t.Errorf("%s: %s, %v, want %s", body, got, err, want)
		}
	}
	f(`{"a":1,"b":[true,null,"<&>"]}`, "r", `<r><a>1</a><b>true</b><b></b><b>&lt;&amp;&gt;</b></r>`)
	f(`[1,[2,3]]`, "r", `<r><item>1</item><item><item>2</item><item>3</item></item></r>`)
	f(`"x"`, "r", `<r>x</r>`)
	f(`{"r":{"a":1}}`, "r", `<r><a>1</a></r>`)
	f(`{"r":[1,2]}`, "r", `<r><r>1</r><r>2</r></r>`)
	f(`{"@id":"\"","#text":1.50}`, "r", `<r id="&#34;">1.50</r>`)
	for _, body := range []string{`{"a b":1}`, `{"<x>":1}`, `{"":1}`, `{"1":1}`, `{"@a":{}}`, `{"@a b":1}`, `{"a:b:c":1}`} {
		if got, err := ToXML(decoded(t, body), "r"); err == nil {
			t.Errorf("%s: %s", body, got)
		}
	}
	if got, err := ToXML(decoded(t, `{"a":1,"b":2}`), ""); err == nil {
		t.Errorf("without a root: %s", got)
	}
}

// What is read is JSON, and what can be written back is XML.
func FuzzXML(f *testing.F) {
	f.Add(`<a k="v">x<b/>y<b>z</b></a>`)
	f.Add(`<a><!-- --><?p i?><![CDATA[x]]>&#65;</a>`)
	f.Fuzz(func(t *testing.T, doc string) {
		v, err := FromXML([]byte(doc), nil)
		if err != nil {
			return
		}
		if b := ordered.Append(nil, v); !json.Valid(b) {
			t.Fatalf("%q gives %s", doc, b)
		}
		back, err := ToXML(v, "")
		if err != nil {
			return
		}
		if _, err := FromXML(back, nil); err != nil {
			t.Fatalf("%q gives %s: %v", doc, back, err)
		}
	})
}
