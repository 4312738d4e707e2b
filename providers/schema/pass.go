package schema

// PassRequest is a request in OpenAI's own form that goes to a provider as the
// caller wrote it, but for the model's name.
type PassRequest struct {
	Op     Operation
	Method string
	Path   string // below the API's base, such as /files/file-1/content; may hold a query
	Model  string // the provider's own name; empty: the request names none
	Type   string // the body's media type, with its parameters; empty: no body
	Body   []byte
	// Bytes says that a whole answer is a file, which tells nothing of usage
	// and may be large.
	Bytes bool
}

// PassResponse is the answer of a provider within the process.
type PassResponse struct {
	Type  string // media type
	Body  []byte
	Usage Usage
}
