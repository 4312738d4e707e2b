package limit

import (
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
)

// Adaptive bounds how many requests a backend works on at once: by more while
// they take as long as ever, by less as they take longer. It is safe for
// concurrent use.
type Adaptive struct {
	Least, Most int64
	limiter     adaptivelimiter.AdaptiveLimiter[any]
}

// Permit is for one request. It is given back once, by Record, which learns
// from how long the request took, or by Drop.
type Permit = adaptivelimiter.Permit

// adaptiveMemory is for how long a bound is kept up after busier times.
const adaptiveMemory = time.Minute

// firstAdaptive is what the bound begins with, if least and most let it.
const firstAdaptive = 20

// NewAdaptive makes a bound that stays from least to most. changed is told what
// it is whenever it changes.
func NewAdaptive(least, most int64, changed func(bound int64)) *Adaptive {
	first := min(max(least, firstAdaptive), most)
	limiter := adaptivelimiter.NewBuilder[any]().
		WithLimits(uint(least), uint(most), uint(first)).
		WithMaxLimitStabilizationWindow(adaptiveMemory).
		OnLimitChanged(func(e adaptivelimiter.LimitChangedEvent) { changed(int64(e.NewLimit)) }).
		Build()
	return &Adaptive{Least: least, Most: most, limiter: limiter}
}

// Take takes a permit; false: as many are out as may be.
func (a *Adaptive) Take() (Permit, bool) { return a.limiter.TryAcquirePermit() }

// Bound is what the bound is now.
func (a *Adaptive) Bound() int64 { return int64(a.limiter.Limit()) }

// Open is how many permits are out.
func (a *Adaptive) Open() int64 { return int64(a.limiter.Inflight()) }
