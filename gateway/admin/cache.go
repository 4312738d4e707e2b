package admin

import (
	"net/http"

	"sluice/gateway/cache"
	"sluice/gateway/httpcache"
	"sluice/gateway/purge"
	"sluice/gateway/shared"
	"sluice/providers/schema"
)

// Purged is what a purge has done.
type Purged struct {
	Purged int64 `json:"purged"` // answers that were in the memory of this replica
	// Replicas is how many were told, this one included; 0: none could be, and all
	// will be when Redis or memcached is back; absent: they share nothing, or all
	// were told over memcached, which does not know how many they are.
	Replicas *int64 `json:"replicas,omitempty"`
}

// cacheOut is how the caches stand: that of models, and that of routes.
type cacheOut struct {
	cache.Figures
	Routes *httpcache.Figures `json:"routes,omitempty"`
	Shared *shared.Figures    `json:"shared,omitempty"` // absent: replicas share nothing
	Events []purge.Figures    `json:"events,omitempty"` // of other systems that purge
}

// showCache tells how the cache of answers stands.
func (a *api) showCache(q *request) error {
	if _, err := q.query(); err != nil {
		return err
	}
	out := cacheOut{Figures: a.Cache.Figures(), Events: a.Cache.Events.Figures()}
	if a.Cache.Routes != nil {
		f := a.Cache.Routes.Figures()
		out.Routes = &f
	}
	if a.Cache.Shared != nil {
		f := a.Cache.Shared.Figures()
		out.Shared = &f
	}
	return q.answer(http.StatusOK, out)
}

// purgeCache takes answers out of the cache: those that fit all that is given.
func (a *api) purgeCache(q *request) error {
	values, err := q.query("tag", "key", "prefix", "model")
	if err != nil {
		return err
	}
	for _, name := range []string{"tag", "key", "model"} {
		if values.Has(name) && values.Get(name) == "" {
			return schema.Invalid(name, "%s is empty", name)
		}
	}
	if len(values) == 0 {
		return schema.Invalid("prefix", "say what to purge by tag, key, prefix or model; an empty prefix purges every answer")
	}
	out := a.Cache.Purge(q.Context(), shared.Purge{Key: values.Get("key"), Prefix: values.Get("prefix"), Model: values.Get("model"), Tag: values.Get("tag")})
	a.Log.Info("cached answers are purged", "purged", out.Purged, "query", q.URL.RawQuery)
	return q.answer(http.StatusOK, out)
}
