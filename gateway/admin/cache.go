package admin

import (
	"net/http"

	"sluice/gateway/cache"
	"sluice/gateway/httpcache"
	"sluice/providers/schema"
)

// purgedOut is how many answers a purge took out.
type purgedOut struct {
	Purged int64 `json:"purged"`
}

// cacheOut is how the caches stand: that of models, and that of routes.
type cacheOut struct {
	cache.Figures
	Routes *httpcache.Figures `json:"routes,omitempty"`
}

// showCache tells how the cache of answers stands.
func (a *api) showCache(q *request) error {
	if _, err := q.query(); err != nil {
		return err
	}
	out := cacheOut{Figures: a.Cache.Figures()}
	if a.Cache.Routes != nil {
		f := a.Cache.Routes.Figures()
		out.Routes = &f
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
	n := a.Cache.Purge(cache.Selection{Key: values.Get("key"), Prefix: values.Get("prefix"), Model: values.Get("model"), Tag: values.Get("tag")})
	if a.Cache.Routes != nil && !values.Has("model") {
		n += a.Cache.Routes.Purge(httpcache.Selection{URI: values.Get("key"), Prefix: values.Get("prefix"), Tag: values.Get("tag")})
	}
	a.Log.Info("cached answers are purged", "purged", n, "query", q.URL.RawQuery)
	return q.answer(http.StatusOK, purgedOut{n})
}
