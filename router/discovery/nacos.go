package discovery

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Nacos is a service in Nacos, those instances of it that are healthy and
// enabled.
type Nacos struct {
	URL       string // with its context path, such as http://127.0.0.1:8848/nacos
	Service   string
	Namespace string // its id
	Group     string
	Clusters  []string // none: all
	Username  string   // empty: nobody signs in
	Password  string
	Every     time.Duration // between two questions
	Scheme    string        // of the endpoints: http or https
	Client    *http.Client
}

// nacosInstance is an instance as both APIs tell it. Old servers leave healthy
// and enabled out, and say valid.
type nacosInstance struct {
	IP      string   `json:"ip"`
	Port    int      `json:"port"`
	Weight  *float64 `json:"weight"`
	Healthy *bool    `json:"healthy"`
	Valid   *bool    `json:"valid"`
	Enabled *bool    `json:"enabled"`
	Cluster string   `json:"clusterName"`
}

// nacosList is the answer of the client API of Nacos 3 (data), or of the open
// API of Nacos 1 and 2 (hosts).
type nacosList struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    []nacosInstance `json:"data"`
	Hosts   []nacosInstance `json:"hosts"`
}

// nacosToken is the answer to a sign-in. TTL is in seconds.
type nacosToken struct {
	Token string `json:"accessToken"`
	TTL   int64  `json:"tokenTtl"`
}

// nacosSession is what is known of a server while it answers.
type nacosSession struct {
	Nacos
	old   bool   // it has not got the client API, which came with Nacos 3
	token string // empty: none
	renew time.Time
}

// Watch polls: by HTTP Nacos tells of no change (nacos.io/docs/v3.1/manual/user/
// open-api, "2.3", and nacos.io/en-us/docs/open-api.html, "Query instances",
// read 2026-11-30). It asks the client API of Nacos 3, and where there is none
// the open API of Nacos 1 and 2.
func (n Nacos) Watch(ctx context.Context, tell Tell) error {
	s := nacosSession{Nacos: n}
	for {
		list, err := s.instances(ctx)
		if err != nil {
			return fmt.Errorf("nacos: %w", err)
		}
		tell(n.endpoints(list))
		if err := poll(ctx, n.Every); err != nil {
			return err
		}
	}
}

func (s *nacosSession) instances(ctx context.Context) ([]nacosInstance, error) {
	list, err := s.ask(ctx)
	if !s.old && absent(err) {
		s.old, s.token = true, ""
		list, err = s.ask(ctx)
	}
	if status := statusOf(err); s.token != "" && (status == http.StatusUnauthorized || status == http.StatusForbidden) {
		s.token = "" // it may have been given by a server that has another secret now
		list, err = s.ask(ctx)
	}
	return list, err
}

// absent says that an answer comes from a server that has no such path.
func absent(err error) bool {
	return slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented}, statusOf(err))
}

func (s *nacosSession) ask(ctx context.Context) ([]nacosInstance, error) {
	if err := s.signIn(ctx); err != nil {
		return nil, err
	}
	query := url.Values{"serviceName": {s.Service}, "namespaceId": {s.Namespace}, "groupName": {s.Group}}
	path, header := "/v3/client/ns/instance/list?", http.Header{}
	switch {
	case s.old:
		path = "/v1/ns/instance/list?"
		if s.token != "" {
			query.Set("accessToken", s.token)
		}
		if len(s.Clusters) > 0 {
			query.Set("clusters", strings.Join(s.Clusters, ","))
		}
	default:
		if s.token != "" {
			header.Set("accessToken", s.token)
		}
		if len(s.Clusters) == 1 { // of several, it has no word for them
			query.Set("clusterName", s.Clusters[0])
		}
	}
	var list nacosList
	q := question{client: s.Client, address: s.URL + path + query.Encode(), header: header}
	if _, err := q.fetch(ctx, askLimit, &list); err != nil {
		return nil, err
	}
	if list.Code != 0 && !s.old {
		return nil, fmt.Errorf("the registry answered with code %d: %s", list.Code, list.Message)
	}
	return append(list.Data, list.Hosts...), nil
}

// signIn gets a token where one is needed (nacos.io/en/docs/next/manual/user/
// auth, "OpenAPI Credentials", read 2026-11-30), and a new one before its time
// is over.
func (s *nacosSession) signIn(ctx context.Context) error {
	if s.Username == "" || s.token != "" && time.Now().Before(s.renew) {
		return nil
	}
	path := "/v3/auth/user/login"
	if s.old {
		path = "/v1/auth/login"
	}
	var t nacosToken
	q := question{client: s.Client, address: s.URL + path, header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		body: url.Values{"username": {s.Username}, "password": {s.Password}}.Encode()}
	if _, err := q.fetch(ctx, askLimit, &t); err != nil {
		return fmt.Errorf("cannot sign in: %w", err)
	}
	if t.Token == "" {
		return fmt.Errorf("cannot sign in: the answer has no token")
	}
	ttl := time.Duration(min(max(t.TTL, 0), int64(24*time.Hour/time.Second))) * time.Second
	s.token, s.renew = t.Token, time.Now().Add(ttl-ttl/10)
	return nil
}

// finest is what weights are multiplied by where some are fractions, for ours
// are none. Nacos has weights up to 10,000.
const finest = 100

func (n Nacos) endpoints(of []nacosInstance) []Endpoint {
	of = slices.DeleteFunc(of, func(i nacosInstance) bool { return !n.serves(i) })
	times := 1.0
	if slices.ContainsFunc(of, func(i nacosInstance) bool { return i.weight() != math.Trunc(i.weight()) }) {
		times = finest
	}
	list := make([]Endpoint, 0, len(of))
	for _, i := range of {
		list = append(list, Endpoint{URL: address(n.Scheme, i.IP, i.Port), Weight: int(math.Round(min(i.weight()*times, mostWeight)))})
	}
	return list
}

// serves says whether an instance is to be asked: one of weight 0 is not. A
// server that protects a service of which too few are healthy says itself that
// all are.
func (n Nacos) serves(i nacosInstance) bool {
	is := func(word *bool, otherwise bool) bool {
		if word == nil {
			return otherwise
		}
		return *word
	}
	return i.IP != "" && i.Port > 0 && i.weight() > 0 && is(i.Healthy, is(i.Valid, true)) && is(i.Enabled, true) &&
		(len(n.Clusters) == 0 || i.Cluster == "" || slices.Contains(n.Clusters, i.Cluster))
}

// weight is 1 if none is told.
func (i nacosInstance) weight() float64 {
	if i.Weight == nil {
		return 1
	}
	return *i.Weight
}
