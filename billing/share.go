package billing

import (
	"math"
	"slices"
	"time"

	"sluice/providers/schema"
)

// share divides the limits of one account (a provider's) between the teams that
// ask for them: as long as there is enough, everybody gets what it asks for;
// where all that was asked for of late is more than the limit, no team gets
// more than its part by weight until the others have what they ask for. What a
// team does not ask for goes to the others by weight (max-min fairness), and a
// team that comes back has its part again as soon as what others used leaves
// the window. Nothing waits and nothing that runs is stopped: of very few calls
// at once, a place goes to whoever asks first when it is free.
type share struct {
	byTeam   map[string]*portion
	portions []*portion // of the teams with anything in their windows
	weights  int64      // all of theirs
	refused  demand     // of all of them together
	second   int64      // to which all of them were moved on
}

// portion is what one team has used, and what it was refused.
type portion struct {
	team    string
	weight  int64
	used    limiter // whose lock is that of the account's limiter
	refused demand
}

// demand is what each kind of limit refused. It is kept until after the caller
// was told to come back, but for limits of a day, where that may be tomorrow:
// there a team that has not asked for an hour asks for nothing.
type demand struct{ minute, day, parallel window }

var (
	minuteDemand   = stretch{1, 65}
	dayDemand      = stretch{600, 7}
	parallelDemand = stretch{1, 4}
)

func newDemand() demand {
	return demand{minute: window{span: &minuteDemand}, day: window{span: &dayDemand}, parallel: window{span: &parallelDemand}}
}

func (d *demand) advance(second int64) {
	d.minute.advance(second)
	d.day.advance(second)
	d.parallel.advance(second)
}

// add counts what a limit refused.
func (d *demand) add(second int64, u use, no *refusal) {
	d.advance(second)
	switch {
	case no.what == parallelCalls:
		d.parallel.add(second, u)
	case no.day:
		d.day.add(second, u)
	default:
		d.minute.add(second, u)
	}
}

func (d *demand) empty() bool { return d.minute.n == 0 && d.day.n == 0 && d.parallel.n == 0 }

// of is how much of a limit was asked for in vain.
func (d *demand) of(b *bound) int64 {
	switch {
	case b.of == nil:
		return d.parallel.sum.requests
	case b.day:
		return b.of(d.day.sum)
	}
	return b.of(d.minute.sum)
}

// usedOf is how much of a limit is used.
func (l *limiter) usedOf(b *bound) int64 {
	if b.of == nil {
		return l.parallel
	}
	if w := l.window(b); w != nil {
		return b.of(w.sum)
	}
	return 0 // it is of before there was such a limit
}

// AdmitFor is Admit for an owner whose limits are shared: a call of a caller
// gets no more of what is scarce than its team's share. It is for owners that
// have no parent.
func (o *Owner) AdmitFor(caller *Owner, now time.Time, ask Ask) (Ticket, *schema.Error) {
	if len(o.limits) == 0 {
		return Ticket{}, nil
	}
	ask = ask.bounded()
	at := o.book.steady(now)
	ticket, no := o.admitShared(caller, at/1e9, ask)
	if no.by != nil {
		return Ticket{}, no.error(at)
	}
	err := ticket.lease(now)
	return ticket, err
}

// admitShared is AdmitFor at a second of the Book's steady clock.
func (o *Owner) admitShared(caller *Owner, second int64, ask Ask) (Ticket, refusal) {
	u := use{1, ask.Input, ask.Output}
	link := &o.limits[0]
	l := link.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(second)
	s := o.links[0].account.sharing()
	p := s.portion(caller, link.limits)
	var no refusal
	no.check(link, u)
	if no.by == nil {
		s.check(&no, p, link, u)
	}
	if no.by == nil {
		l.add(l.second, u)
		l.parallel++
		p.used.advance(l.second)
		p.used.add(l.second, u)
		p.used.parallel++
		return Ticket{owner: o, portion: p, second: l.second, ask: ask}, no
	}
	if no.free != math.MaxInt64 {
		p.refused.add(l.second, u, &no)
		s.refused.add(l.second, u, &no)
	}
	return Ticket{}, no
}

