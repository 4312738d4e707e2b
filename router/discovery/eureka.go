package discovery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Eureka is an application in Eureka, those instances of it that are UP.
type Eureka struct {
	URL    string // where its API begins, such as http://127.0.0.1:8761/eureka
	App    string
	Every  time.Duration // between two questions
	Scheme string        // of the endpoints: http, or https at their secure ports
	Client *http.Client
}

// eurekaApps is the registry as /apps tells it in JSON, or what has changed in
// it as /apps/delta does (github.com/Netflix/eureka/wiki/Eureka-REST-operations,
// read 2026-11-30).
type eurekaApps struct {
	Applications struct {
		Hash        string                  `json:"apps__hashcode"` // of the whole registry
		Application some[eurekaApplication] `json:"application"`
	} `json:"applications"`
}

// eurekaApp is an application as /apps/{app} tells it.
type eurekaApp struct {
	Application eurekaApplication `json:"application"`
}

type eurekaApplication struct {
	Name     string               `json:"name"`
	Instance some[eurekaInstance] `json:"instance"`
}

type eurekaInstance struct {
	ID         string     `json:"instanceId"` // old clients have none
	HostName   string     `json:"hostName"`
	IPAddr     string     `json:"ipAddr"`
	Status     string     `json:"status"`
	Port       eurekaPort `json:"port"`
	SecurePort eurekaPort `json:"securePort"`
	Action     string     `json:"actionType"` // what has become of it, in a delta
}

type eurekaPort struct {
	Number  number `json:"$"`
	Enabled word   `json:"@enabled"`
}

// some may be one alone: the JSON is made from XML.
type some[T any] []T

// UnmarshalJSON reads a list, or one.
func (l *some[T]) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]T)(l))
	}
	*l = make([]T, 1)
	return json.Unmarshal(text, &(*l)[0])
}

// number and word may stand in quotes, or not.
type (
	number int
	word   string
)

// UnmarshalJSON reads 80 or "80".
func (n *number) UnmarshalJSON(text []byte) error {
	var v json.Number
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	i, err := v.Int64()
	*n = number(i)
	return err
}

// UnmarshalJSON reads true or "true".
func (w *word) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, (*string)(w)) != nil {
		*w = word(text)
	}
	return nil
}

// eurekaRegistry is the instances that are known, of all applications: what
// deltas are reconciled by is told of them together.
type eurekaRegistry map[eurekaKey]eurekaInstance

type eurekaKey struct{ app, id string }

// errDrift says that deltas no longer lead to what the server has.
var errDrift = errors.New("eureka: a change was missed")

// Watch gets the whole registry once, then polls what has changed in it. The
// server tells changes for some minutes, so that they come more than once, and
// with them a hash of what it has: where that is not what we have, it is asked
// for all of it anew (github.com/Netflix/eureka/wiki/
// Understanding-eureka-client-server-communication, "Fetch Registry"). A server
// that tells no changes, or others than it has three times in a row (it counts in
// its own way, or is several), is asked for the application each time, and so is
// one that has too much to tell it whole.
func (e Eureka) Watch(ctx context.Context, tell Tell) error {
	known, err := e.whole(ctx)
	alone := errors.Is(err, errTooLong)
	if alone {
		known, err = e.alone(ctx)
	}
	for drifts := 0; ; {
		if err != nil {
			return fmt.Errorf("eureka: %w", err)
		}
		tell(e.endpoints(known))
		if err := poll(ctx, e.Every); err != nil {
			return err
		}
		if !alone {
			err = e.update(ctx, known)
			if drifts++; !errors.Is(err, errDrift) {
				drifts = 0
			}
			status := statusOf(err)
			alone = status == http.StatusForbidden || status == http.StatusNotFound || drifts == 3
		}
		switch {
		case alone:
			known, err = e.alone(ctx)
		case errors.Is(err, errDrift):
			known, err = e.whole(ctx)
		}
	}
}

func (e Eureka) ask(ctx context.Context, path string, into any) error {
	q := question{client: e.Client, address: e.URL + "/apps" + path, header: http.Header{}}
	_, err := q.fetch(ctx, askLimit, into)
	return err
}

// whole is all that the server has.
func (e Eureka) whole(ctx context.Context) (eurekaRegistry, error) {
	var all eurekaApps
	if err := e.ask(ctx, "", &all); err != nil {
		return nil, err
	}
	known := eurekaRegistry{}
	for _, a := range all.Applications.Application {
		known.add(a)
	}
	return known, nil
}

// alone is the application without the others.
func (e Eureka) alone(ctx context.Context) (eurekaRegistry, error) {
	var app eurekaApp
	err := e.ask(ctx, "/"+url.PathEscape(e.App), &app)
	if statusOf(err) == http.StatusNotFound { // it has no instance
		return nil, nil
	}
	known := eurekaRegistry{}
	app.Application.Name = e.App
	known.add(app.Application)
	return known, err
}

// update makes of what is known what it has become since.
func (e Eureka) update(ctx context.Context, known eurekaRegistry) error {
	var delta eurekaApps
	if err := e.ask(ctx, "/delta", &delta); err != nil {
		return err
	}
	for _, a := range delta.Applications.Application {
		known.add(a)
	}
	if known.hash() != delta.Applications.Hash {
		return errDrift
	}
	return nil
}

// add takes the instances of an application in, but for those that are gone.
func (r eurekaRegistry) add(a eurekaApplication) {
	for _, i := range a.Instance {
		key := eurekaKey{strings.ToUpper(a.Name), cmp.Or(i.ID, i.HostName)}
		if i.Action == "DELETED" {
			delete(r, key)
			continue
		}
		r[key] = i
	}
}

// hash is how many instances there are of each status, in the order of the
// alphabet, as in DOWN_2_UP_70_ (getReconcileHashCode of com.netflix.discovery.
// shared.Applications in github.com/Netflix/eureka).
func (r eurekaRegistry) hash() string {
	count := map[string]int{}
	for _, i := range r {
		count[i.Status]++
	}
	var text strings.Builder
	for _, status := range slices.Sorted(maps.Keys(count)) {
		text.WriteString(status + "_" + strconv.Itoa(count[status]) + "_")
	}
	return text.String()
}

func (e Eureka) endpoints(of eurekaRegistry) []Endpoint {
	var list []Endpoint
	app := strings.ToUpper(e.App)
	for key, i := range of {
		if key.app != app {
			continue
		}
		port := i.Port
		if e.Scheme == "https" {
			port = i.SecurePort
		}
		host := cmp.Or(i.IPAddr, i.HostName)
		if i.Status == "UP" && port.Enabled == "true" && port.Number > 0 && host != "" {
			list = append(list, Endpoint{URL: address(e.Scheme, host, int(port.Number)), Name: i.HostName})
		}
	}
	return list
}
