package gateway

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestLifetime(t *testing.T) {
	l := &lifetime{}
	if l.Err() != nil || l.over() != nil {
		t.Fatal("it is over before it has begun")
	}
	ran := make(chan string, 8)
	stopped := l.AfterFunc(func() { ran <- "stopped" })
	if !stopped() || stopped() {
		t.Error("a function that waits can be stopped once")
	}
	late := l.AfterFunc(func() { ran <- "own" })
	below, cancel := context.WithTimeout(l, time.Hour)
	defer cancel()
	context.AfterFunc(below, func() { ran <- "below" })
	done := l.Done()

	l.end(errCallerLeft)
	l.end(errors.New("another"))
	<-done
	<-l.Done()
	<-below.Done()
	got := map[string]bool{<-ran: true, <-ran: true}
	if !got["own"] || !got["below"] || len(ran) > 0 {
		t.Errorf("ran %v", got)
	}
	if late() {
		t.Error("a function that ran was stopped")
	}
	if l.Err() != context.Canceled || l.over() != errCallerLeft {
		t.Errorf("it is over with %v, %v", l.Err(), l.over())
	}
	l.AfterFunc(func() { ran <- "after" })
	if got := <-ran; got != "after" {
		t.Errorf("ran %s", got)
	}

	unasked := &lifetime{}
	unasked.end(nil)
	<-unasked.Done()
	if unasked.over() != context.Canceled {
		t.Errorf("it is over with %v", unasked.over())
	}
}
