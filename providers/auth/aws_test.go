package auth

import (
	"context"
	"strings"
	"testing"
	"time"

	"sluice/providers/schema"
)

// The keys are those of AWS's own examples.
const exampleSecret = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

var exampleTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func headers(list []Field) map[string]string {
	m := map[string]string{}
	for _, f := range list {
		m[f.Name] = f.Value
	}
	return m
}

// The signature of get-vanilla-query-order-key-case in AWS's Signature Version
// 4 test suite.
func TestAWSSignsAsTheTestSuite(t *testing.T) {
	sign, err := AWS(AWSOptions{BaseURL: "https://example.amazonaws.com", Region: "us-east-1", Service: "service",
		Now: func() time.Time { return exampleTime }})
	if err != nil {
		t.Fatal(err)
	}
	got, err := sign(context.Background(), &Request{Method: "GET", Path: "/?Param2=value2&Param1=value1"}, exampleSecret)
	if err != nil {
		t.Fatal(err)
	}
	want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, " +
		"Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
	h := headers(got)
	if h["Authorization"] != want || h["X-Amz-Date"] != "20150830T123600Z" || len(got) != 2 {
		t.Errorf("headers are %v, want %s", h, want)
	}
}

func TestAWSCoversTheRequest(t *testing.T) {
	sign, err := AWS(AWSOptions{BaseURL: "https://bedrock-runtime.eu-west-1.amazonaws.com/base/",
		Keys: AWSKeys{ID: "ENV", Secret: "s", Token: "session"}, Now: func() time.Time { return exampleTime }})
	if err != nil {
		t.Fatal(err)
	}
	base := Request{Method: "POST", Path: "/model/a%3A0/converse", Body: []byte(`{"a":1}`),
		Header: []Field{{"Content-Type", "application/json"}, {"User-Agent", "x"}, {"X-Amzn-Trace", "t"}}}
	seen := map[string]string{}
	for name, change := range map[string]func(r *Request){
		"nothing": func(*Request) {},
		"method":  func(r *Request) { r.Method = "PUT" },
		"path":    func(r *Request) { r.Path = "/model/a:0/converse" },
		"query":   func(r *Request) { r.Path += "?x=1" },
		"body":    func(r *Request) { r.Body = []byte(`{"a":2}`) },
		"type":    func(r *Request) { r.Header = []Field{{"content-type", "text/plain"}} },
	} {
		r := base
		change(&r)
		got, err := sign(context.Background(), &r, "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		h := headers(got)
		if h["X-Amz-Security-Token"] != "session" || !strings.Contains(h["Authorization"], "ENV/20150830/eu-west-1/bedrock/") {
			t.Errorf("%s: headers are %v", name, h)
		}
		if other, ok := seen[h["Authorization"]]; ok {
			t.Errorf("%s and %s have the same signature", name, other)
		}
		seen[h["Authorization"]] = name
		if len(h) != len(got) || strings.Contains(h["Authorization"], "user-agent") {
			t.Errorf("%s: headers are %v", name, got)
		}
	}
}

func TestParseAWSKeys(t *testing.T) {
	for secret, want := range map[string]AWSKeys{
		"AKIA:s/e+c":       {ID: "AKIA", Secret: "s/e+c"},
		"ASIA:sec:token==": {ID: "ASIA", Secret: "sec", Token: "token=="},
		` {"access_key_id":"A","secret_access_key":"B","session_token":"C"} `: {ID: "A", Secret: "B", Token: "C"},
		`{"api_key":"ABSK"}`: {APIKey: "ABSK"},
		"ABSKQmVk":           {APIKey: "ABSKQmVk"},
	} {
		if got, err := ParseAWSKeys(secret); err != nil || got != want {
			t.Errorf("%s is %+v, %v", secret, got, err)
		}
	}
	for _, secret := range []string{"", "AKIA:", ":tops3cret", `{"access_key_id":"tops3cret"}`, `{"access_key_id":["tops3cret"]}`, "{tops3cret"} {
		_, err := ParseAWSKeys(secret)
		if err == nil || strings.Contains(err.Error(), "tops3cret") {
			t.Errorf("%q gives %v", secret, err)
		}
	}
}

func TestAWSKeyOrRefusal(t *testing.T) {
	sign, err := AWS(AWSOptions{BaseURL: "https://bedrock-runtime.us-east-1.amazonaws.com"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := sign(context.Background(), &Request{Method: "POST", Path: "/"}, "ABSKkey")
	if err != nil || len(got) != 1 || got[0] != (Field{"Authorization", "Bearer ABSKkey"}) {
		t.Errorf("an API key gives %v, %v", got, err)
	}
	for _, secret := range []string{"", "id:"} {
		_, err = sign(context.Background(), &Request{Method: "POST", Path: "/"}, secret)
		if e := schema.AsError(err); err == nil || e.Class != schema.ClassAuth || e.Origin != schema.OriginProvider {
			t.Errorf("secret %q gives %v", secret, err)
		}
	}
}

func TestAWSRegion(t *testing.T) {
	for host, want := range map[string]string{
		"bedrock-runtime.us-east-1.amazonaws.com":                     "us-east-1",
		"bedrock-runtime-fips.us-gov-west-1.amazonaws.com":            "us-gov-west-1",
		"bedrock-runtime.cn-north-1.amazonaws.com.cn":                 "cn-north-1",
		"bedrock-mantle.ap-southeast-2.api.aws":                       "ap-southeast-2",
		"vpce-0a1-b.bedrock-runtime.eu-west-1.vpce.amazonaws.com":     "eu-west-1",
		"vpce-0a1b-2.bedrock-runtime.eu-central-1.vpce.amazonaws.com": "eu-central-1",
		"bedrock.example.com":                                         "",
		"api-us-east-1.example.com":                                   "",
	} {
		if got := regionOf(host); got != want {
			t.Errorf("%s has region %q, want %q", host, got, want)
		}
	}
	if _, err := AWS(AWSOptions{BaseURL: "http://localhost:1"}); err == nil || !strings.Contains(err.Error(), "region") {
		t.Errorf("no region: %v", err)
	}
	if _, err := AWS(AWSOptions{BaseURL: "localhost"}); err == nil {
		t.Error("a base URL without a host is taken")
	}
}
