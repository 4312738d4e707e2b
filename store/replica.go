package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// How often a replica looks what others have changed, and how long it waits for
// the database until it takes its session for lost.
const (
	lookEvery   = 250 * time.Millisecond
	sessionTime = 2 * time.Second
)

// replica is a process among those that share a database. It has a session of
// its own, whose locks say that it runs, and whether it leads: the server lets
// go of them when the session ends.
type replica struct {
	term    atomic.Pointer[context.Context] // in which it leads; nil: another does
	changed chan struct{}                   // nil: it has not joined
	seen    int64                           // what the session has read of changes; -1: nothing yet
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Join makes the process one of the replicas: until Close it is told what others
// change, and leads them if no other does. On SQLite there is but one.
func (s *Store) Join(ctx context.Context) error {
	p := s.postgres
	if p == nil {
		return nil
	}
	r := &p.replica
	r.changed, r.seen = make(chan struct{}, 1), -1
	conn, err := p.session(ctx)
	if err != nil {
		return inWords(err)
	}
	if err := p.look(ctx, conn); err != nil { // what is changed from now on is noticed
		return errors.Join(inWords(err), conn.Close(context.WithoutCancel(ctx)))
	}
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	r.running.Go(func() { p.run(ctx, conn) })
	return nil
}

// leave ends what Join began.
func (s *Store) leave() {
	if s.postgres == nil || s.postgres.replica.stop == nil {
		return
	}
	s.postgres.replica.stop()
	s.postgres.replica.running.Wait()
}

// session opens a session that says that the replica runs.
func (p *postgres) session(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*sessionTime)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, p.config.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1, $2)", lockReplica, p.number); err != nil {
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

// run keeps a session, until ctx ends.
func (p *postgres) run(ctx context.Context, conn *pgx.Conn) {
	for {
		end := func() {}
		for err := error(nil); err == nil && conn != nil; {
			if end, err = p.lead(ctx, conn, end); err == nil {
				err = p.pause(ctx, conn)
			}
		}
		end()
		if conn != nil {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), sessionTime)
			_ = conn.Close(closing)
			cancel()
		}
		if wait(ctx, lookEvery) != nil {
			return
		}
		conn, _ = p.session(ctx) // while there is none, the spool tells of it
	}
}

// pause looks for changes for the time after which it is asked again who leads.
func (p *postgres) pause(ctx context.Context, conn *pgx.Conn) error {
	for range 4 {
		if err := wait(ctx, lookEvery); err != nil {
			return err
		}
		if err := p.look(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

// lead takes the lead if nobody has it. end ends the term.
func (p *postgres) lead(ctx context.Context, conn *pgx.Conn, end func()) (func(), error) {
	r := &p.replica
	if r.term.Load() != nil {
		return end, nil
	}
	asking, cancel := context.WithTimeout(ctx, sessionTime)
	defer cancel()
	var leads bool
	if err := conn.QueryRow(asking, "SELECT pg_try_advisory_lock($1, "+ofSchema+")", lockLeading).Scan(&leads); err != nil || !leads {
		return end, err
	}
	term, over := context.WithCancel(ctx)
	r.term.Store(&term)
	return func() { r.term.Store(nil); over() }, nil
}

// look tells of changes since the last look.
func (p *postgres) look(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, sessionTime)
	defer cancel()
	r, n := &p.replica, int64(0)
	if err := conn.QueryRow(ctx, "SELECT n FROM changes").Scan(&n); err != nil {
		return err
	}
	if r.seen >= 0 && n != r.seen {
		select {
		case r.changed <- struct{}{}:
		default: // that there was one is told already
		}
	}
	r.seen = n
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Changed tells when a replica, this one too, has changed teams, keys, prices,
// prompts, subscriptions or revisions of the configuration.
func (s *Store) Changed() <-chan struct{} {
	if s.postgres == nil {
		return nil
	}
	return s.postgres.replica.changed
}

// Lead runs a job that one replica may do at a time, whenever this one leads,
// until ctx ends. The job's context ends with the lead.
func (s *Store) Lead(ctx context.Context, job func(context.Context)) {
	if s.postgres == nil {
		job(ctx)
		return
	}
	for ctx.Err() == nil {
		if term := s.postgres.replica.term.Load(); term != nil {
			ctx, cancel := context.WithCancel(ctx)
			stop := context.AfterFunc(*term, cancel)
			job(ctx)
			stop()
			cancel()
		}
		_ = wait(ctx, lookEvery)
	}
}

// Alone does what no two replicas may do at once.
func (s *Store) Alone(ctx context.Context, do func() error) error {
	if s.postgres == nil {
		return do()
	}
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return inWords(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(?, "+ofSchema+")", lockAlone); err != nil {
		return inWords(err)
	}
	defer func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(?, "+ofSchema+")", lockAlone)
	}()
	return do()
}

// abandoned selects the open audit records of replicas that do not run any more.
func (s *Store) abandoned() string {
	if s.postgres == nil {
		return ""
	}
	return ` WHERE replica NOT IN (SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND classid::bigint = ` + replicaLocks + `)`
}
