package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// Every page of the console and of the portal is answered and weighs no more than
// it may, with a company's traffic. How long they take is measured with a ledger
// of millions (make bench-ledger).
func TestPagesAreLight(t *testing.T) {
	out, err := exec.Command("go", "run", "sluice/bench/cmd/ledger", "-n", "5000", "-days", "62", "-binary", binary, "-api=false", "-calls=false", "-rounds", "1",
		"-limit", "10m", "-check").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(string(out), 8000))
	}
	for _, part := range []string{"console  ", "portal  ", "; 0 missed a bound"} {
		if !strings.Contains(string(out), part) {
			t.Errorf("%q is missing in %s", part, tail(string(out), 8000))
		}
	}
}
