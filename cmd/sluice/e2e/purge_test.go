package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	amqp "github.com/rabbitmq/amqp091-go"
)

// three are gateways of one configuration that keep what an origin answers, and
// listen to who purges.
func three(t *testing.T, config string) (all []*gateway) {
	t.Helper()
	o := startOrigin(t)
	for range 3 {
		all = append(all, start(t, config+"routes:"+strings.ReplaceAll(cacheRoutes, "TARGET", `{http: {targets: ["`+o.URL+`"]}}`)))
	}
	for _, g := range all {
		if !eventually(20*time.Second, func() bool { return g.api("GET", "cache", "").get("events.0.up").Bool() }) {
			t.Fatal("a replica does not listen")
		}
	}
	return all
}

// purgedEverywhere has something kept in all replicas, publishes an event, and
// waits until all of them ask the backend again.
func purgedEverywhere(t *testing.T, all []*gateway, source string, publish func(event string)) {
	t.Helper()
	const other = "/plain/other"
	for _, g := range all {
		for _, path := range []string{"/plain/7", other} {
			g.fares(path)
			if got := g.fares(path); !strings.HasPrefix(got, "hit ") {
				t.Fatalf("%s is not kept: %s", path, got)
			}
		}
	}
	publish(`{"tags": "item:7"}`) // which says nothing that is known
	began := time.Now()
	publish(`{"tag": "item:7"}`)
	for _, g := range all {
		g.becomes("/plain/7", "miss *")
	}
	t.Logf("all three miss after %v", time.Since(began))
	for _, g := range all {
		if got := g.fares(other); !strings.HasPrefix(got, "hit ") {
			t.Errorf("what was not purged: %s", got)
		}
		done, refused := g.count(`sluice_cache_events_total{result="done",source="`+source+`"}`), g.count(`sluice_cache_events_total{result="refused",source="`+source+`"}`)
		if done != 1 || refused != 1 || !g.logs("cannot be understood") {
			t.Errorf("%d purges, %d refused", done, refused)
		}
	}
}

func TestPurgedByNATS(t *testing.T) {
	url := os.Getenv("SLUICE_TEST_NATS")
	if url == "" {
		t.Skip("SLUICE_TEST_NATS is not set")
	}
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	subject := fmt.Sprintf("sluice.test.%d", time.Now().UnixNano())
	all := three(t, "purge: {nats: {url: \""+url+"\", subject: "+subject+"}}\n")
	purgedEverywhere(t, all, "nats", func(event string) {
		if err := conn.Publish(subject, []byte(event)); err != nil {
			t.Fatal(err)
		}
		_ = conn.Flush()
	})
}

func rabbit(t *testing.T) (url string, channel *amqp.Channel) {
	t.Helper()
	url = os.Getenv("SLUICE_TEST_AMQP")
	if url == "" {
		t.Skip("SLUICE_TEST_AMQP is not set")
	}
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if channel, err = conn.Channel(); err != nil {
		t.Fatal(err)
	}
	return url, channel
}

func TestPurgedByAMQPExchange(t *testing.T) {
	url, channel := rabbit(t)
	name := fmt.Sprintf("sluice.test.%d", time.Now().UnixNano())
	t.Cleanup(func() { _ = channel.ExchangeDelete(name, false, false) })
	all := three(t, "purge: {amqp: {url: \""+url+"\", exchange: "+name+"}}\n")
	purgedEverywhere(t, all, "amqp", func(event string) {
		if err := channel.PublishWithContext(context.Background(), name, "", false, false, amqp.Publishing{Body: []byte(event)}); err != nil {
			t.Fatal(err)
		}
	})
}

