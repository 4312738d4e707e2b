//go:build unix

package upstream

import "syscall"

// peek tells whether an idle socket is of no more use: closed by the server,
// or holding bytes that nobody asked for.
func peek(fd uintptr) (stale bool) {
	var one [1]byte
	_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err != syscall.EAGAIN && err != syscall.EWOULDBLOCK && err != syscall.EINTR
}
