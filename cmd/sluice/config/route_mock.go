package config

import (
	"strconv"

	"sluice/gateway/mock"
	"sluice/gateway/proxy"
)

// RouteMock answers with the examples of an OpenAPI document, whose path is
// relative to the configuration's own.
type RouteMock struct {
	OpenAPI     string `json:"openapi"`
	StripPrefix string `json:"strip_prefix"` // of paths that are not in the document as they are

	service *mock.Service
}

// Service is what was in the file.
func (m *RouteMock) Service() *mock.Service { return m.service }

// mocks reads the documents that stand for services. Many routes may name the
// same.
func (l *loader) mocks(c *Config, d *decoder) {
	services := map[string]*mock.Service{}
	for i := range c.Routes {
		m := c.Routes[i].Backend.Mock
		if m == nil || m.OpenAPI == "" {
			continue
		}
		var err error
		if m.service, err = compiled(l, m.OpenAPI, services, mock.New); err != nil {
			d.fault([]string{"routes", strconv.Itoa(i), "backend", "mock", "openapi"}, "%v", err)
		}
	}
}

func (k *checker) routeMock(path []string, m *RouteMock) {
	if m.OpenAPI == "" {
		k.fault(below(path, "openapi"), "is needed: a document of OpenAPI 3.0 or 3.1")
	}
	if m.StripPrefix != "" {
		if err := proxy.CheckPrefix(m.StripPrefix); err != nil {
			k.fault(below(path, "strip_prefix"), "%v", err)
		}
	}
}
