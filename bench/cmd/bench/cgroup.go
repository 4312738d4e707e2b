package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// quotaPeriod is how often a process gets its share anew: short, lest one that has
// used it up stand still for long.
const quotaPeriod = 20 * time.Millisecond

// cgroup holds processes to a share of a core.
type cgroup struct{ dir string }

// newCgroup makes one, under version 2 of cgroups where that has the controller of
// CPU, else under version 1. It takes root.
func newCgroup(name string, share float64) (*cgroup, error) {
	period := strconv.FormatInt(quotaPeriod.Microseconds(), 10)
	quota := strconv.FormatInt(int64(share*float64(quotaPeriod.Microseconds())), 10)
	root, files := "/sys/fs/cgroup", [][2]string{{"cpu.max", quota + " " + period}}
	if has, _ := os.ReadFile(filepath.Join(root, "cgroup.controllers")); !strings.Contains(" "+strings.TrimSpace(string(has))+" ", " cpu ") {
		root, files = "/sys/fs/cgroup/cpu", [][2]string{{"cpu.cfs_period_us", period}, {"cpu.cfs_quota_us", quota}}
	} else if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+cpu"), 0o600); err != nil {
		return nil, fmt.Errorf("cannot give the controller of CPU to a cgroup: %w", err)
	}
	if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
		return nil, fmt.Errorf("there are no cgroups for CPU: %w", err)
	}
	g := &cgroup{filepath.Join(root, name)}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make a cgroup: %w", err)
	}
	for _, f := range files {
		if err := g.write(f[0], f[1]); err != nil {
			g.remove()
			return nil, err
		}
	}
	return g, nil
}

func (g *cgroup) write(file, text string) error {
	return os.WriteFile(filepath.Join(g.dir, file), []byte(text), 0o600)
}

// hold has a process, and what it starts from then on, keep to the share.
func (g *cgroup) hold(pid int) error { return g.write("cgroup.procs", strconv.Itoa(pid)) }

// remove takes the cgroup away, whose processes have ended.
func (g *cgroup) remove() { _ = os.Remove(g.dir) } // else it stays, and holds nobody
