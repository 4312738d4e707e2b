package proxy

import (
	"errors"
	"testing"

	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
)

// What says nothing of how busy a backend is teaches nothing.
func TestAdaptiveLearnsFrom(t *testing.T) {
	for _, c := range []struct {
		status int
		err    error
		want   bool
	}{
		{200, nil, true}, {404, nil, true}, {504, nil, true}, {429, nil, false}, {500, nil, false}, {503, nil, false},
		{0, &schema.Error{Code: schema.CodeUpstreamTimeout}, true}, {0, &schema.Error{Code: schema.CodeUpstream}, false},
		{0, &schema.Error{Code: schema.CodeClientClosed}, false}, {0, errors.New("x"), false},
	} {
		x := &Exchange{RC: new(fasthttp.RequestCtx)}
		x.RC.Response.SetStatusCode(c.status)
		if got := tells(x, c.err); got != c.want {
			t.Errorf("%d %v: %v", c.status, c.err, got)
		}
	}
}
