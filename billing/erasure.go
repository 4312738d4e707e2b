package billing

import (
	"errors"
	"time"
)

// ErasedUser stands in place of the name of a user that was erased.
const ErasedUser = "(erased)"

// Erasure says what of the ledger is to be erased.
//
// Without a user, entries themselves go; their sums stay, by hour, team, key,
// model and all else but the user, so that every report, budget and proof is
// what it was. With a user, entries stay and lose the user's name and the
// request id that the caller chose. Corrections stay, without the user's name.
type Erasure struct {
	Team   string    // whose entries, those of teams below it not included
	User   string    // empty: of all users, and of none
	Before time.Time // entries before it; zero: of all times, only with a User
}

// Check finds what cannot be erased: BadQuery, naming the field.
func (e *Erasure) Check(now time.Time) error {
	switch {
	case e.Team == "":
		return badField("team", "team is needed")
	case e.User == "" && e.Before.IsZero():
		return BadQuery{Err: errors.New("give a user, or the time before which entries are erased, or both")}
	case e.User == ErasedUser:
		return badField("user", "user: it is erased already")
	case e.Before.After(now):
		return badField("before", "before: it is in the future")
	}
	return nil
}

// Erased tells what was erased.
type Erased struct {
	Entries int64 `json:"entries"`
	USD     Nano  `json:"usd"` // what they cost, which stays in every sum
}
