package shared

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// bounded has a client of Redis neither keep anything nor wait long.
func bounded(o rueidis.ClientOption) rueidis.ClientOption {
	o.DisableCache, o.DisableRetry, o.ForceSingleClient = true, true, true
	o.Dialer.Timeout, o.Dialer.KeepAlive, o.ConnWriteTimeout = 2*time.Second, time.Second, 2*time.Second
	o.ReadBufferEachConn, o.WriteBufferEachConn = 64<<10, 64<<10
	o.ClientName = "sluice"
	return o
}

// Names in Redis. Channels are common to all databases, so that theirs have the
// number.
const logName = "sluice:purges"

func (l *Level) eventChannel() string { return "sluice:purge:" + strconv.Itoa(l.o.Redis.SelectDB) }
func (l *Level) ownChannel() string   { return "sluice:purged:" + strconv.Itoa(l.o.Redis.SelectDB) }

// followRedis makes a connection and is up until it breaks. up tells whether it
// was.
func (l *Level) followRedis(ctx context.Context) (up bool, err error) {
	client, err := rueidis.NewClient(bounded(l.o.Redis))
	if err != nil {
		return false, err
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &session{&inRedis{client, l.ownChannel(), l.id}, cancel}
	sub := subscribe(ctx, client, func() { l.postpone(Purge{}); cancel() }, l.eventChannel(), l.ownChannel())
	defer l.session.CompareAndSwap(s, nil)
	for {
		select {
		case <-sub.ready:
			list, err := readLog(ctx, client)
			if err != nil {
				return false, fmt.Errorf("cannot read the log of purges: %w", err)
			}
			if err := l.begin(ctx, s, list); err != nil {
				return false, err
			}
			up = true
		case m := <-sub.heard:
			l.hear(ctx, s, m)
		case err := <-sub.ended:
			return up, err
		}
	}
}

// subscription is what is heard over channels.
type subscription struct {
	ready chan struct{} // once Redis has confirmed all of them
	heard chan rueidis.PubSubMessage
	ended chan error
}

// subscribe hears channels until ctx ends. overflow is called where what was heard
// is not taken.
func subscribe(ctx context.Context, client rueidis.Client, overflow func(), channels ...string) subscription {
	s := subscription{make(chan struct{}, 1), make(chan rueidis.PubSubMessage, mostHeard), make(chan error, 1)}
	confirmed := 0
	ctx = rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) {
		if confirmed++; confirmed == len(channels) {
			s.ready <- struct{}{}
		}
	})
	go func() {
		err := client.Receive(ctx, client.B().Subscribe().Channel(channels...).Build(), func(m rueidis.PubSubMessage) {
			select {
			case s.heard <- m:
			default: // it must not keep the connection, which answers come by, waiting
				overflow()
			}
		})
		if err == nil {
			err = errors.New("the subscription has ended")
		}
		s.ended <- err
	}()
	return s
}

