package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dunglas/httpsfv"
)

// message is what a signature is of.
type message struct {
	method string
	scheme string
	host   string
	target string                     // path and query, as they are sent
	header func(name string) []string // the lines of one
}

func messageOf(r *Request) *message {
	return &message{method: string(r.HTTP.Header.Method()), scheme: r.Scheme, host: string(r.HTTP.Host()), target: r.Target,
		header: func(name string) []string { return lines(r.HTTP, name) }}
}

// base writes what was signed (RFC 9421, section 2.5), and names what it covers.
func base(m *message, list *httpsfv.InnerList) (text []byte, covered []string, err error) {
	seen := map[string]bool{}
	for _, item := range list.Items {
		name, ok := item.Value.(string)
		key, marshalErr := httpsfv.Marshal(item)
		if !ok || marshalErr != nil || seen[key] {
			return nil, nil, errors.New("the signature's components are malformed, or one stands twice")
		}
		seen[key] = true
		value, err := component(m, name, item.Params)
		if err != nil {
			return nil, nil, err
		}
		text = append(append(append(append(text, key...), ": "...), value...), '\n')
		covered = append(covered, name)
	}
	params, err := httpsfv.Marshal(httpsfv.List{*list})
	if err != nil {
		return nil, nil, errors.New("the signature's parameters are malformed")
	}
	return append(append(text, `"@signature-params": `...), params...), covered, nil
}

// component is the value of one thing that a signature covers (RFC 9421,
// sections 2.1 and 2.2).
func component(m *message, name string, params *httpsfv.Params) (string, error) {
	if params != nil && len(params.Names()) > 0 {
		return "", fmt.Errorf("the signature covers %q with parameters, which are not known here", name)
	}
	host := strings.ToLower(m.host)
	port := map[string]string{"http": ":80", "https": ":443"}[m.scheme]
	path, query, _ := strings.Cut(m.target, "?")
	switch name {
	case "@method":
		return m.method, nil
	case "@path":
		return path, nil
	case "@query":
		return "?" + query, nil
	case "@request-target":
		return m.target, nil
	case "@scheme":
		return m.scheme, nil
	case "@authority":
		return strings.TrimSuffix(host, port), nil
	case "@target-uri":
		return m.scheme + "://" + host + m.target, nil
	}
	if strings.HasPrefix(name, "@") || strings.ToLower(name) != name {
		return "", fmt.Errorf("the signature covers %q, which is not known here", name)
	}
	values := m.header(name)
	if len(values) == 0 {
		return "", fmt.Errorf("the signature covers the header %q, which is not there", name)
	}
	for i := range values {
		values[i] = strings.TrimSpace(values[i])
	}
	return strings.Join(values, ", "), nil
}