// sharing is the account's share, made when it is first needed.
func (a *account) sharing() *share {
	if a.share == nil {
		a.share = &share{byTeam: map[string]*portion{}, refused: newDemand()}
	}
	return a.share
}

// Weight is what the owner's team, or the team that it is, weighs against
// others: at least 1.
func (o *Owner) Weight() int64 {
	if team := o.team(); team != nil && team.more != nil {
		return max(team.more.weight, 1)
	}
	return 1
}

// portion is that of a caller's team.
func (s *share) portion(caller *Owner, limits *Limits) *portion {
	p := s.byTeam[caller.Team]
	if p == nil {
		p = &portion{team: caller.Team, refused: newDemand()}
		s.byTeam[p.team] = p
		s.portions = append(s.portions, p)
	}
	weight := caller.Weight()
	s.weights += weight - p.weight
	p.weight = weight
	p.used.ready(*limits)
	return p
}

// check finds the limits of which a team has had its share, where one is
// scarce: where what is used, what was asked for in vain and what this call
// needs is more than the limit.
func (s *share) check(no *refusal, p *portion, l *limitLink, u use) {
	second := l.limiter.second
	s.refused.advance(second)
	look := func(b *bound, need int64) {
		if b.limit == 0 || need == 0 || l.limiter.usedOf(b)+s.refused.of(b)+need <= b.limit {
			return
		}
		s.advance(second, p)
		if used := p.used.usedOf(b); !s.below(p, b, used) {
			no.at(refusal{by: l, team: p.team, what: b.what, unit: b.unit, day: b.day, limit: b.limit, need: need, free: s.freeAt(p, b, used, second)})
		}
	}
	look(&bound{limit: l.limits.Parallel, what: parallelCalls, unit: "calls at once"}, 1)
	bounds := l.limits.bounds()
	for i := range bounds {
		look(&bounds[i], bounds[i].of(u))
	}
}

// advance moves the windows of all teams on, once a second, and forgets those
// that have nothing in theirs but the one that asks.
func (s *share) advance(second int64, asks *portion) {
	if s.second == second {
		return
	}
	s.second = second
	s.portions = slices.DeleteFunc(s.portions, func(p *portion) bool {
		p.used.advance(second)
		p.refused.advance(second)
		if p == asks || !p.used.empty() || !p.refused.empty() {
			return false
		}
		delete(s.byTeam, p.team)
		s.weights -= p.weight
		return true
	})
}

func (l *limiter) empty() bool {
	day := l.day()
	return l.parallel == 0 && l.minute.n == 0 && (day == nil || day.n == 0)
}

// below tells whether a team that has used so much of a limit has had less than
// its share: whether there is any of the limit left when every team has as much
// for its weight, or all that it asks for if that is less. In whole numbers:
// all is multiplied by the weight of the team that asks.
func (s *share) below(p *portion, b *bound, used int64) bool {
	if used*s.weights < b.limit*p.weight { // even if all the others want as much
		return true
	}
	taken := p.weight * used
	for _, q := range s.portions {
		if q != p {
			wants := min(q.used.usedOf(b)+q.refused.of(b), b.limit)
			taken += min(wants*p.weight, used*q.weight)
		}
	}
	return taken < b.limit*p.weight
}

// freeAt is the second in which the team is below its share again, if nobody
// else asks for more.
func (s *share) freeAt(p *portion, b *bound, used, second int64) int64 {
	if b.of == nil {
		return second + 1
	}
	w := p.used.window(b)
	free := second + 1
	for i := int32(0); i < w.n && !s.below(p, b, used); i++ {
		used -= b.of(w.nth(i).use)
		free = (w.nth(i).at + w.span.slots) * w.span.width
	}
	return free
}
