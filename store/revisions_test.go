package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
)

// Only as many revisions are kept as wanted, and only the secrets that they
// name; numbers never come again.
func TestRevisions(t *testing.T) {
	s := testStore(t).Revisions()
	key, err := s.MaskKey(t.Context())
	if err != nil || len(key) < 20 {
		t.Fatalf("%q, %v", key, err)
	}
	if again, err := s.MaskKey(t.Context()); err != nil || again != key {
		t.Errorf("the key changes: %q, %v", again, err)
	}
	if _, err := s.RevisionText(t.Context(), 0); !errors.Is(err, billing.ErrNotFound) {
		t.Errorf("no revision yet: %v", err)
	}
	for i := range 5 {
		name := fmt.Sprintf("n%d", i+1)
		r := admin.RevisionText{Revision: admin.Revision{Created: time.Unix(int64(i), 0).UTC(), Author: "admin", Message: "m", Digest: name, Source: "store"},
			Text: "a: ${kept:" + name + "}"}
		if n, err := s.AddRevision(t.Context(), r, map[string]string{name: "secret"}, 3); err != nil || n != int64(i+1) {
			t.Fatalf("revision %d, %v", n, err)
		}
	}
	list, err := s.ListRevisions(t.Context())
	if err != nil || len(list) != 3 || list[0].N != 5 || list[2].N != 3 || list[0].Author != "admin" || !list[0].Created.Equal(time.Unix(4, 0)) {
		t.Errorf("%+v, %v", list, err)
	}
	kept, err := s.KeptSecrets(t.Context())
	if err != nil || len(kept) != 3 || kept["n5"] != "secret" || kept["n2"] != "" {
		t.Errorf("%v, %v", kept, err)
	}
	if err := s.DropRevision(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if r, err := s.RevisionText(t.Context(), 0); err != nil || r.N != 4 || r.Text != "a: ${kept:n4}" {
		t.Errorf("%+v, %v", r, err)
	}
	if n, err := s.AddRevision(t.Context(), admin.RevisionText{Revision: admin.Revision{Created: time.Now()}}, nil, 3); err != nil || n != 6 {
		t.Errorf("the number of a revision that was taken back comes again: %d, %v", n, err)
	}
	for range 10 { // each gives its connection back
		if r, err := s.RevisionText(t.Context(), 4); err != nil || r.N != 4 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if _, err := s.RevisionText(t.Context(), 2); !errors.Is(err, billing.ErrNotFound) {
		t.Errorf("revision 2: %v", err)
	}
}
