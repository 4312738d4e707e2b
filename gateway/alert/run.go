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
	var sending sync.WaitGroup
	defer e.Keep()
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
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every()):
		}
	}
}
