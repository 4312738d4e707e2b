package e2e

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var commandCalls = regexp.MustCompile(`cmdstat_([^:|]+)[^:]*:calls=(\d+)`)

// byCommand is how often each command was carried out, inside of scripts too, but
// for the question itself.
func (r *redis) byCommand() map[string]int {
	counts := map[string]int{}
	for _, m := range commandCalls.FindAllStringSubmatch(r.info("commandstats"), -1) {
		n, _ := strconv.Atoi(m[2])
		counts[m[1]] += n
	}
	delete(counts, "info")
	delete(counts, "quit")
	return counts
}

const sharedMoney = providers + `teams:
  t:
    budget: {usd: 1000, per: month, hard: true}
    limits: {rpm: 10000000, tpm: 1000000000, parallel: 1000}
    keys:
      - {name: k, value: "` + teamKey + `", budget: {usd: 500, per: day, hard: true}, limits: {rpm: 10000000}}
`

// What replicas share costs Redis less than a command for each call, those that
// its scripts carry out included.
func TestSharedCommands(t *testing.T) {
	r := startRedis(t)
	rest := "shared: redis://" + r.addr + "/2\n" + sharedMoney
	all := []*gateway{start(t, rest), start(t, rest), start(t, rest)}
	sharing(t, all...)
	const calls, callers = 12000, 8 // of each replica
	ask := func(g *gateway) error {
		a, err := g.send("POST", "http://"+g.listen+"/v1/chat/completions", chatBody("up/small", "hi", ""), "Authorization", "Bearer "+teamKey, "Content-Type", "application/json")
		if err == nil && a.status != 200 {
			err = fmt.Errorf("%d %s", a.status, a.body)
		}
		return err
	}
	var left atomic.Int64
	run := func(n int64) {
		left.Store(n)
		var running sync.WaitGroup
		for _, g := range all {
			for range callers {
				running.Go(func() {
					for left.Add(-1) >= 0 {
						if err := ask(g); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
		}
		running.Wait()
	}
	run(600) // all is known to all
	before := r.byCommand()
	run(calls)
	after, sum, said := r.byCommand(), 0, []string{}
	for _, name := range slices.SortedFunc(maps.Keys(after), func(a, b string) int { return cmp.Compare(after[b]-before[b], after[a]-before[a]) }) {
		if n := after[name] - before[name]; n > 0 {
			sum += n
			said = append(said, fmt.Sprintf("%s %d", name, n))
		}
	}
	t.Logf("%d calls at three replicas, with two hard budgets and four limits: %d commands, %.2f a call (%s)", calls, sum, float64(sum)/calls, strings.Join(said, ", "))
	if sum > calls {
		late(t, all, "%d commands for %d calls", sum, calls)
	}
}
