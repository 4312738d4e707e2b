package billing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Unit is what a budget counts.
type Unit uint8

// The units. An amount of UnitUSD is in Nano.
const (
	UnitUSD Unit = iota
	UnitTokens
	UnitRequests
)

// Name is the unit's field in a budget.
func (u Unit) Name() string { return [...]string{"usd", "tokens", "requests"}[u] }

// Text is an amount of the unit for messages, such as 2.5 USD.
func (u Unit) Text(amount int64) string {
	if u == UnitUSD {
		return Nano(amount).String() + " USD"
	}
	return strconv.FormatInt(amount, 10) + " " + u.Name()
}

// json is an amount as JSON: money as decimal text, the others as numbers.
func (u Unit) json(amount int64) any {
	if u == UnitUSD {
		return Nano(amount)
	}
	return amount
}

// parse reads an amount that is written as text.
func (u Unit) parse(text string) (int64, error) {
	if u == UnitUSD {
		usd, err := ParseUSD(text)
		return int64(usd), err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number of %s", text, u.Name())
	}
	return n, nil
}

// Budget is what may be used in a period: money, tokens (input and output
// together) or requests (those that were admitted). One of the three is given;
// without any it is no money at all.
type Budget struct {
	USD      Nano  `json:"usd"`
	Tokens   int64 `json:"tokens"`
	Requests int64 `json:"requests"`

	Per    Period    `json:"per"`
	WarnAt []float64 `json:"warn_at"` // shares of the amount
	Hard   bool      `json:"hard"`    // refuse what goes beyond
	// Models are patterns: only calls of a model that one of them matches
	// count, and are bound. None: every call.
	Models []string `json:"models"`
	// CarryOver adds what was left of the window before, which is at most the
	// amount: what is carried is not carried again. Not for rolling periods.
	CarryOver bool `json:"carry_over"`
	// TimeZone is an IANA name, whose calendar the period follows; empty: that
	// of the Book.
	TimeZone string `json:"time_zone"`
	Raise    *Raise `json:"raise"`
}

// Raise is what a budget has more until a time.
type Raise struct {
	By    string    `json:"by"` // an amount of the budget's unit
	Until time.Time `json:"until"`
}

// Unit is what the budget counts.
func (b *Budget) Unit() Unit {
	switch {
	case b.Tokens != 0:
		return UnitTokens
	case b.Requests != 0:
		return UnitRequests
	}
	return UnitUSD
}

// Amount is the budget's, in its unit, without what is raised or carried.
func (b *Budget) Amount() int64 {
	switch b.Unit() {
	case UnitTokens:
		return b.Tokens
	case UnitRequests:
		return b.Requests
	}
	return int64(b.USD)
}

// Window is Period.Window on the budget's calendar; loc is that of the Book.
func (b *Budget) Window(now time.Time, loc *time.Location) (since, until time.Time) {
	if b.TimeZone != "" {
		loc, _ = time.LoadLocation(b.TimeZone) // which Check has tried
	}
	return b.Per.Window(now, loc)
}

// raised is the raise in force.
func (b *Budget) raised(now time.Time) int64 {
	if b.Raise == nil || !now.Before(b.Raise.Until) {
		return 0
	}
	by, _ := b.Unit().parse(b.Raise.By) // which Check has tried
	return by
}

// Check finds what cannot be; the error begins with the field's name.
func (b *Budget) Check() error {
	given := 0
	for _, n := range []int64{int64(b.USD), b.Tokens, b.Requests} {
		if n != 0 {
			given++
		}
	}
	unit := b.Unit()
	if given > 1 {
		return fmt.Errorf("%s: one budget counts one thing: give usd, tokens or requests, and a budget more for another", unit.Name())
	}
	if b.Amount() < 0 {
		return fmt.Errorf("%s: %s is negative", unit.Name(), unit.Text(b.Amount()))
	}
	if _, err := ParsePeriod(string(b.Per)); err != nil {
		return fmt.Errorf("per: %w", err)
	}
	for _, share := range b.WarnAt {
		if !(share > 0 && share <= 1000) { // NaN too
			return fmt.Errorf("warn_at: %v is not a share of the budget, such as 0.8", share)
		}
	}
	for _, pattern := range b.Models {
		if pattern == "" {
			return fmt.Errorf("models: a pattern is empty")
		}
	}
	if b.CarryOver && (b.Per == PeriodTotal || b.Per.days() > 0) {
		return fmt.Errorf("carry_over: a budget per %s has no window to carry over from", b.Per)
	}
	if _, err := time.LoadLocation(b.TimeZone); err != nil || b.TimeZone == "Local" {
		return fmt.Errorf("time_zone: %q is not a time zone's name, such as Europe/Berlin", b.TimeZone)
	}
	return b.checkRaise()
}

func (b *Budget) checkRaise() error {
	if b.Raise == nil {
		return nil
	}
	by, err := b.Unit().parse(b.Raise.By)
	switch {
	case err != nil:
		return fmt.Errorf("raise.by: %w", err)
	case by <= 0:
		return fmt.Errorf("raise.by: %q is not more than nothing", b.Raise.By)
	case b.Raise.Until.IsZero():
		return fmt.Errorf("raise.until: a raise wants an end")
	}
	return nil
}

// MarshalJSON leaves out what was not given.
func (b Budget) MarshalJSON() ([]byte, error) {
	unit := b.Unit()
	out := map[string]any{unit.Name(): unit.json(b.Amount()), "per": b.Per, "hard": b.Hard}
	if len(b.WarnAt) > 0 {
		out["warn_at"] = b.WarnAt
	}
	if len(b.Models) > 0 {
		out["models"] = b.Models
	}
	if b.CarryOver {
		out["carry_over"] = true
	}
	if b.TimeZone != "" {
		out["time_zone"] = b.TimeZone
	}
	if b.Raise != nil {
		out["raise"] = b.Raise
	}
	return json.Marshal(out)
}

// Budgets are those of one team or key. In JSON (and in the configuration) one
// budget may stand for itself, without the list.
type Budgets []Budget

// MarshalJSON writes none as null, one as itself, several as a list.
func (l Budgets) MarshalJSON() ([]byte, error) {
	switch len(l) {
	case 0:
		return []byte("null"), nil
	case 1:
		return json.Marshal(l[0])
	}
	return json.Marshal([]Budget(l))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (l *Budgets) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '{' {
		*l = make(Budgets, 1)
		return json.Unmarshal(b, &(*l)[0])
	}
	return json.Unmarshal(b, (*[]Budget)(l))
}

// check finds what cannot be in budgets that one team or key has.
func (l Budgets) check() error {
	at := func(i int) string {
		if len(l) == 1 {
			return "budget"
		}
		return fmt.Sprintf("budget.%d", i)
	}
	for i := range l {
		if err := l[i].Check(); err != nil {
			return fmt.Errorf("%s.%w", at(i), err)
		}
		for j := range l[:i] {
			if l[i].meterKey() == l[j].meterKey() {
				return fmt.Errorf("%s: %s counts the same in the same period", at(i), at(j))
			}
		}
	}
	return nil
}

// plus adds amounts; what would overflow is all that there can be.
func plus(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
