package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/providers/schema"
)

// teamOut is a team as it is shown.
type teamOut struct {
	Name    string                 `json:"name"`
	Parent  string                 `json:"parent,omitempty"`
	Models  []string               `json:"models"`
	Limits  billing.Limits         `json:"limits"`
	Weight  int64                  `json:"weight"`
	Budget  billing.Budgets        `json:"budget"`
	Users   billing.People         `json:"users,omitempty"`
	Tags    billing.People         `json:"tags,omitempty"`
	Budgets []billing.BudgetStatus `json:"budgets"` // its own and those above it
	Spent   spent                  `json:"spent"`
	Keys    int                    `json:"keys"` // in force
	Created time.Time              `json:"created,omitzero"`
	Source  string                 `json:"source"`
}

// spent is what a team and those below it have spent in the window of its
// first budget of money, or in this month if it has none.
type spent struct {
	USD   billing.Nano `json:"usd"`
	Since time.Time    `json:"since,omitzero"`
	Until time.Time    `json:"until,omitzero"`
}

// teamIn is a team as it is sent. What the server alone knows may be sent back
// as it was read, and is ignored.
type teamIn struct {
	Name   string         `json:"name"`
	Parent string         `json:"parent"`
	Models []string       `json:"models"`
	Limits billing.Limits `json:"limits"`
	Weight int64          `json:"weight"` // 0: 1
	Budget budgetsIn      `json:"budget"`
	Users  peopleIn       `json:"users"`
	Tags   peopleIn       `json:"tags"`

	Budgets json.RawMessage `json:"budgets"`
	Spent   json.RawMessage `json:"spent"`
	Keys    json.RawMessage `json:"keys"`
	Created json.RawMessage `json:"created"`
	Source  json.RawMessage `json:"source"`
}

func (in *teamIn) team() (billing.Team, error) {
	t := billing.Team{Name: in.Name, Parent: in.Parent, Models: in.Models, Limits: in.Limits, Weight: max(in.Weight, 1), Source: "store"}
	if err := checkName("name", in.Name); err != nil {
		return t, err
	}
	if err := in.readBack(); err != nil {
		return t, err
	}
	if in.Weight < 0 || in.Weight > billing.MaxWeight {
		return t, schema.Invalid("weight", "weight %d is not a whole number from 1 to %d", in.Weight, billing.MaxWeight)
	}
	if err := checkPatterns("models", in.Models); err != nil {
		return t, err
	}
	var err error
	if t.Budgets, err = in.Budget.budgets("budget"); err != nil {
		return t, err
	}
	if t.Users, err = in.Users.people("users"); err != nil {
		return t, err
	}
	t.Tags, err = in.Tags.people("tags")
	return t, err
}

// readBack refuses what looks like something that can be set and is not: it
// would be ignored.
func (in *teamIn) readBack() error {
	for i, b := range gjson.ParseBytes(in.Budgets).Array() {
		if b.Type != gjson.Null && !b.Get("owner").Exists() {
			return schema.Invalid("budgets", "budgets.%d: budgets are how those of a team and its parents stand, and are only read; set budget, which is an object or a list", i)
		}
	}
	if keys := gjson.ParseBytes(in.Keys); keys.Exists() && keys.Type != gjson.Null && keys.Type != gjson.Number {
		return schema.Invalid("keys", "keys is how many there are, and is only read; POST /admin/v1/keys makes one")
	}
	return nil
}

// names are those of teams and keys: no slash, which parts a key's label, and
// nothing that a shell, a URL or a CSV file must quote.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$`)

func checkName(field, name string) error {
	if names.MatchString(name) {
		return nil
	}
	if name == "" {
		return schema.Invalid(field, "%s is required", field)
	}
	return schema.Invalid(field, "%s %.80q must be 1 to 64 letters, digits or . _ @ + -, and begin with a letter or digit", field, name)
}

// checkPatterns looks at a list of name patterns.
func checkPatterns(field string, patterns []string) error {
	for _, p := range patterns {
		if p == "" || len(p) > 200 {
			return schema.Invalid(field, "%s: a pattern must have 1 to 200 characters", field)
		}
	}
	return nil
}

