package billing

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPeople(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	teams := []Team{
		{Name: "corp", Tags: People{"nightly": {Budgets: hard(30, "day")}}},
		{Name: "lab", Parent: "corp", Budgets: hard(101, "day"), Users: People{
			"alice": {Budgets: hard(50, "day"), Limits: Limits{RPM: 2}}, Everyone: {Budgets: hard(10, "day")}}},
	}
	keys := []Key{{ID: "1", Name: "ci", Team: "lab"}}
	b, v := book(t, c, teams, keys)
	if err := b.Restore(t.Context(), &memory{}); err != nil {
		t.Fatal(err)
	}
	ci := v.Key("1")
	if ci.For("", nil) != ci || v.Team("corp").For("", nil) != v.Team("corp") {
		t.Error("a call of nobody has an owner of its own")
	}
	granted := func(user string, tags []string, want Nano) Nano {
		h, n, _ := holdUSD(ci.For(user, tags), want, 1)
		h.Settle(Charge{USD: n}, c.at)
		return n
	}
	for _, call := range []struct {
		user string
		tags []string
		want Nano
	}{
		{"bob", nil, 10}, {"bob", nil, 0}, {"carol", []string{"nightly", "nightly", "other"}, 10}, {"alice", []string{"nightly"}, 20},
		{"alice", nil, 30}, {"alice", nil, 0}, {"dave", nil, 10}, {"", []string{"nightly"}, 0}, {"", nil, 21}, {"", nil, 0},
	} {
		if got := granted(call.user, call.tags, 60); got != call.want {
			t.Errorf("%s %v is granted %v, want %v", call.user, call.tags, got, call.want)
		}
	}
	if _, err := ci.For("bob", nil).Hold(Need{USD: 1}); err == nil || !strings.Contains(err.Message, `the budget of user "bob" of team "lab"`) && !strings.Contains(err.Message, `the budget of team "lab"`) {
		t.Errorf("the refusal: %v", err)
	}
	alice := ci.For("alice", nil)
	if alice != ci.For("alice", nil) {
		t.Error("the owner of a user is made for each call")
	}
	for i, want := range []bool{true, true, false} {
		ticket, err := alice.Admit(c.at, Ask{})
		if ticket.Done(Ask{}); (err == nil) != want {
			t.Errorf("call %d: %v", i, err)
		}
	}
	var got []string
	for _, s := range v.People(c.at) {
		got = append(got, fmt.Sprint(s.Owner, " ", s.Spent))
	}
	if want := []string{`tag "nightly" of team "corp" 30`, `user "alice" of team "lab" 50`, `user "bob" of team "lab" 10`, `user "carol" of team "lab" 10`, `user "dave" of team "lab" 10`}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if all := alice.Budgets(c.at); len(all) != 2 || all[0].Owner.User != "alice" || all[1].Owner.Team != "lab" {
		t.Errorf("%+v", all)
	}

	// A new view goes on where the old one was; when nothing counts any more
	// what was kept is forgotten.
	v, err := b.Rebuild(teams, keys)
	if err != nil || !b.Restored() {
		t.Fatal(err, "the ledger is asked for nothing new")
	}
	ci = v.Key("1")
	if granted("bob", nil, 1) != 0 {
		t.Error("a new view forgets what a user has used")
	}
	c.at = c.at.Add(24 * time.Hour)
	for range 3 {
		if v, err = b.Rebuild(teams, keys); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(v.People(c.at)); n != 0 {
		t.Errorf("%d are kept", n)
	}
}

// TestPeopleRestore: all that the ledger has of a window counts, of each user
// by itself.
func TestPeopleRestore(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	l := &memory{}
	for _, e := range []struct {
		team, user, time string
		tags             []string
		cost             Nano
	}{
		{"lab", "bob", "2026-05-15T09:00:00Z", []string{"x"}, 1}, {"lab", "bob", "2026-05-14T09:00:00Z", []string{"x", "y"}, 2}, {"sub", "bob", "2026-05-15T08:00:00Z", nil, 4},
		{"lab", "alice", "2026-05-15T09:00:00Z", nil, 8}, {"lab", "", "2026-05-15T09:00:00Z", nil, 16}, {"other", "bob", "2026-05-15T09:00:00Z", []string{"x"}, 32},
	} {
		l.entries = append(l.entries, Entry{Team: e.team, User: e.user, Tags: e.tags, Time: at(t, e.time), Cost: e.cost})
	}
	teams := []Team{{Name: "lab", Users: People{"alice": {Budgets: hard(1000, "month")}, Everyone: {Budgets: append(hard(1000, "day"), Budget{Requests: 9, Per: "2d"})}},
		Tags: People{Everyone: {Budgets: hard(1000, "total")}}}, {Name: "sub", Parent: "lab"}, {Name: "other"}}
	b, v := book(t, c, teams, nil)
	if b.Restored() {
		t.Error("nothing is to be restored")
	}
	if err := b.Restore(t.Context(), l); err != nil || !b.Restored() {
		t.Fatal(err, b.Restored())
	}
	var got []string
	for _, s := range v.People(c.at) {
		got = append(got, fmt.Sprintf("%s%s %s %s %d", s.Owner.User, s.Owner.Tag, s.Budget.Unit().Name(), s.Budget.Per, s.Spent))
	}
	if want := []string{"x usd total 3", "y usd total 2", "alice usd month 8", "bob usd day 5", "bob requests 2d 3"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

func TestPeopleRefused(t *testing.T) {
	for want, team := range map[string]Team{
		`users: a name is empty`:                 {Users: People{"": {}}},
		`users.bob.budget.usd: -0.000000001 USD`: {Users: People{"bob": {Budgets: hard(-1, "day")}}},
		`tags.*.limits.rpm: -1`:                  {Tags: People{Everyone: {Limits: Limits{RPM: -1}}}},
		`users.*.budget.carry_over: only bu`:     {Users: People{Everyone: {Budgets: Budgets{{USD: 1, Per: "day", CarryOver: true}}}}},
	} {
		team.Name = "a"
		if _, err := NewBook(nil, nil).Rebuild([]Team{team}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestManyPeople: who is beyond the bound shares a budget with the others there.
func TestManyPeople(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	b, v := book(t, c, []Team{{Name: "lab", Users: People{Everyone: {Budgets: hard(10, "day")}}}}, nil)
	for i := range mostPeople - 1 {
		b.people[personName{team: fmt.Sprint(i)}] = &account{}
	}
	lab := v.Team("lab")
	for i, want := range []Nano{10, 10, 0, 0} { // the second takes what all of the others have
		h, got, _ := holdUSD(lab.For(fmt.Sprint("user", i), nil), 10, 1)
		h.Settle(Charge{USD: got}, c.at)
		if got != want {
			t.Errorf("user %d is granted %v, want %v", i, got, want)
		}
	}
}

func TestForAllocatesNothing(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	_, v := book(t, c, []Team{{Name: "lab", Budgets: hard(Dollar, "day")}, {Name: "set", Users: People{Everyone: {Budgets: hard(Dollar, "day")}}}}, nil)
	tags := []string{"a", "b"}
	if n := testing.AllocsPerRun(100, func() { v.Team("lab").For("bob", tags) }); n != 0 {
		t.Errorf("%v allocations for a team that sets nothing for users", n)
	}
	v.Team("set").For("bob", nil)
	if n := testing.AllocsPerRun(100, func() { v.Team("set").For("bob", nil) }); n > 1 {
		t.Errorf("%v allocations for one that does", n)
	}
}
