// Package sharedtest has a memcached for tests, which need none installed.
package sharedtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// mostBytes is what an item may have, as of memcached by default.
const mostBytes = 1 << 20

// Memcached speaks as much of memcached's text protocol as a gateway does: get,
// gets, set, add, cas, incr, touch and flush_all (protocol.txt of memcached 1.6).
// It is safe for concurrent use.
type Memcached struct {
	Addr string

	t      testing.TB
	mu     sync.Mutex
	ln     net.Listener
	conns  map[net.Conn]bool
	items  map[string]stored
	last   uint64 // cas unique
	silent bool
}

type stored struct {
	value []byte
	flags string
	cas   uint64
	until time.Time // zero: for ever
}

// StartMemcached starts one, until the test is over.
func StartMemcached(t testing.TB) *Memcached {
	t.Helper()
	m := &Memcached{Addr: "127.0.0.1:0", t: t}
	m.Start()
	t.Cleanup(m.Stop)
	return m
}

// Start starts it where it was, with nothing in it.
func (m *Memcached) Start() {
	m.t.Helper()
	ln, err := net.Listen("tcp", m.Addr)
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ln, m.Addr, m.conns, m.items = ln, ln.Addr().String(), map[net.Conn]bool{}, map[string]stored{}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.conns[c] = true
			m.mu.Unlock()
			go m.serve(c)
		}
	}()
}

// Stop breaks every connection and takes no other.
func (m *Memcached) Stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ln.Close()
	for c := range m.conns {
		c.Close()
	}
}

// Silence has it answer nothing, or answer again.
func (m *Memcached) Silence(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silent = on
}

// Forget takes out the items whose names end so, as for want of room, and tells
// how many those are.
func (m *Memcached) Forget(suffix string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.items {
		if strings.HasSuffix(name, suffix) {
			delete(m.items, name)
			n++
		}
	}
	return n
}

func (m *Memcached) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			words = []string{""}
		}
		var value []byte
		if at := 4; words[0] == "set" || words[0] == "add" || words[0] == "cas" {
			n, err := strconv.Atoi(words[min(at, len(words)-1)])
			if err != nil || n < 0 {
				return
			}
			value = make([]byte, n+2)
			if _, err := io.ReadFull(in, value); err != nil {
				return
			}
			value = value[:n]
		}
		answer, silent := m.do(words, value)
		if silent {
			continue
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

// do carries out one command.
func (m *Memcached) do(words []string, value []byte) (answer string, silent bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if words[0] == "flush_all" {
		clear(m.items)
		return "OK\r\n", m.silent
	}
	if len(words) < 2 {
		return "ERROR\r\n", m.silent
	}
	it, found := m.find(words[1])
	answer = "ERROR\r\n"
	switch words[0] {
	case "get", "gets":
		answer = m.give(words[1:])
	case "set", "add", "cas":
		answer = m.store(words, value, it, found)
	case "incr":
		answer = "NOT_FOUND\r\n"
		if n, err := strconv.ParseUint(string(it.value), 10, 64); found && err == nil {
			it.value = strconv.AppendUint(nil, n+1, 10)
			m.put(words[1], it)
			answer = string(it.value) + "\r\n"
		}
	case "touch":
		if answer = "NOT_FOUND\r\n"; found {
			answer = "TOUCHED\r\n"
		}
	}
	return answer, m.silent
}

func (m *Memcached) find(name string) (it stored, found bool) {
	it, found = m.items[name]
	if found && !it.until.IsZero() && time.Now().After(it.until) {
		return stored{}, false
	}
	return it, found
}

func (m *Memcached) put(name string, it stored) {
	m.last++
	it.cas = m.last
	m.items[name] = it
}

func (m *Memcached) give(names []string) string {
	var b strings.Builder
	for _, name := range names {
		if it, found := m.find(name); found {
			fmt.Fprintf(&b, "VALUE %s %s %d %d\r\n%s\r\n", name, it.flags, len(it.value), it.cas, it.value)
		}
	}
	b.WriteString("END\r\n")
	return b.String()
}

func (m *Memcached) store(words []string, value []byte, was stored, found bool) string {
	switch {
	case len(value) > mostBytes:
		return "SERVER_ERROR object too large for cache\r\n"
	case words[0] == "add" && found:
		return "NOT_STORED\r\n"
	case words[0] == "cas" && !found:
		return "NOT_FOUND\r\n"
	case words[0] == "cas" && words[len(words)-1] != strconv.FormatUint(was.cas, 10):
		return "EXISTS\r\n"
	}
	it := stored{value: value, flags: words[2]}
	if seconds, err := strconv.Atoi(words[3]); err != nil || seconds < 0 {
		return "CLIENT_ERROR bad command line format\r\n"
	} else if seconds > 0 {
		it.until = time.Now().Add(time.Duration(seconds) * time.Second)
	}
	m.put(words[1], it)
	return "STORED\r\n"
}
