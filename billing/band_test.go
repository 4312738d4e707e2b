package billing

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// series makes days as a kind of traffic has them.
type series func(at time.Time, r *rand.Rand) float64

func evenly(_ time.Time, r *rand.Rand) float64 { return max(100+20*r.NormFloat64(), 0) }

// office has little on weekends.
func office(at time.Time, r *rand.Rand) float64 {
	if w := at.Weekday(); w == time.Saturday || w == time.Sunday {
		return max(20+10*r.NormFloat64(), 0)
	}
	return max(140+25*r.NormFloat64(), 0)
}

// bursts are far apart: most days have little, some a lot.
func bursts(_ time.Time, r *rand.Rand) float64 { return 100 * math.Exp(0.6*r.NormFloat64()) }

// coverage is how many of a thousand months end within the band that was told of
// them at some time of the month, after so many days of history.
func coverage(t *testing.T, make series, history int, known bool) int {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(history), 7))
	since := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	until := since.AddDate(0, 1, 0)
	within := 0
	for range 1000 {
		first := since.AddDate(0, -1, -bandDays)
		used := map[time.Time]float64{}
		for at := first; at.Before(until); at = at.AddDate(0, 0, 1) {
			used[at] = make(at, r)
		}
		passed := 3 + r.IntN(24)
		now := since.AddDate(0, 0, passed)
		total, spent, before := 0.0, 0.0, 0.0
		for at, n := range used {
			switch {
			case !at.Before(now):
				total += n
			case !at.Before(since):
				total, spent = total+n, spent+n
			case !at.Before(since.AddDate(0, -1, 0)):
				before += n
			}
		}
		p := &past{until: now}
		for i := range history {
			p.days = append(p.days, int64(used[now.AddDate(0, 0, i-history)]*float64(Dollar)))
		}
		window := pace{since: since, until: until}
		if known {
			window.before, window.known = int64(before*float64(Dollar)), true
		}
		gone := int64(spent * float64(Dollar))
		_, forecast, ok := foresee(math.MaxInt64, gone, window, now)
		low, high, told := p.band(gone, forecast, window, now)
		if !ok || !told {
			t.Fatal("nothing was told")
		}
		if end := int64(total * float64(Dollar)); low <= end && end <= high {
			within++
		}
	}
	return within
}

// Of five windows four end within the band, whatever the days are like.
func TestBandCovers(t *testing.T) {
	for name, c := range map[string]struct {
		of      series
		history int
	}{
		"even days, a week": {evenly, 7}, "even days, a fortnight": {evenly, 14}, "even days, three weeks": {evenly, 21}, "even days, eight weeks": {evenly, 56},
		"weekends, three weeks": {office, 21}, "weekends, eight weeks": {office, 56}, "bursts": {bursts, 56},
	} {
		for _, known := range []bool{false, true} {
			if n := coverage(t, c.of, c.history, known); n < 740 || n > 900 {
				t.Errorf("%s (%v): %d of 1000 months ended within the band", name, known, n)
			} else {
				t.Logf("%s (%v): %d", name, known, n)
			}
		}
	}
}

// With weekends in mind the band is narrower than without.
func TestBandKnowsWeekdays(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 6, 12, 0, 0, 0, 0, time.UTC)
	window := pace{since: now.AddDate(0, 0, -11), until: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}
	p := &past{until: now}
	for i := range bandDays {
		p.days = append(p.days, int64(office(now.AddDate(0, 0, i-bandDays), r)*float64(Dollar)))
	}
	spent := int64(1200 * Dollar)
	_, forecast, _ := foresee(math.MaxInt64, spent, window, now)
	low, high, _ := p.band(spent, forecast, window, now)
	p.days = p.days[len(p.days)-bandWeekdays+1:]
	wideLow, wideHigh, _ := p.band(spent, forecast, window, now)
	if high-low >= wideHigh-wideLow {
		t.Errorf("%v to %v, without weekdays %v to %v", Nano(low), Nano(high), Nano(wideLow), Nano(wideHigh))
	}
}

func TestBandIsUnknown(t *testing.T) {
	now := time.Date(2026, 6, 12, 0, 0, 0, 0, time.UTC)
	month := pace{since: now.AddDate(0, 0, -11), until: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}
	week := []int64{1, 2, 3, 4, 5, 6, 7}
	for name, c := range map[string]struct {
		days   []int64
		window pace
		want   bool
	}{
		"a week of days": {week, month, true}, "six days": {week[1:], month, false}, "no window": {week, pace{}, false},
		"a day's window": {week, pace{since: now, until: now.AddDate(0, 0, 1), known: true}, false}, "the first moment": {week, pace{since: now, until: now.AddDate(0, 0, 7)}, false},
		"the first moment, after a week": {week, pace{since: now, until: now.AddDate(0, 0, 7), known: true}, true},
	} {
		if _, _, ok := (&past{until: now, days: c.days}).band(10, 20, c.window, now); ok != c.want {
			t.Errorf("%s: %v", name, ok)
		}
	}
	if _, _, ok := (*past)(nil).band(10, 20, month, now); ok {
		t.Error("nothing was read, and yet it tells")
	}
}

// The band has the forecast in it, and what is spent below it, whatever was.
func TestBandHoldsTheForecast(t *testing.T) {
	since := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		until := since.AddDate(0, 0, rapid.IntRange(7, 60).Draw(t, "length"))
		p := pace{since, until, rapid.Int64Range(0, 1<<60).Draw(t, "before"), rapid.Bool().Draw(t, "known")}
		now := since.Add(time.Duration(rapid.Int64Range(0, int64(until.Sub(since))).Draw(t, "elapsed")))
		days := &past{until: now.Truncate(24 * time.Hour), days: rapid.SliceOfN(rapid.Int64Range(-1<<40, 1<<60), 7, bandDays).Draw(t, "days")}
		spent := rapid.Int64Range(0, 1<<60).Draw(t, "spent")
		s := BudgetStatus{Limit: 1 << 60, Spent: spent}
		s.foresee(p, days, now)
		if s.Forecast == nil {
			if s.ForecastLow != nil || s.ForecastHigh != nil {
				t.Fatal("a band without a forecast")
			}
			return
		}
		if s.ForecastLow == nil || *s.ForecastLow < spent || *s.ForecastLow > *s.Forecast || *s.ForecastHigh < *s.Forecast {
			t.Fatalf("spent %d, forecast %d, %v to %v", spent, *s.Forecast, s.ForecastLow, s.ForecastHigh)
		}
	})
}
