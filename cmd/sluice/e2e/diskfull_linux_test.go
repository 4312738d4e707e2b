package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk makes the data directory a disk of its own of 64 MiB, which holds
// the spool and the store.
func (g *gateway) smallDisk() {
	g.t.Helper()
	dir := filepath.Join(g.dir, "data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		g.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m,mode=700"); err != nil {
		g.t.Skipf("no disk can be mounted: a full disk is tried by root alone: %v", err)
	}
	g.t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			g.t.Error(err)
		}
	})
}

// ballast fills the disk to its last byte; makeRoom takes it away.
func (g *gateway) ballast() (makeRoom func()) {
	g.t.Helper()
	path := filepath.Join(g.dir, "data", "ballast")
	f, err := os.Create(path)
	if err != nil {
		g.t.Fatal(err)
	}
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			g.t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		g.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			g.t.Error(err)
		}
	}
}

// The disk of the spool and the store fills up under load. Calls go on; log,
// metrics and health say so; what waits is written once there is room; and a
// process that is killed on a full disk loses no more than what waited in
// memory.
func TestDiskFull(t *testing.T) {
	t.Parallel() // it waits most of its time
	g := newGateway(t, providers+budgeted)
	g.smallDisk()
	g.start()
	load := g.startLoad("full-", 8, time.Millisecond)
	if !eventually(10*time.Second, func() bool { return load.soFar() > 200 }) {
		t.Fatal("no calls are made")
	}
	makeRoom := g.ballast()
	if !eventually(60*time.Second, func() bool { return g.count("sluice_spool_memory_records") > 500 }) {
		t.Fatalf("nothing waits in memory; strained: %s\n%s", g.metric("sluice_spool_strained"), g.stderr)
	}
	if g.count("sluice_spool_strained") != 1 || g.count("sluice_spool_refusing") != 0 || g.count("sluice_spool_store_down") != 1 {
		t.Error("the metrics do not say that the disk is full and calls go on")
	}
	a := g.data("GET", "/readyz", "")
	if a.status != 200 || !strings.Contains(a.body, "usage waits in memory") || !strings.Contains(a.body, "no space left on device") || strings.Contains(a.body, g.dir) {
		t.Errorf("ready: %d %s", a.status, a.body)
	}
	makeRoom()
	if !eventually(30*time.Second, func() bool {
		return g.count("sluice_spool_memory_records") == 0 && g.count("sluice_spool_strained") == 0
	}) {
		t.Fatalf("%s records wait in memory although there is room\n%s", g.metric("sluice_spool_memory_records"), g.stderr)
	}
	complete, failed := load.stop()
	if len(failed) > 0 {
		t.Errorf("%d calls failed, such as %s", len(failed), failed[0])
	}
	if !eventually(30*time.Second, func() bool { return g.count("sluice_spool_records") == 0 }) {
		t.Fatalf("%s records stay in the spool\n%s", g.metric("sluice_spool_records"), g.stderr)
	}
	g.reconcile(complete, 0)
	g.said("the disk of the usage spool is full: what room was set aside is being used up", 1)
	g.said("the usage spool cannot be written: usage waits in memory", 1)
	g.said("the usage spool can be written again", 1)
	if !g.logs("the disk of the database is full") {
		t.Errorf("the log does not say that the database cannot be written:\n%s", tail(g.stderr.String(), 4000))
	}
	g.killedWhenFull(complete)
}

// killedWhenFull fills the disk once more and kills the process then.
func (g *gateway) killedWhenFull(complete []string) {
	g.t.Helper()
	makeRoom := g.ballast()
	load := g.startLoad("again-", 8, time.Millisecond)
	if !eventually(60*time.Second, func() bool { return g.count("sluice_spool_memory_records") > 50 }) {
		g.t.Fatalf("nothing waits in memory\n%s", g.stderr)
	}
	more, failed := load.stop() // nothing comes to wait between the look and the end
	if len(failed) > 0 {
		g.t.Errorf("%d calls failed, such as %s", len(failed), failed[0])
	}
	lost := g.count("sluice_spool_memory_records")
	g.kill()
	makeRoom()
	g.start()
	g.reconcile(append(complete, more...), lost)
	if lost >= len(more) {
		g.t.Errorf("all of %d calls were in memory", lost)
	}
}

// With billing.disk_full: refuse calls are refused as soon as the disk is full,
// all that were answered are on it, and calls are taken again once there is room.
func TestDiskFullRefuse(t *testing.T) {
	g := newGateway(t, providers+budgeted+"billing: {disk_full: refuse}\n")
	g.smallDisk()
	g.start()
	makeRoom := g.ballast()
	var complete []string
	var last error
	for i := 0; last == nil && i < 20_000; i++ {
		id := fmt.Sprintf("refuse-%05d", i)
		if last = g.whole(id); last == nil {
			complete = append(complete, id)
		}
	}
	if last == nil || !strings.Contains(last.Error(), "503") || !strings.Contains(last.Error(), `"code":"unavailable"`) ||
		!strings.Contains(last.Error(), "could not be recorded") {
		t.Fatalf("after %d calls: %v\n%s", len(complete), last, g.stderr)
	}
	a := g.data("GET", "/readyz", "")
	if a.status != 503 || !strings.Contains(a.body, "no space left on device") {
		t.Errorf("ready: %d %s", a.status, a.body)
	}
	if g.count("sluice_spool_refusing") != 1 || g.count("sluice_spool_memory_records") != 0 {
		t.Errorf("refusing %s, in memory %s", g.metric("sluice_spool_refusing"), g.metric("sluice_spool_memory_records"))
	}
	g.said("calls are refused: their usage cannot be written to disk, and billing.disk_full is refuse", 1)
	g.kill()
	makeRoom()
	g.start()
	if !eventually(10*time.Second, func() bool { return g.whole("refuse-again") == nil }) {
		t.Errorf("calls are still refused: %s", g.stderr)
	}
	g.reconcile(append(complete, "refuse-again"), 0)
}
