package prompts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// exams are how the tests of files went that are to be published.
type exams struct {
	running sync.Mutex // one round at a time: each costs money

	// Guarded by the registry's lock.
	begun   bool                // files wait for their tests
	results map[string][]string // what failed, by name and digest
}

// TestFiles has files whose prompt has sluice.tests wait for TestDir from now
// on. Before, when there is nothing yet that could answer a test, a file that
// has no earlier version is served untested, and any other waits.
func (r *Registry) TestFiles() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exams.begun = true
}

// TestDir runs the tests of the files that wait for them; with again, also those
// of files that have failed. PublishDir then publishes what passed. It tells
// whether there were any.
func (r *Registry) TestDir(ctx context.Context, dir string, models Models, again bool) (ran bool, err error) {
	r.exams.running.Lock()
	defer r.exams.running.Unlock()
	var ignored Faults
	files, err := scan(dir, &ignored) // PublishDir tells of them
	if err != nil {
		return false, fmt.Errorf("cannot read the prompts of %q: %w", dir, err)
	}
	results := map[string][]string{}
	for _, f := range files {
		l, faults := r.read(f.name, f.path, f.source, f.partials)
		if f.source == nil || len(faults) > 0 || len(l.Template.Sluice.Tests) == 0 {
			continue
		}
		sum := digest(bundle(l.Source, l.Partials))
		failed, waits := r.examined(l.Name, sum)
		if waits || again && len(failed) > 0 {
			ran, failed = true, nil
			for _, g := range Rated(l.Template.RunTests(ctx, models, "", nil)) {
				if line := g.Line(); line != "" {
					failed = append(failed, line)
				}
			}
			if ctx.Err() != nil { // which says nothing of the file
				return ran, ctx.Err()
			}
		}
		results[l.Name+"@"+sum] = failed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exams.results = results
	return ran, nil
}

// examined tells what of a file's tests failed, or that they are to be run.
func (r *Registry) examined(name, sum string) (failed []string, waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files[name].digest == sum { // it is published
		return nil, false
	}
	failed, known := r.exams.results[name+"@"+sum]
	return failed, !known
}

// passes tells whether a file may be published; if not, what was served stays.
func (r *Registry) passes(ctx context.Context, s *Set, l *Live, f file, report *Report) (bool, error) {
	if len(l.Template.Sluice.Tests) == 0 {
		return true, nil
	}
	failed, known := r.exams.results[l.Name+"@"+digest(bundle(l.Source, l.Partials))]
	if known && len(failed) == 0 {
		return true, nil
	}
	if !known && !r.exams.begun {
		versions, err := r.versions(ctx, l.Name)
		if len(versions) == 0 || err != nil {
			return err == nil, err
		}
	}
	if !known {
		report.Waiting = append(report.Waiting, l.Name)
	}
	for _, line := range failed {
		report.Faults.addf(f.path, l.Template.lines["sluice.tests"], "sluice.tests: %s", line)
	}
	if _, served := s.byName[l.Name]; served {
		r.keep(l.Name, s)
		return false, nil
	}
	r.files[l.Name] = fileState{} // so that its last version counts as one that is there
	err := r.refresh(ctx, s, l.Name)
	if _, served := s.byName[l.Name]; !served {
		delete(r.files, l.Name)
	}
	return false, err
}

// Failed tells whether files of a report were kept back by their tests, and
// others were published, which those may have asked.
func (r *Report) Failed() bool {
	return len(r.Published) > 0 && slices.ContainsFunc(r.Faults, func(f Fault) bool { return strings.HasPrefix(f.Message, "sluice.tests: ") })
}
