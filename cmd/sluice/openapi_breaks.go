package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"sluice/cmd/sluice/config"
	"sluice/gateway/validate"
)

// breaks lists what breaks those callers of routes, in both configurations,
// who kept to the document that the route was held against before.
func breaks(from, to *config.Config) ([]string, error) {
	type pair struct{ was, now *validate.Contract }
	var order []pair
	routes := map[pair][]string{} // many routes may name one document
	for i := range to.Routes {
		r := &to.Routes[i]
		at := slices.IndexFunc(from.Routes, func(c config.Route) bool { return c.Name == r.Name })
		if at < 0 || r.Validate == nil || from.Routes[at].Validate == nil {
			continue
		}
		_, was := from.Routes[at].Validate.Compiled()
		_, now := r.Validate.Compiled()
		if was == nil || now == nil || bytes.Equal(was.Text(), now.Text()) {
			continue
		}
		p := pair{was, now}
		if routes[p] == nil {
			order = append(order, p)
		}
		routes[p] = append(routes[p], r.Name)
	}
	var list []string
	for _, p := range order {
		was, err := parseOpenAPI(p.was.Text())
		if err != nil {
			return nil, err
		}
		now, err := parseOpenAPI(p.now.Text())
		if err != nil {
			return nil, err
		}
		changes, err := compareAPIs(was, now)
		if err != nil {
			return nil, fmt.Errorf("cannot compare the documents of route %s: %w", routes[p][0], err)
		}
		for _, c := range changes {
			if c.Level == isBreaking {
				list = append(list, "route "+strings.Join(routes[p], ", ")+": "+c.line())
			}
		}
	}
	return list, nil
}

// mostWarned bounds what a reload tells of broken callers.
const mostWarned = 20

// warnOfBreaks tells of callers that a configuration breaks which is in force
// all the same, for whoever changed a file has done so.
func (s *server) warnOfBreaks(from, to *config.Config) {
	list, err := breaks(from, to)
	if err != nil {
		s.log.Warn("it is not known whether the new document of a route breaks its callers", "error", err)
	}
	for _, line := range list[:min(len(list), mostWarned)] {
		s.log.Warn("the new document of a route breaks its callers", "change", line)
	}
	if more := len(list) - mostWarned; more > 0 {
		s.log.Warn("the new document of a route breaks its callers in more ways", "count", more)
	}
}
