package billing

// Period is the span of a budget: hour, day, week, month, total, or a rolling
// number of days such as 30d.
type Period string
