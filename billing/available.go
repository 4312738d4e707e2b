package billing

// Available is the least that any hard budget of the owner, or above it, has
// left for new calls; ok is false where there is no hard budget.
func (o *Owner) Available() (least Nano, ok bool) {
	if !o.hard {
		return 0, false
	}
	now := o.book.now()
	o.lock()
	defer o.unlock()
	for i := range o.links {
		l := &o.links[i]
		if l.budget == nil || !l.budget.Hard {
			continue
		}
		l.meter.roll(now, o.book.loc)
		if left := l.left(); !ok || left < least {
			least, ok = left, true
		}
	}
	return least, ok
}