// Of a queue one replica takes each event, and tells the others through Redis.
func TestPurgedByAMQPQueue(t *testing.T) {
	url, channel := rabbit(t)
	name := fmt.Sprintf("sluice.test.%d", time.Now().UnixNano())
	t.Cleanup(func() { _, _ = channel.QueueDelete(name, false, false, false) })
	r := startRedis(t)
	all := three(t, "shared: redis://"+r.addr+"/2\npurge: {amqp: {url: \""+url+"\", queue: "+name+"}}\n")
	sharing(t, all...)
	if got := all[0].fares("/plain/7"); !strings.HasPrefix(got, "miss ") {
		t.Fatal(got)
	}
	all[0].stored(1)
	for _, g := range all {
		g.becomes("/plain/7", "hit *")
	}
	if err := channel.PublishWithContext(context.Background(), "", name, false, false, amqp.Publishing{Body: []byte(`{"key": "/plain/7"}`)}); err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		if !eventually(10*time.Second, func() bool { return !strings.HasSuffix(g.fares("/plain/7"), " 1") }) { // the answer that was purged
			t.Error("the purge has not reached a replica")
		}
	}
	if done := all[0].count(`sluice_cache_events_total{result="done",source="amqp"}`) + all[1].count(`sluice_cache_events_total{result="done",source="amqp"}`) +
		all[2].count(`sluice_cache_events_total{result="done",source="amqp"}`); done != 1 {
		t.Errorf("%d replicas took the event", done)
	}
}

func TestPurgeChecked(t *testing.T) {
	g := newGateway(t, "")
	for text, want := range map[string]string{
		"{nats: {url: hunter2}}":                                       "purge.nats.url: want nats://",
		"{nats: {url: nats://h, subject: a..b}}":                       "purge.nats.subject: want a subject",
		"{amqp: {url: redis://:hunter2@h, queue: q}}":                  "purge.amqp.url: want amqp://",
		"{amqp: {url: amqp://ann:hunter2@h}}":                          "purge.amqp: want exchange",
		"{amqp: {url: amqp://ann:hunter2@h, queue: q, exchange: e}}":   "purge.amqp: want exchange",
		"{amqp: {url: amqp://ann:hunter2@h, queue: q, key: k}}":        "purge.amqp.key: is for exchange",
		"{amqp: {url: amqp://ann:hunter2@h, exchange: e, keys: [k]}}":  `unknown key "keys"`,
		"{nats: {url: 'nats://ann:hunter2@h', subject: x}, redis: {}}": `unknown key "redis"`,
	} {
		g.configure(head + "purge: " + text + "\n")
		out, errs, code := g.sluice("check", "-c", g.file())
		if code != 2 || !strings.Contains(out, want) || strings.Contains(out+errs, "hunter2") {
			t.Errorf("%s: %d %s%s, want %s", text, code, out, errs, want)
		}
	}
}

// A purge at one of three replicas has all of them ask anew. Where nobody can be
// told of it, they give what they have no longer than its time.
func TestPurgedByAPI(t *testing.T) {
	o, r := startOrigin(t), startRedis(t)
	var all []*gateway
	for range 3 {
		all = append(all, start(t, "shared: redis://"+r.addr+"/2\nroutes:"+strings.ReplaceAll(cacheRoutes, "TARGET", `{http: {targets: ["`+o.URL+`"]}}`)))
	}
	sharing(t, all...)
	kept := func(path string) {
		t.Helper()
		for _, g := range all {
			g.becomes(path, "hit *")
		}
	}
	kept("/plain/7")
	before := map[string]bool{} // a replica may have asked before it heard of the first one's answer
	for _, g := range all {
		before[g.fares("/plain/7")] = true
	}
	began := time.Now()
	if a := all[0].api("DELETE", "cache?tag=item:7", ""); a.status != 200 || a.get("replicas").Int() != 3 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	// The first that asks anew has it for all: nobody gives what was there before.
	for _, g := range all {
		if !eventually(10*time.Second, func() bool { return !before[g.fares("/plain/7")] }) {
			t.Errorf("after %v a replica still says %s", time.Since(began), g.fares("/plain/7"))
		}
	}
	t.Logf("no replica gives what was purged after %v", time.Since(began))

	kept("/error/b")
	r.kill()
	if a := all[0].api("DELETE", "cache?prefix=/error", ""); a.status != 200 || a.get("replicas").Int() != 0 {
		t.Errorf("a purge that nobody can be told of: %d %s", a.status, a.body)
	}
	for _, g := range all {
		g.becomes("/error/b", "miss *")
	}
}
