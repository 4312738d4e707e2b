package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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

// eurekaApp is an application as /apps/{app} tells it in JSON
// (github.com/Netflix/eureka/wiki/Eureka-REST-operations, read 2026-11-30).
type eurekaApp struct {
	Application struct {
		Instance instances `json:"instance"`
	} `json:"application"`
}

type eurekaInstance struct {
	HostName   string     `json:"hostName"`
	IPAddr     string     `json:"ipAddr"`
	Status     string     `json:"status"`
	Port       eurekaPort `json:"port"`
	SecurePort eurekaPort `json:"securePort"`
}

type eurekaPort struct {
	Number  number `json:"$"`
	Enabled word   `json:"@enabled"`
}

// instances may be one alone: the JSON is made from XML.
type instances []eurekaInstance

// UnmarshalJSON reads a list, or one.
func (l *instances) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]eurekaInstance)(l))
	}
	*l = make([]eurekaInstance, 1)
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

// eurekaLimit is how long an answer may take.
const eurekaLimit = 10 * time.Second

// Watch polls.
func (e Eureka) Watch(ctx context.Context, tell Tell) error {
	for {
		var app eurekaApp
		ask := question{e.Client, e.URL + "/apps/" + url.PathEscape(e.App), http.Header{}}
		_, err := ask.fetch(ctx, eurekaLimit, &app)
		var status statusError
		switch {
		case errors.As(err, &status) && status == http.StatusNotFound: // it has no instance
			tell(nil)
		case err != nil:
			return fmt.Errorf("eureka: %w", err)
		default:
			tell(e.endpoints(app.Application.Instance))
		}
		if err := wait(ctx, max(e.Every, leastPause)); err != nil {
			return err
		}
	}
}

func (e Eureka) endpoints(of instances) []Endpoint {
	var list []Endpoint
	for _, i := range of {
		port := i.Port
		if e.Scheme == "https" {
			port = i.SecurePort
		}
		host := i.IPAddr
		if host == "" {
			host = i.HostName
		}
		if i.Status == "UP" && port.Enabled == "true" && port.Number > 0 && host != "" {
			list = append(list, Endpoint{URL: address(e.Scheme, host, int(port.Number)), Name: i.HostName})
		}
	}
	return list
}
