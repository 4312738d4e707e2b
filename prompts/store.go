package prompts

import (
	"context"
	"time"
)

// Version is one published state of a prompt: immutable once made.
type Version struct {
	Name    string    `json:"name"`
	N       int       `json:"version"`
	Digest  string    `json:"digest"` // SHA-256 of Source and its partials, hex
	Source  []byte    `json:"-"`      // the .prompt file, bundled with the partials it uses: see Unbundle
	Message string    `json:"message,omitempty"`
	Author  string    `json:"author,omitempty"`
	Parent  int       `json:"parent,omitempty"` // the version that was production before; 0: none
	Created time.Time `json:"created"`
}

// LabelMove is one move of a label of a prompt. Those of a label, backwards, are
// what it may be rolled back to.
type LabelMove struct {
	Label string    `json:"label"`
	From  int       `json:"from"` // version; 0: the label was new. The store knows it
	To    int       `json:"to"`   // 0: it was taken away
	Time  time.Time `json:"time"`
	By    string    `json:"by"` // empty: not known
}

// Store keeps the versions of prompts and the labels that point to them.
type Store interface {
	// Publish makes v the next version of its name and moves the label
	// production to it, in one transaction. If production has the same digest
	// already, nothing changes and its number comes back with created false.
	Publish(ctx context.Context, v Version) (n int, created bool, err error)
	// Versions are all versions of a name, oldest first.
	Versions(ctx context.Context, name string) ([]Version, error)
	// Labels are the labels of a name and the version each points to.
	Labels(ctx context.Context, name string) (map[string]int, error)
	// MoveLabel points a label to a version that exists, or takes it away.
	MoveLabel(ctx context.Context, name string, m LabelMove) error
	// Names are all names that have a version, sorted.
	Names(ctx context.Context) ([]string, error)
}
