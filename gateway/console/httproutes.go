package console

import (
	"net/http"

	"sluice/gateway/admin"
)

// httpRoutes shows the classic routes, in their order of precedence.
func (v *visit) httpRoutes() error {
	list, err := all[admin.Route](v, "routes", nil)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "routes.html", page{Title: "Routes", Data: list})
}
