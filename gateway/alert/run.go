package alert

import (
	"context"
	"sync"
	"time"
)

// atOnce is how many messages a receiver is sent at the same time.
const atOnce = 4

// Run looks at the rules every so often and delivers, until ctx ends. What is
// under way then is given up; it is still owed after a restart.
func (e *Engine) Run(ctx context.Context, every func() time.Duration, s *Sender) {
	if e.shelf.Shared && !e.follow(ctx) {
		return
	}
	var sending sync.WaitGroup
	defer e.keep(ctx)
	defer sending.Wait()
	room := map[string]chan struct{}{} // by receiver: one that is dead holds up no other
	for {
		for _, n := range e.Tick(ctx, time.Now()) {
			if room[n.Receiver] == nil {
				room[n.Receiver] = make(chan struct{}, atOnce)
			}
			slot := room[n.Receiver]
			sending.Go(func() {
				slot <- struct{}{}
				defer func() { <-slot }()
				err := s.Send(ctx, &n)
				if ctx.Err() != nil && err != nil {
					return
				}
				e.Done(&n, time.Now(), err)
				e.keep(ctx) // at once: who comes next is not to tell it again
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every()):
		}
	}
}

// follow takes over what another replica did last; false: ctx has ended.
func (e *Engine) follow(ctx context.Context) bool {
	for ctx.Err() == nil {
		err := e.recall(ctx)
		if err == nil {
			e.log.Info("this replica looks at the alerts")
			return true
		}
		e.log.Warn("it is not known yet whom another replica has told of alerts", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return false
}
