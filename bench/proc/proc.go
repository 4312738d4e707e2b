// Package proc reads from /proc what a process and all its descendants cost:
// CPU time and memory. Linux only.
package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc/PID/stat: USER_HZ, 100 on Linux.
const tick = time.Second / 100

// stat is what we read of /proc/PID/stat.
type stat struct {
	pid, parent int
	cpu         time.Duration // user and system, with children that were waited for
}

// CPU is the user and system time of pid and its living descendants.
func CPU(pid int) (time.Duration, error) {
	tree, err := tree(pid)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, s := range tree {
		sum += s.cpu
	}
	return sum, nil
}

// Mem is memory in bytes.
type Mem struct {
	Resident int64 // now
	// Own is what of it is no page of a file. How much of a binary is resident
	// is the kernel's choice: a page that is used brings its neighbours, 2 MiB of
	// them where the page cache has them in one piece.
	Own  int64
	Peak int64 // the sum of each process' own
}

// Memory of pid and its descendants.
func Memory(pid int) (Mem, error) {
	var sum Mem
	tree, err := tree(pid)
	if err != nil {
		return sum, err
	}
	for _, s := range tree {
		m, err := memory(s.pid)
		if err != nil {
			return Mem{}, err
		}
		sum.Resident += m.Resident
		sum.Own += m.Own
		sum.Peak += m.Peak
	}
	return sum, nil
}

// ResetPeak starts the peaks anew, at what is resident now.
func ResetPeak(pid int) error {
	tree, err := tree(pid)
	if err != nil {
		return err
	}
	for _, s := range tree {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.pid), []byte("5"), 0); err != nil {
			return fmt.Errorf("cannot reset peak memory: %w", err)
		}
	}
	return nil
}

// tree is pid and all below it.
func tree(root int) ([]stat, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]stat{}
	var found []stat
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended meanwhile
		}
		s, err := parseStat(string(b))
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f, err)
		}
		children[s.parent] = append(children[s.parent], s)
		if s.pid == root {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("cannot find process %d", root)
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found, nil
}

// parseStat reads a line of proc(5)'s stat; the name, in brackets, may hold
// anything.
func parseStat(line string) (s stat, err error) {
	head, name, ok := strings.Cut(line, " (")
	end := strings.LastIndexByte(name, ')')
	if !ok || end < 0 {
		return s, fmt.Errorf("not a stat line: %q", line)
	}
	fields := strings.Fields(name[end+1:]) // from the third field on: state, ppid, …
	if len(fields) < 15 {
		return s, fmt.Errorf("stat has %d fields", len(fields)+2)
	}
	var n [6]int
	for i, text := range []string{head, fields[1], fields[11], fields[12], fields[13], fields[14]} {
		if n[i], err = strconv.Atoi(text); err != nil {
			return s, err
		}
	}
	return stat{pid: n[0], parent: n[1], cpu: time.Duration(n[2]+n[3]+n[4]+n[5]) * tick}, nil
}

// memory reads /proc/PID/status.
func memory(pid int) (m Mem, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, fmt.Errorf("cannot read memory: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		into := map[string]*int64{"VmRSS": &m.Resident, "RssAnon": &m.Own, "VmHWM": &m.Peak}[name]
		if into == nil {
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return Mem{}, fmt.Errorf("cannot read %s of process %d: %w", name, pid, err)
		}
		*into = kb << 10
	}
	return m, nil
}
