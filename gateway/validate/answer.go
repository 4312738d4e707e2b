package validate

// Answer is one of the document's.
type Answer struct {
	Status  int
	Type    string // empty: there is no body
	Body    []byte // it is not changed after this
	Headers []Header
	Applied string // the preferences that were met, as Preference-Applied has them
}

// Header is a line of an answer's head.
type Header struct{ Name, Value string }

// Refusal says why there is no answer as it is wanted.
type Refusal struct {
	Status  int
	Message string
}

func (r *Refusal) Error() string { return r.Message }