func (a *api) listTeams(q *request) error {
	values, err := q.query("limit", "after")
	if err != nil {
		return err
	}
	view := a.View()
	own := slices.DeleteFunc(slices.Clone(view.Teams), func(t billing.Team) bool { return !q.id.Owns(t.Name) })
	l, err := page(values, own, func(t *billing.Team) string { return t.Name })
	if err != nil {
		return err
	}
	month, err := a.monthByTeam(a.behalf(q, view.below(q.id.Team)...))
	if err != nil {
		return err
	}
	keys := a.keysByTeam(&view)
	out := list[teamOut]{Data: make([]teamOut, len(l.Data)), Next: l.Next}
	for i := range l.Data {
		out.Data[i] = a.showTeamOf(&view, &l.Data[i], month)
		out.Data[i].Keys = keys[l.Data[i].Name]
	}
	return q.answer(http.StatusOK, out)
}

func (a *api) showTeam(q *request) error {
	view := a.View()
	t, err := a.ownTeam(q, &view)
	if err != nil {
		return err
	}
	return a.answerTeam(q, http.StatusOK, &view, t)
}

// ownTeam is the team that the path names. Those of others do not exist for a
// team-owner.
func (a *api) ownTeam(q *request, view *View) (*billing.Team, error) {
	name := q.PathValue("name")
	t := view.Team(name)
	if t == nil || !q.id.Owns(name) {
		return nil, errNotFound("there is no team %q", name)
	}
	return t, nil
}

func (a *api) answerTeam(q *request, status int, view *View, t *billing.Team) error {
	month, err := a.monthByTeam(a.behalf(q, view.below(q.id.Team)...))
	if err != nil {
		return err
	}
	out := a.showTeamOf(view, t, month)
	out.Keys = a.keysByTeam(view)[t.Name]
	return q.answer(status, out)
}

// keysByTeam is how many keys in force each team has.
func (a *api) keysByTeam(view *View) map[string]int {
	n, now := map[string]int{}, a.Now()
	for i := range view.Keys {
		if k := &view.Keys[i]; k.InForce(now) {
			n[k.Team]++
		}
	}
	return n
}

// monthByTeam is what each team spent this month, from the ledger.
func (a *api) monthByTeam(ctx context.Context) (map[string]billing.Nano, error) {
	a.flush(ctx)
	since, until := billing.PeriodMonth.Window(a.Now(), a.Location())
	report, err := a.Ledger.Usage(ctx, billing.Query{From: since, To: until, GroupBy: []string{"team"}, Location: a.Location()})
	if err != nil {
		return nil, err
	}
	sums := make(map[string]billing.Nano, len(report.Rows))
	for _, row := range report.Rows {
		sums[row.Values[0]] += row.USD
	}
	return sums, nil
}

func (a *api) showTeamOf(view *View, t *billing.Team, month map[string]billing.Nano) teamOut {
	out := teamOut{Name: t.Name, Parent: t.Parent, Models: notNil(t.Models), Limits: t.Limits, Weight: max(t.Weight, 1), Budget: t.Budgets, Users: t.Users, Tags: t.Tags,
		Budgets: []billing.BudgetStatus{}, Created: t.Created, Source: t.Source}
	for at := t; at != nil; at = view.Team(at.Parent) {
		out.Budgets = append(out.Budgets, budgetsOf(view, billing.OwnerName{Team: at.Name})...)
	}
	for _, own := range out.Budgets {
		if b := &own.Budget; own.Owner.Team == t.Name && b.Unit() == billing.UnitUSD && len(b.Models) == 0 {
			out.Spent.USD = billing.Nano(own.Spent)
			out.Spent.Since, out.Spent.Until = b.Window(a.Now(), a.Location())
			return out
		}
	}
	out.Spent.Since, out.Spent.Until = billing.PeriodMonth.Window(a.Now(), a.Location())
	for _, other := range view.Teams {
		if isBelow(view, other.Name, t.Name) {
			out.Spent.USD += month[other.Name]
		}
	}
	return out
}

