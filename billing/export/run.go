package export

import (
	"context"
	"fmt"
	"io"
	"time"

	"sluice/billing"
)

// Source gives the entries of a day, oldest first; day is 2006-01-02.
type Source func(ctx context.Context, day string, use func(*Row) error) error

// Sink keeps files. A file is there whole or not at all.
type Sink interface {
	Has(ctx context.Context, name string) (bool, error)
	Put(ctx context.Context, name string, write func(io.Writer) error) error
}

// Job is an export: the days from From to before To, which are dates.
type Job struct {
	From, To time.Time
	Today    time.Time // it, and what is later, is written anew each time
	Format   string    // of Formats
	Team     string    // the entries are only this team's; empty: everybody's
	Force    bool      // write what is there already
	Source   Source
	Sink     Sink
	Done     func(File) // told of each day; nil: nobody is
}

// File is what became of a day.
type File struct {
	Name    string
	Entries int64
	USD     billing.Nano
	Kept    bool // it was there already
}

// Name is what the file of a day is called.
func (j *Job) Name(day string) string {
	name := "sluice-ledger-"
	if j.Team != "" {
		name += j.Team + "-"
	}
	return name + day + "." + j.Format
}

// Run writes the files. On an error, those before it are whole.
func (j *Job) Run(ctx context.Context) error {
	if _, err := newWriter(io.Discard, j.Format); err != nil {
		return err
	}
	for at := j.From; at.Before(j.To); at = at.AddDate(0, 0, 1) {
		f, err := j.day(ctx, at)
		if err != nil {
			return fmt.Errorf("cannot export %s: %w", f.Name, err)
		}
		if j.Done != nil {
			j.Done(f)
		}
	}
	return nil
}

func (j *Job) day(ctx context.Context, at time.Time) (f File, err error) {
	day := at.Format(time.DateOnly)
	f.Name = j.Name(day)
	if !j.Force && at.Before(j.Today) {
		if f.Kept, err = j.Sink.Has(ctx, f.Name); err != nil || f.Kept {
			return f, err
		}
	}
	err = j.Sink.Put(ctx, f.Name, func(w io.Writer) error {
		out, err := newWriter(w, j.Format)
		if err != nil {
			return err
		}
		err = j.Source(ctx, day, func(r *Row) error {
			f.Entries++
			f.USD += r.USD
			return out.row(r)
		})
		if err != nil {
			return err
		}
		return out.close()
	})
	return f, err
}
