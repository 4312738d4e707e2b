package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"

	"sluice/gateway/admin"
)

// routesPage is the classic routes, in their order of precedence, and who asks
// for their versions.
type routesPage struct {
	Routes   []admin.Route
	Versions []admin.VersionRow
	More     int // rows that are not shown
}

// Of the last days that many who ask for versions are shown: the report has all.
const (
	versionDays = 30
	mostShown   = 100
)

// httpRoutes shows the routes.
func (v *visit) httpRoutes() error {
	list, err := all[admin.Route](v, "routes", nil)
	if err != nil {
		return err
	}
	p := routesPage{Routes: list}
	for _, r := range list {
		if len(r.Versions) == 0 {
			continue
		}
		var report admin.VersionReport
		since := v.c.Now().AddDate(0, 0, -versionDays).UTC().Format(time.RFC3339)
		if err := v.get("route-versions", url.Values{"from": {since}}, &report); err != nil {
			return err
		}
		slices.SortStableFunc(report.Rows, func(a, b admin.VersionRow) int { return cmp.Compare(urgency(&a), urgency(&b)) })
		p.Versions = report.Rows[:min(len(report.Rows), mostShown)]
		p.More = len(report.Rows) - len(p.Versions)
		break
	}
	return v.show(http.StatusOK, "routes.html", page{Title: "Routes", Data: p})
}

// urgency is less for uses of versions that are to go.
func urgency(w *admin.VersionRow) int {
	if w.Sunset != nil || w.Deprecated != nil {
		return 0
	}
	return 1
}