// isBelow tells whether a team is another or one of its descendants.
func isBelow(view *View, name, above string) bool {
	for t := view.Team(name); t != nil; t = view.Team(t.Parent) {
		if t.Name == above {
			return true
		}
	}
	return false
}

func (a *api) createTeam(q *request) error {
	var in teamIn
	if err := q.read(&in); err != nil {
		return err
	}
	t, err := in.team()
	if err != nil {
		return err
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	if view := a.View(); view.Team(t.Name) != nil {
		return errConflict("there is a team %q already", t.Name)
	}
	t.Created = a.Now().UTC()
	return a.storeTeam(q, t, http.StatusCreated)
}

func (a *api) putTeam(q *request) error {
	in := teamIn{Name: q.PathValue("name")}
	if err := q.read(&in); err != nil {
		return err
	}
	if in.Name != q.PathValue("name") {
		return schema.Invalid("name", "name %q is not the one in the path; a team cannot be renamed", in.Name)
	}
	t, err := in.team()
	if err != nil {
		return err
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	view := a.View()
	old := view.Team(t.Name)
	if q.id.Role == RoleTeamOwner {
		if !q.id.Owns(t.Name) || old == nil {
			return forbidden("a team-owner may change its own team only")
		}
		if err := withinTerms(old, &t); err != nil {
			return err
		}
	}
	status := http.StatusOK
	switch {
	case old == nil:
		t.Created, status = a.Now().UTC(), http.StatusCreated
	case old.Source == "file":
		return errDeclared("team", t.Name)
	default:
		t.Created = old.Created
	}
	return a.storeTeam(q, t, status)
}

// storeTeam checks a team with all others, stores it and puts it in force.
func (a *api) storeTeam(q *request, t billing.Team, status int) error {
	view := a.View()
	teams := slices.DeleteFunc(slices.Clone(view.Teams), func(other billing.Team) bool { return other.Name == t.Name })
	if err := check(append(teams, t), view.Keys); err != nil {
		return err
	}
	ctx := context.WithoutCancel(q.Context()) // half a change must not be
	if err := a.Tenants.PutTeam(ctx, t); err != nil {
		return err
	}
	if err := a.apply(ctx); err != nil {
		return err
	}
	view = a.View()
	return a.answerTeam(q, status, &view, &t)
}

func (a *api) deleteTeam(q *request) error {
	if _, err := q.query(); err != nil {
		return err
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	view := a.View()
	t, err := a.ownTeam(q, &view)
	if err != nil {
		return err
	}
	if t.Source == "file" {
		return errDeclared("team", t.Name)
	}
	for _, k := range view.Keys {
		if k.Team == t.Name && k.InForce(a.Now()) {
			return errConflict("team %q has keys, such as %q: revoke them first", t.Name, k.Name)
		}
	}
	for _, other := range view.Teams {
		if other.Parent == t.Name {
			return errConflict("team %q is the parent of %q: give that another parent first", t.Name, other.Name)
		}
	}
	ctx := context.WithoutCancel(q.Context())
	if err := a.Tenants.DeleteTeam(ctx, t.Name); err != nil {
		return err
	}
	if err := a.apply(ctx); err != nil {
		return err
	}
	return q.done()
}

// errDeclared refuses a change of what the file declares.
func errDeclared(what, name string) error {
	return errConflict("%s %q is declared in the configuration: change it in the configuration file, or where the store leads by PUT /admin/v1/config", what, name)
}

// check is the check that the running book makes of all teams and keys.
func check(teams []billing.Team, keys []billing.Key) error {
	if _, err := billing.NewBook(nil, nil).Rebuild(teams, keys); err != nil {
		return schema.Invalid("", "%v", err)
	}
	return nil
}

// apply puts in force what was stored.
func (a *api) apply(ctx context.Context) error {
	err := a.Changed(ctx)
	if err == nil {
		return nil
	}
	a.Log.Error("a change was stored but is not in force", "error", err)
	return &schema.Error{Code: schema.CodeInternal, Status: http.StatusInternalServerError, Origin: schema.OriginGateway,
		Message: "the change is stored but not in force yet; the log tells why", Cause: err}
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
