package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// budgeted is a team whose spending is counted, and never short.
const budgeted = `teams:
  t: {budget: {usd: 100000, per: total, hard: true}, keys: [{name: k, value: "` + teamKey + `"}]}
`

// The process is killed under load again and again, SLUICE_E2E_CRASHES times,
// and every third time once more while it starts; every other one forces each
// record to the disk. Every call whose answer was complete is in the ledger
// once; none is there twice; and the sums are right after each start.
func TestCrashes(t *testing.T) {
	usual := 5
	if full {
		usual = 20
	}
	crashes := setting(t, "SLUICE_E2E_CRASHES", usual)
	g := newGateway(t, providers+budgeted)
	var complete []string
	for round := range crashes {
		g.env = []string{"SLUICE_BILLING__FSYNC=" + []string{"interval", "always"}[round%2]}
		if round%3 == 2 {
			g.spawn()
			time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
			g.kill()
		}
		g.start()
		if round > 0 {
			g.verified()
		}
		load := g.startLoad(fmt.Sprintf("crash-%03d-", round), 16, 0)
		time.Sleep(time.Duration(200+rand.IntN(400)) * time.Millisecond) // the moment of the crash is what the test varies
		g.kill()
		done, _ := load.stop()
		complete = append(complete, done...)
	}
	if len(complete) < crashes*10 {
		t.Fatalf("only %d calls were complete", len(complete))
	}
	g.start()
	g.reconcile(complete, 0)
	t.Logf("%d crashes", crashes)
}