// readLog reads the log, which it begins where there is none.
func readLog(ctx context.Context, c rueidis.Client) ([]record, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for range 2 {
		entries, err := c.Do(ctx, c.B().Xrange().Key(logName).Start("-").End("+").Build()).AsXRange()
		if err != nil {
			return nil, err
		}
		var list []record
		for _, e := range entries {
			id, ok := ParseID(e.ID)
			if !ok {
				return nil, fmt.Errorf("%q is no id of a stream", e.ID)
			}
			text, purges := e.FieldValues["purge"]
			list = append(list, record{id: id, purge: parseOwn(text), beginning: !purges})
		}
		if len(list) > 0 {
			return list, nil
		}
		if err := c.Do(ctx, c.B().Xadd().Key(logName).Id("*").FieldValue().FieldValue("begins", "1").Build()).Error(); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("it is empty after it was begun")
}

// hear takes in what came over a channel.
func (l *Level) hear(ctx context.Context, s *session, m rueidis.PubSubMessage) {
	if m.Channel == l.eventChannel() {
		l.hearEvent(ctx, s, m.Message)
		return
	}
	from, rest, _ := strings.Cut(m.Message, " ")
	at, text, ok := strings.Cut(rest, " ")
	switch id, logged := ParseID(at); {
	case ok && logged:
		l.apply(record{id: id, purge: parseOwn(text)})
	case ok && at == "-" && from != l.id: // a change, which is in no log
		l.counts.purges.Add(1)
		l.o.Purge(parseOwn(text))
	}
}

// hearEvent takes in a purge by another system. It reaches every replica, and
// each has it logged: they do not know of one another.
func (l *Level) hearEvent(ctx context.Context, s *session, text string) {
	p, err := ParseEvent(text)
	if err != nil {
		l.counts.refused.Add(1)
		l.o.Log.Warn("an event that should purge kept answers cannot be understood", "channel", l.eventChannel(), "error", err)
		return
	}
	if n, told := l.heard(ctx, s, p); told {
		l.o.Log.Info("an event has purged kept answers", "purged", n, "event", p.text())
	}
}

// inRedis is a link to Redis.
type inRedis struct {
	client  rueidis.Client
	channel string // that replicas hear on
	id      string // of this replica
}

func (r *inRedis) get(ctx context.Context, keys []string) ([][]byte, error) {
	list, err := r.client.Do(ctx, r.client.B().Mget().Key(keys...).Build()).ToArray()
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(list))
	for i := range list {
		values[i], _ = list[i].AsBytes() // it is not there
	}
	return values, nil
}

func (r *inRedis) put(ctx context.Context, list []item) (kept int) {
	cmds := make(rueidis.Commands, len(list))
	for i, it := range list {
		cmds[i] = r.client.B().Set().Key(it.key).Value(rueidis.BinaryString(it.value)).Px(it.ttl).Build()
	}
	for _, answer := range r.client.DoMulti(ctx, cmds...) {
		if answer.Error() == nil {
			kept++
		}
	}
	return kept
}

// purgeScript puts a purge into the log and tells the replicas, both or neither.
var purgeScript = rueidis.NewLuaScript(`local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'purge', ARGV[2])
return {id, redis.call('PUBLISH', ARGV[3], ARGV[4] .. ' ' .. id .. ' ' .. ARGV[2])}`)

func (r *inRedis) tell(ctx context.Context, p Purge) (id ID, replicas int64, err error) {
	reply, err := purgeScript.Exec(ctx, r.client, []string{logName},
		[]string{strconv.Itoa(mostRecords), p.text(), r.channel, r.id}).ToArray()
	if err != nil {
		return id, 0, err
	}
	if len(reply) != 2 {
		return id, 0, errors.New("the answer to a purge is none")
	}
	text, err := reply[0].ToString()
	if err != nil {
		return id, 0, err
	}
	id, ok := ParseID(text)
	if !ok {
		return id, 0, fmt.Errorf("%q is no id of a stream", text)
	}
	replicas, err = reply[1].AsInt64()
	return id, replicas, err
}

func (r *inRedis) record(ctx context.Context, p Purge) (ID, error) {
	text, err := r.client.Do(ctx, r.client.B().Xadd().Key(logName).Maxlen().Almost().Threshold(strconv.Itoa(mostRecords)).Id("*").
		FieldValue().FieldValue("purge", p.text()).Build()).ToString()
	if err != nil {
		return ID{}, err
	}
	id, ok := ParseID(text)
	if !ok {
		return ID{}, fmt.Errorf("%q is no id of a stream", text)
	}
	return id, nil
}

var changeScript = rueidis.NewLuaScript(`redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('PUBLISH', ARGV[3], ARGV[4])`)

func (r *inRedis) change(ctx context.Context, turn string, p Purge) error {
	return changeScript.Exec(ctx, r.client, []string{turn},
		[]string{rand.Text(), strconv.FormatInt(longest.Milliseconds(), 10), r.channel, r.id + " - " + p.text()}).Error()
}
