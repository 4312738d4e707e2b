package console

import (
	"net/http"
	"net/url"
	"strings"

	"sluice/gateway/admin"
	"sluice/gateway/cache"
	"sluice/gateway/httpcache"
	"sluice/gateway/purge"
	"sluice/gateway/shared"
)

// guards shows every guard and what it did, or would have done.
func (v *visit) guards() error {
	list, err := all[admin.Guard](v, "guards", nil)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "guards.html", page{Title: "Guards", Data: list})
}

// cachePage is how the caches of answers stand, that of models first.
type cachePage struct {
	cache.Figures
	Routes *httpcache.Figures
	Shared *shared.Figures // nil: replicas share nothing
	Events []purge.Figures // of other systems that purge
	Rate   string          // of the calls that a model's cache applies to, how many it answered
}

func (v *visit) cache() error { return v.showCache(http.StatusOK, form{}, "") }

func (v *visit) showCache(status int, f form, done string) error {
	var p cachePage
	if err := v.get("cache", nil, &p); err != nil {
		return err
	}
	p.Rate = rate(p.Hits+p.Semantic, p.Misses)
	return v.show(status, "cache.html", page{Title: "Cache", Form: f, Done: done, Data: p})
}

// rate is the share of hits, as people say it.
func rate(hits, misses int64) string {
	if hits+misses == 0 {
		return "–"
	}
	return count((hits*100+(hits+misses)/2)/(hits+misses)) + " %"
}

// purge takes answers out of the cache: those that fit everything that is given,
// or all of them.
func (v *visit) purge() error {
	q, fields := url.Values{}, []string{"model", "tag", "key", "prefix"}
	for _, name := range fields {
		if text := strings.TrimSpace(v.PostForm.Get(name)); text != "" {
			q.Set(name, text)
		}
	}
	if v.PostForm.Get("all") == "yes" {
		q = url.Values{"prefix": {""}}
	}
	var out struct {
		Purged int64 `json:"purged"`
	}
	if err := v.do(http.MethodDelete, "cache", q, nil, &out); err != nil {
		f, err := refused("purge", v.PostForm, err, fields...)
		if err != nil {
			return err
		}
		return v.showCache(f.Status, f, "")
	}
	return v.showCache(http.StatusOK, form{}, plural(out.Purged, "answer")+" purged.")
}
