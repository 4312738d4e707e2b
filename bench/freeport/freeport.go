// Package freeport finds addresses for servers that another process will listen
// on, so that they must be known before anyone does.
package freeport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
)

// next is where Addr looks next: below the ports that systems give to outgoing
// calls, which would take one between the look and its use, and never the same
// twice. Processes that run side by side, whose numbers are near each other, begin
// well apart.
var next atomic.Int32

func init() { next.Store(10000 + int32(os.Getpid()%44)*500) }

// Addr is an address of this machine that nothing listens on.
func Addr() (string, error) {
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", next.Add(1))
		ln, err := net.Listen("tcp", addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", err
		}
		_ = ln.Close() // only the address is wanted
		return addr, nil
	}
}
