package billing

import (
	"os"
	"syscall"
)

// keepSize is FALLOC_FL_KEEP_SIZE of fallocate(2): the file seems no longer.
const keepSize = 1

// setAside makes the disk keep n bytes for a file, from an offset on.
func setAside(f *os.File, offset, n int64) error {
	return syscall.Fallocate(int(f.Fd()), keepSize, offset, n)
}
