package admin

import (
	"net/http"
	"slices"
)

func (a *api) listGuards(q *request) error {
	values, err := q.query("limit", "after")
	if err != nil {
		return err
	}
	l, err := page(values, slices.Clone(a.View().Guards), func(g *Guard) string { return g.Name })
	if err != nil {
		return err
	}
	for i := range l.Data {
		l.Data[i].On, l.Data[i].Models = notNil(l.Data[i].On), notNil(l.Data[i].Models)
	}
	return q.answer(http.StatusOK, l)
}
