// Package audit keeps a record of every change that somebody made, each chained
// to the one before it by its hash.
//
// A change is made by Trail.Do: a record of what is about to be done is in the
// store before it begins, or it is not begun at all; when it is over, the record
// joins the chain with what came of it. A process that is killed in between
// leaves the record open: the next start chains it with status 0, for nobody
// knows whether the change was made.
//
// The hash of a record is the SHA-256 of its JSON without "hash", in the order of
// the fields of Record and without white space; "prev" is the hash of the record
// before it, so that none can be changed, added or taken out in the middle
// unnoticed. Records that are too old are removed from its beginning (Trail.Retain):
// the last of them is the anchor, whose number and hash a record of the removal
// holds, so that nobody else can move it. Who may write to the store can make a whole new chain, though: every
// hash is logged too, so that one kept elsewhere shows that.
package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Record is what somebody did, or tried to.
type Record struct {
	Seq       int64           `json:"seq"` // from 1, without gaps
	Time      time.Time       `json:"time"`
	Actor     string          `json:"actor"`              // the name of a token, whom an identity provider knows, file, or sluice itself
	Role      string          `json:"role"`               // empty: it has none
	IP        string          `json:"ip"`                 // empty: it did not come over the network
	Action    string          `json:"action"`             // such as key.rotate
	Resource  string          `json:"resource"`           // a path below /admin/v1/, of the console, or of the configuration
	Before    json.RawMessage `json:"before,omitempty"`   // without secrets
	After     json.RawMessage `json:"after,omitempty"`    // likewise
	Revision  string          `json:"revision,omitempty"` // of what was in force before it; empty: nothing was, or it was not told then
	Status    int             `json:"status"`             // that was answered; 0: the process ended before it was known
	RequestID string          `json:"request_id"`
	Prev      string          `json:"prev"` // hash of the record before it; empty: it is the first
	Hash      string          `json:"hash"`
}

// Seal gives a record its place in the chain: what is hashed comes back, in the
// form that it is kept in.
func (r *Record) Seal(seq int64, prev string) ([]byte, error) {
	r.Seq, r.Prev, r.Time = seq, prev, r.Time.UTC()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // as others write JSON, so that they can check the hash
	if err := e.Encode(struct {
		Record
		Hash string `json:"hash,omitempty"` // hides the record's, and is empty
	}{Record: *r}); err != nil {
		return nil, err
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	r.Hash = HashOf(body)
	return body, nil
}

// HashOf is the hash of what Seal gave.
func HashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Query selects records; the zero value selects all.
type Query struct {
	From, To         time.Time // To is exclusive; zero: no bound
	Actor            string
	Action, Resource string // also those below it: key is key.create too, teams is teams/x too
	Before           int64  // only records with a smaller seq; 0: all
	Limit            int    // at most so many; 0: all
}

// Verdict is what a look at the whole chain found.
type Verdict struct {
	OK     bool   `json:"ok"`
	From   int64  `json:"from"`             // seq of the first record that is kept
	Anchor Anchor `json:"anchor,omitzero"`  // the last that was removed; none: none was
	Count  int64  `json:"count"`            // records that are good, up to the first that is not
	Head   string `json:"head"`             // hash of the last of them
	Broken *int64 `json:"broken,omitempty"` // seq of the first that is not
	Why    string `json:"why,omitempty"`
}

// Anchor is a record that the chain goes on from: the last one that was removed
// as too old. Zero: none was.
type Anchor struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Removal is the action of the records of removals; their state after it is the
// Anchor.
const Removal = "audit.remove"

// Store keeps the chain.
type Store interface {
	// Open keeps a record of what is about to be done, and gives its number.
	Open(ctx context.Context, r Record) (int64, error)
	// Opened are those that never joined the chain.
	Opened(ctx context.Context) (map[int64]Record, error)
	// Append seals a record as the last of the chain; the open one of this number
	// goes. 0: it was not opened.
	Append(ctx context.Context, open int64, r Record) (Record, error)
	// Records are those that a query selects, newest first.
	Records(ctx context.Context, q Query) ([]Record, error)
	Verify(ctx context.Context) (Verdict, error)
}

// Remover is a Store that forgets what is too old.
type Remover interface {
	// Remove takes records from the beginning of the chain, up to the first one
	// that is of before or later, but not more than some at a time, and appends
	// a record of that; zero: there was nothing to remove. Where those records
	// are not as they were written it removes none.
	Remove(ctx context.Context, before time.Time, r Record) (Record, error)
}

// ClientIP is where a request comes from: the peer, or where the last proxy that
// is trusted says that it comes from.
func ClientIP(r *http.Request, trusted []netip.Prefix) string {
	ip := host(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && isOf(ip, trusted); i-- {
		hop := strings.TrimSpace(hops[i])
		if _, err := netip.ParseAddr(hop); err != nil {
			break
		}
		ip = hop
	}
	return ip
}

func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}

func isOf(ip string, nets []netip.Prefix) bool {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	for _, n := range nets {
		if n.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}
