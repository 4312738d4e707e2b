package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Polaris is a service in Polaris, those instances of it that are healthy and
// not isolated.
type Polaris struct {
	URL       string // of its HTTP port, such as http://127.0.0.1:8090
	Service   string
	Namespace string
	Token     string        // empty: none
	Every     time.Duration // between two questions
	Scheme    string        // of the endpoints: http or https
	Client    *http.Client
}

// polarisService is what is asked for: the instances of a service, unless they
// are of this revision.
type polarisService struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Revision  string `json:"revision,omitempty"`
}

// polarisAnswer is what /v1/Discover answers.
type polarisAnswer struct {
	Code      int               `json:"code"`
	Info      string            `json:"info"`
	Service   polarisService    `json:"service"`
	Instances []polarisInstance `json:"instances"`
}

type polarisInstance struct {
	Host    string `json:"host"`
	Port    int    `json:"port"`
	Weight  *int64 `json:"weight"` // from 0 to 10,000; nil: 100
	Healthy bool   `json:"healthy"`
	Isolate bool   `json:"isolate"`
}

// The codes of an answer. Their first three digits are the status of HTTP.
const (
	polarisDone      = 200000
	polarisUnchanged = 200001
	polarisNoService = 400202
)

// polarisInstances is the kind of question that asks for instances.
const polarisInstances = 1

// Watch polls: over HTTP Polaris answers each question at once (the server's
// manual, "POST /v1/Discover", at bookstack.cn/read/polarismesh-1.11-zh/
// d20121461777a975.md, read 2026-11-30). While nothing has changed since the
// revision that a question names, the answer says so, without the instances.
func (p Polaris) Watch(ctx context.Context, tell Tell) error {
	var known []Endpoint
	revision := ""
	for {
		a, err := p.ask(ctx, revision)
		switch {
		case err != nil:
			return fmt.Errorf("polaris: %w", err)
		case a.Code == polarisNoService:
			known, revision = nil, ""
		case a.Code == polarisDone:
			known, revision = p.endpoints(a.Instances), a.Service.Revision
		case a.Code == polarisUnchanged && revision != "":
		default:
			return fmt.Errorf("polaris: the registry answered with code %d: %s", a.Code, a.Info)
		}
		tell(known)
		if err := poll(ctx, p.Every); err != nil {
			return err
		}
	}
}

func (p Polaris) ask(ctx context.Context, revision string) (polarisAnswer, error) {
	var a polarisAnswer
	body, err := json.Marshal(struct {
		Type    int            `json:"type"`
		Service polarisService `json:"service"`
	}{polarisInstances, polarisService{p.Service, p.Namespace, revision}})
	if err != nil {
		return a, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if p.Token != "" {
		header.Set("X-Polaris-Token", p.Token)
	}
	q := question{client: p.Client, address: p.URL + "/v1/Discover", header: header, body: string(body)}
	_, err = q.fetch(ctx, askLimit, &a)
	var refused statusError
	if errors.As(err, &refused) && json.Unmarshal(refused.text, &a) == nil && a.Code != 0 {
		return a, nil // the code says more than the status
	}
	return a, err
}

func (p Polaris) endpoints(of []polarisInstance) []Endpoint {
	list := make([]Endpoint, 0, len(of))
	for _, i := range of {
		weight := int64(100)
		if i.Weight != nil {
			weight = *i.Weight
		}
		if i.Healthy && !i.Isolate && weight > 0 && i.Host != "" && i.Port > 0 {
			list = append(list, Endpoint{URL: address(p.Scheme, i.Host, i.Port), Weight: int(min(weight, mostWeight))})
		}
	}
	return list
}
