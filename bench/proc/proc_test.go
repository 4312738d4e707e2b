package proc

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	line := "42 (a) b (c)) S 7 42 42 0 -1 4194304 100 0 0 0 150 50 3 2 20 0 1 0 5 6 7"
	got, err := parseStat(line)
	want := stat{pid: 42, parent: 7, cpu: 205 * tick}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "42", "42 (x)", "x (y) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// A child's work and memory count with its parent's.
func TestTree(t *testing.T) {
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo done; sleep 60")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("no shell here")
	}
	defer cmd.Wait() //nolint:errcheck // it is killed
	defer cmd.Process.Kill()
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	cpu, err := CPU(os.Getpid())
	if err != nil || cpu < 20*time.Millisecond {
		t.Fatalf("%v, %v", cpu, err)
	}
	all, err := Memory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	child, err := Memory(cmd.Process.Pid)
	if err != nil || child.Resident <= 0 || all.Resident <= child.Resident || all.Peak < all.Resident-child.Resident {
		t.Fatalf("child %+v, all %+v, %v", child, all, err)
	}
	if child.Own <= 0 || child.Own >= child.Resident { // it has a binary, too
		t.Fatalf("child %+v", child)
	}
	if _, err := CPU(1 << 30); err == nil {
		t.Fatal("a process that does not exist was found")
	}
}
