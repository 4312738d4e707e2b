package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Kubernetes is a Service, by its EndpointSlices.
type Kubernetes struct {
	URL       string // of the API server
	Namespace string
	Service   string
	Port      string // its name or number; empty: the first
	Token     string // empty: none
	Scheme    string // of the endpoints: http or https
	Client    *http.Client
}

// slice is an EndpointSlice of discovery.k8s.io/v1 (kubernetes.io/docs/
// reference/kubernetes-api/service-resources/endpoint-slice-v1, read
// 2026-11-30), or what a list or an event has in its place.
type slice struct {
	Metadata struct {
		Name            string `json:"name"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	AddressType string `json:"addressType"`
	Endpoints   []struct {
		Addresses  []string `json:"addresses"`
		Conditions struct {
			Ready *bool `json:"ready"` // nil: it is
		} `json:"conditions"`
	} `json:"endpoints"`
	Ports []struct {
		Name string `json:"name"`
		Port int    `json:"port"`
	} `json:"ports"`
	Code    int    `json:"code"`    // of a Status
	Message string `json:"message"` // likewise
}

type sliceList struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Items []slice `json:"items"`
}

// sliceEvent is a line of a watch.
type sliceEvent struct {
	Type   string `json:"type"`
	Object slice  `json:"object"`
}

// A watch ends by itself after watchTime, and goes on from where it was.
const (
	watchTime = 4 * time.Minute
	listLimit = 20 * time.Second
)

// errGone says that a resourceVersion is too old to go on from.
var errGone = errors.New("kubernetes: the version is gone")

// Watch lists the slices, then follows what changes from there on (kubernetes.io/
// docs/reference/using-api/api-concepts, "Efficient detection of changes").
// Where that is no longer possible it lists them anew.
func (k Kubernetes) Watch(ctx context.Context, tell Tell) error {
	for {
		slices, version, err := k.list(ctx)
		if err != nil {
			return fmt.Errorf("kubernetes: %w", err)
		}
		tell(k.endpoints(slices))
		for err == nil {
			began := time.Now()
			if version, err = k.follow(ctx, version, slices, tell); err == nil && time.Since(began) < leastPause {
				err = wait(ctx, leastPause)
			}
		}
		if !errors.Is(err, errGone) {
			return err
		}
		if err := wait(ctx, leastPause); err != nil {
			return err
		}
	}
}

func (k Kubernetes) address(query url.Values) string {
	query.Set("labelSelector", "kubernetes.io/service-name="+k.Service)
	return k.URL + "/apis/discovery.k8s.io/v1/namespaces/" + url.PathEscape(k.Namespace) + "/endpointslices?" + query.Encode()
}

func (k Kubernetes) header() http.Header {
	h := http.Header{}
	if k.Token != "" {
		h.Set("Authorization", "Bearer "+k.Token)
	}
	return h
}

func (k Kubernetes) list(ctx context.Context) (map[string]slice, string, error) {
	var l sliceList
	ask := question{client: k.Client, address: k.address(url.Values{}), header: k.header()}
	if _, err := ask.fetch(ctx, listLimit, &l); err != nil {
		return nil, "", err
	}
	slices := make(map[string]slice, len(l.Items))
	for _, s := range l.Items {
		slices[s.Metadata.Name] = s
	}
	return slices, l.Metadata.ResourceVersion, nil
}

// follow takes events in until the watch ends, and returns the version to go on
// from.
func (k Kubernetes) follow(ctx context.Context, version string, slices map[string]slice, tell Tell) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, watchTime+30*time.Second)
	defer cancel()
	ask := question{client: k.Client, header: k.header(), address: k.address(url.Values{"watch": {"1"}, "allowWatchBookmarks": {"true"},
		"resourceVersion": {version}, "timeoutSeconds": {strconv.Itoa(int(watchTime.Seconds()))}})}
	r, err := ask.open(ctx)
	if statusOf(err) == http.StatusGone {
		return "", errGone
	}
	if err != nil {
		return "", fmt.Errorf("kubernetes: %w", err)
	}
	defer r.Body.Close()
	body := &io.LimitedReader{R: r.Body}
	for lines := json.NewDecoder(body); ; {
		var e sliceEvent
		body.N = mostAnswer // for each event
		switch err := lines.Decode(&e); {
		case err != nil && body.N <= 0:
			return "", fmt.Errorf("kubernetes: an event is longer than %d bytes", mostAnswer)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return version, nil
		case err != nil:
			return "", fmt.Errorf("kubernetes: cannot read an event: %w", without(err))
		}
		switch e.Type {
		case "ADDED", "MODIFIED":
			slices[e.Object.Metadata.Name] = e.Object
		case "DELETED":
			delete(slices, e.Object.Metadata.Name)
		case "BOOKMARK":
		case "ERROR":
			if e.Object.Code == http.StatusGone {
				return "", errGone
			}
			return "", fmt.Errorf("kubernetes: the watch was ended: %s", e.Object.Message)
		default:
			continue
		}
		if v := e.Object.Metadata.ResourceVersion; v != "" {
			version = v
		}
		tell(k.endpoints(slices))
	}
}

// endpoints are the addresses that are ready, of all slices.
func (k Kubernetes) endpoints(slices map[string]slice) []Endpoint {
	var list []Endpoint
	for _, s := range slices {
		port := k.port(s)
		if port == 0 || s.AddressType == "FQDN" {
			continue
		}
		for _, e := range s.Endpoints {
			if len(e.Addresses) > 0 && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				list = append(list, Endpoint{URL: address(k.Scheme, strings.Trim(e.Addresses[0], "[]"), port)})
			}
		}
	}
	return list
}

// port is the one that is wanted of a slice; 0: it has none such.
func (k Kubernetes) port(s slice) int {
	for _, p := range s.Ports {
		if k.Port == "" || k.Port == p.Name || k.Port == strconv.Itoa(p.Port) {
			return p.Port
		}
	}
	return 0
}
