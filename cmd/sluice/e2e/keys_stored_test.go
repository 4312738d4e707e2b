package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tidwall/gjson"

	"sluice/billing"
)

// dump is all that is in the database, as text: a line for each row of each
// table, bytes in hexadecimal.
func (d *database) dump() (rows []string, tables int) {
	d.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	texts := func(query string) []string {
		d.t.Helper()
		found, err := conn.Query(ctx, query)
		if err != nil {
			d.t.Fatal(err)
		}
		list, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			d.t.Fatal(err)
		}
		return list
	}
	names := texts("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
	for _, name := range names {
		for _, row := range texts("SELECT r::text FROM " + pgx.Identifier{name}.Sanitize() + " r") {
			rows = append(rows, name+" "+row)
		}
	}
	return rows, len(names)
}

// written is all that a gateway has written to its logs and below its directory,
// but for its configuration.
func (g *gateway) written() (all []string) {
	g.t.Helper()
	all = append(all, g.stderr.String(), g.stdout.String())
	err := filepath.WalkDir(g.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || path == g.file() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, string(b))
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return all
}

// portalKey signs in to the portal with a key and makes another.
func (g *gateway) portalKey(key, name string) (secret string) {
	g.t.Helper()
	d := &desk{gateway: g, root: "http://" + g.listen + "/portal", home: "/keys"}
	b := d.browse()
	if r := d.page(b, "POST", "/sign-in", "key="+key, "Content-Type", "application/x-www-form-urlencoded"); r.status != 200 {
		g.t.Fatalf("sign-in: %d %s", r.status, r.body)
	}
	made := d.submit(b, "/keys", url.Values{"name": {name}})
	found := secretShown.FindStringSubmatch(made.body)
	if made.status != 201 || found == nil {
		g.t.Fatalf("%d %s", made.status, made.body)
	}
	return found[1]
}

// Keys are kept as salted hashes: neither they nor their bare hashes are in the
// database, in what the replicas log or in their files, whoever made them. One
// that is revoked is refused by all replicas soon.
func TestKeysAreStoredSalted(t *testing.T) {
	d := startDatabase(t)
	all := d.replicas(3, providers+"teams:\n  t: {keys: [{name: k, value: \"${TEAM_KEY}\"}]}\n", "TEAM_KEY="+teamKey)
	create := func(g *gateway, method, path, body string) gjson.Result {
		t.Helper()
		a := g.api(method, path, body)
		if a.status != 201 {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
		return gjson.Parse(a.body)
	}
	const foreign = "a-key-from-elsewhere"
	ours := billing.HashKey(foreign)
	hash := hex.EncodeToString(ours[:])
	byAPI := create(all[0], "POST", "keys", `{"team":"t","name":"api"}`)
	rotated := create(all[0], "POST", "keys/"+byAPI.Get("id").String()+"/rotate", `{"grace":"1h"}`)
	create(all[0], "POST", "keys", `{"team":"t","name":"foreign","hash":"sha256:`+hash+`"}`)
	if a := all[0].api("POST", "keys", `{"team":"t","name":"again","hash":"`+hash+`"}`); a.status != 409 {
		t.Errorf("a key that is there already: %d %s", a.status, a.body)
	}
	byPortal := all[0].portalKey(byAPI.Get("key").String(), "portal")
	keys := []string{teamKey, byAPI.Get("key").String(), rotated.Get("key").String(), byPortal, foreign}
	for i, g := range all {
		for _, key := range keys {
			if !eventually(20*time.Second, func() bool { return g.statusOf(key) == 200 }) {
				t.Fatalf("replica %d refuses %s", i, billing.ShownPrefix(key))
			}
			g.inManyPlaces(key)
		}
		if !eventually(20*time.Second, func() bool { return g.metric("sluice_spool_records") == "0" }) {
			t.Fatalf("replica %d keeps its records", i)
		}
	}
	rows, tables := d.dump()
	texts := rows
	for _, g := range all {
		texts = append(texts, g.written()...)
	}
	has := func(what string) (in string) {
		for _, text := range texts {
			if strings.Contains(text, what) {
				return text
			}
		}
		return ""
	}
	if has("api") == "" || has("keys (") == "" || has(billing.ShownPrefix(byPortal)) == "" {
		t.Fatalf("the dump of %d rows of %d tables is not whole", len(rows), tables)
	}
	for _, key := range keys {
		sum := sha256.Sum256([]byte(key))
		for how, form := range map[string]string{"plain": key, "hexadecimal": hex.EncodeToString([]byte(key)), "base64": base64.RawStdEncoding.EncodeToString([]byte(key))[:len(key)],
			"its secret part": key[len(key)/2:], "its bare hash": hex.EncodeToString(sum[:]), "its bare hash, in bytes": string(sum[:])} {
			if in := has(form); in != "" {
				t.Errorf("%s, %s, is in %.300s", billing.ShownPrefix(key), how, in)
			}
		}
	}
	t.Logf("%d rows of %d tables, %d logs and files", len(rows), tables, len(texts)-len(rows))
	all[0].revokeEverywhere(all, rotated.Get("id").String(), keys[2])
}

// inManyPlaces gives a key in all places that callers do, and in wrong ones.
func (g *gateway) inManyPlaces(key string) {
	g.t.Helper()
	at := "http://" + g.listen
	for _, c := range [][]string{{"/v1/models", "X-Api-Key", key}, {"/v1/models", "Api-Key", key}, {"/v1/models", "Authorization", "Basic " + key},
		{"/v1beta/models?key=" + key}, {"/v1/models?api_key=" + key, "Authorization", "Bearer " + key}} {
		if _, err := g.send("GET", at+c[0], "", c[1:]...); err != nil {
			g.t.Fatal(err)
		}
	}
}

// revokeEverywhere revokes a key at one replica; until now all take it.
func (g *gateway) revokeEverywhere(all []*gateway, id, key string) {
	g.t.Helper()
	for i, one := range all {
		if status := one.statusOf(key); status != 200 {
			g.t.Fatalf("replica %d: %d before the key is revoked", i, status)
		}
	}
	if a := g.api("DELETE", "keys/"+id, ""); a.status >= 300 {
		g.t.Fatalf("revoking: %d %s", a.status, a.body)
	}
	began := time.Now()
	took := []string{}
	for i, one := range all {
		if !eventually(20*time.Second, func() bool { return one.statusOf(key) == 401 }) {
			g.t.Fatalf("replica %d takes a key that is revoked", i)
		}
		took = append(took, fmt.Sprint(time.Since(began).Round(time.Millisecond)))
	}
	g.t.Logf("refused by the replicas after %s", strings.Join(took, ", "))
}
