package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"reflect"
	"testing"
	"time"

	"sluice/billing"
)

func key(id, value string) billing.Key {
	return billing.Key{ID: id, Hash: sha256.Sum256([]byte(value)), Prefix: "sk-sl-" + id, Team: "research", Name: "ci",
		Models: []string{"fast"}, Prompts: []string{"p"}, Roles: []string{"r"}, IPs: []string{"10.0.0.0/8"},
		Limits: billing.Limits{RPM: 60, TPM: 5, Parallel: 2}, Budgets: billing.Budgets{{USD: 20 * billing.Dollar, Per: "day",
			WarnAt: []float64{0.8}, Hard: true}}, Created: noon, Expires: noon.Add(time.Hour), Source: "store"}
}

func TestTeams(t *testing.T) {
	ctx, s := context.Background(), testStore(t).Tenants()
	team := billing.Team{Name: "research", Parent: "engineering", Models: []string{"claude/*"}, Limits: billing.Limits{RPM: 1}, Weight: 3,
		Budgets: billing.Budgets{{USD: 1, Per: "30d"}}, Source: "store", Created: noon}
	other := billing.Team{Name: "ops", Source: "store", Created: noon}
	for _, put := range []billing.Team{team, other, team} {
		if err := s.PutTeam(ctx, put); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Teams(ctx)
	if err != nil || !reflect.DeepEqual(got, []billing.Team{other, team}) {
		t.Errorf("Teams = %+v, %v", got, err)
	}
	team.Parent, team.Budgets = "", nil
	if err := s.PutTeam(ctx, team); err != nil {
		t.Fatal(err)
	}
	if got, _ = s.Teams(ctx); !reflect.DeepEqual(got[1], team) {
		t.Errorf("after its change the team is %+v", got[1])
	}
}

func TestDeleteTeamTakesItsKeys(t *testing.T) {
	ctx, s := context.Background(), testStore(t).Tenants()
	other := key("k2", "b")
	other.Team = "ops"
	for _, err := range []error{s.PutTeam(ctx, billing.Team{Name: "research"}), s.PutKey(ctx, key("k1", "a")), s.PutKey(ctx, other),
		s.DeleteTeam(ctx, "research")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if keys, err := s.Keys(ctx); err != nil || len(keys) != 1 || keys[0].ID != "k2" {
		t.Errorf("Keys = %+v, %v", keys, err)
	}
	if err := s.DeleteTeam(ctx, "research"); !errors.Is(err, billing.ErrNotFound) {
		t.Errorf("deleting it again = %v", err)
	}
}

func TestKeys(t *testing.T) {
	ctx, s := context.Background(), testStore(t).Tenants()
	k := key("k1", "a")
	if err := s.PutKey(ctx, k); err != nil {
		t.Fatal(err)
	}
	salted := func() billing.Key {
		as := k
		as.Hash, as.Salted = s.salt.Of(k.Hash), true
		return as
	}
	got, err := s.Keys(ctx)
	if err != nil || !reflect.DeepEqual(got, []billing.Key{salted()}) {
		t.Errorf("Keys = %+v, %v\nwant %+v", got, err, salted())
	}
	if err := s.PutKey(ctx, key("k2", "a")); !errors.Is(err, billing.ErrConflict) {
		t.Errorf("a second key with the same hash = %v", err)
	}
	k.Hash, k.Revoked = sha256.Sum256([]byte("b")), noon
	if err := s.PutKey(ctx, k); err != nil {
		t.Fatal(err)
	}
	if got, _ = s.Keys(ctx); len(got) != 1 || !reflect.DeepEqual(got[0], salted()) {
		t.Errorf("after its change the key is %+v", got)
	}
	if err := s.PutKey(ctx, got[0]); err != nil { // as it was read
		t.Fatal(err)
	}
	if got, _ = s.Keys(ctx); len(got) != 1 || !reflect.DeepEqual(got[0], salted()) {
		t.Errorf("after it was written as it was read the key is %+v", got)
	}
}

func TestTouchKeys(t *testing.T) {
	ctx, s := context.Background(), testStore(t).Tenants()
	if err := s.PutKey(ctx, key("k1", "a")); err != nil {
		t.Fatal(err)
	}
	touch := func(at time.Time) time.Time {
		t.Helper()
		if err := s.TouchKeys(ctx, map[string]time.Time{"k1": at, "unknown": at}); err != nil {
			t.Fatal(err)
		}
		keys, err := s.Keys(ctx)
		if err != nil || len(keys) != 1 {
			t.Fatal(keys, err)
		}
		return keys[0].LastUsed
	}
	if got := touch(noon); !got.Equal(noon) {
		t.Errorf("last used %v, want %v", got, noon)
	}
	if got := touch(noon.Add(-time.Hour)); !got.Equal(noon) {
		t.Errorf("an earlier time took its place: %v", got)
	}
	if err := s.PutKey(ctx, key("k1", "a")); err != nil {
		t.Fatal(err)
	}
	if got := touch(noon.Add(-time.Hour)); !got.Equal(noon) {
		t.Errorf("a change of the key forgot its last use: %v", got)
	}
}
