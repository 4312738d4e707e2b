package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// usageAnswer is GET /v1/usage.
type usageAnswer struct {
	Key     keyUsage               `json:"key"`
	Team    keyUsage               `json:"team"`
	Budgets []billing.BudgetStatus `json:"budgets"`
	Limits  map[string]any         `json:"limits"`
}

type keyUsage struct {
	Name  string          `json:"name"`
	Usage *billing.Report `json:"usage"`
}

// serveUsage tells the caller what its key and its team have used, and may
// still use. Figures come from the ledger, like all others.
func (c *Call) serveUsage() error {
	if err := c.authenticate(); err != nil {
		return err
	}
	args := c.rc.QueryArgs()
	get := func(name string) string { return string(args.Peek(name)) }
	q, err := billing.ParseQuery(get("from"), get("to"), get("group_by"), c.now, c.snap.Settings.Location)
	if bad := (billing.BadQuery{}); errors.As(err, &bad) {
		return schema.Invalid(bad.Field, "%v", bad)
	}
	q.MostRows = billing.LongestReport
	ctx, cancel := context.WithTimeout(c.g.ctx, 10*time.Second)
	defer cancel()
	_ = c.g.spool.Flush(ctx) // what cannot be read yet is missing, not wrong
	ctx = billing.OnBehalf(ctx, billing.Behalf{Teams: []string{c.caller.Key.Team}})
	a := usageAnswer{Budgets: c.caller.Owner.For(c.entry.User, nil).Budgets(c.now), Limits: map[string]any{"key": c.caller.Key.Limits}}
	a.Key.Name, a.Team.Name = c.caller.Label, c.caller.Key.Team
	q.KeyID = c.caller.Key.ID
	if a.Key.Usage, err = c.g.ledger.Usage(ctx, q); err == nil {
		q.KeyID, q.Team = "", c.caller.Key.Team
		a.Team.Usage, err = c.g.ledger.Usage(ctx, q)
	}
	var bad billing.BadQuery
	if errors.As(err, &bad) {
		return schema.Invalid(bad.Field, "%v", bad)
	}
	if err != nil {
		return &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway,
			Message: "the ledger cannot be read now", RetryAfter: 5 * time.Second, Cause: err}
	}
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return c.sendJSON(body)
}
