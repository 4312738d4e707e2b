package shared

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// newsName is the hash of what is out, for replicas that start.
const newsName = "sluice:health"

// Bounds of news: what waits to be told, and what is kept of it, here and in Redis.
const (
	mostNews     = 1024
	mostNewsKept = 10_000
)

// News has replicas tell each other what their calls and checks have found, of keys
// and targets that are out: facts that end by themselves. What they mean the router
// knows (see router.News). It has a connection of its own, so that what is kept does
// not hold it up, and is down until Run has made that.
type News struct {
	redis rueidis.ClientOption
	hear  func(text string, left, ago time.Duration)
	log   *slog.Logger
	id    string // of this replica, to know its own words
	up    atomic.Bool
	queue chan fact

	mu   sync.Mutex
	mine map[string]fact // what this replica has found and lasts still, by name

	told, heard, lost atomic.Int64
}

// fact is what is told.
type fact struct {
	name, text string
	until      time.Time // zero: it is over
}

// NewNews makes news over what ParseURL gives, of which hear takes in what comes
// from others: a text that one of them has told, for how long it lasts still (0: it
// is over), and how long ago that was.
func NewNews(redis rueidis.ClientOption, hear func(text string, left, ago time.Duration), log *slog.Logger) *News {
	return &News{redis: bounded(redis), hear: hear, log: log, id: rand.Text(), queue: make(chan fact, mostNews), mine: map[string]fact{}}
}

// NewsFigures tell how news goes. The counts are since the start.
type NewsFigures struct {
	Up    bool  `json:"up"`
	Told  int64 `json:"told"`
	Heard int64 `json:"heard"`
	Lost  int64 `json:"lost"` // that were found and could not be told, or not in time
}

// Figures tells how it goes.
func (n *News) Figures() NewsFigures {
	return NewsFigures{Up: n.up.Load(), Told: n.told.Load(), Heard: n.heard.Load(), Lost: n.lost.Load()}
}

// Tell has the others told a text that lasts so long, or, without that, is over. It
// takes the place of what was told under its name. Tell waits for nothing; what
// lasts still is told when Redis is there again.
func (n *News) Tell(name, text string, left time.Duration) {
	f := fact{name: name, text: text}
	n.mu.Lock()
	if left > 0 {
		f.until = time.Now().Add(left)
		n.keep(f)
	} else {
		delete(n.mine, f.name)
	}
	n.mu.Unlock()
	select {
	case n.queue <- f:
	default:
		n.lost.Add(1)
	}
}

// keep remembers a fact, if there is room. The lock is held.
func (n *News) keep(f fact) {
	if len(n.mine) >= mostNewsKept {
		for name, old := range n.mine {
			if time.Until(old.until) <= 0 {
				delete(n.mine, name)
			}
		}
	}
	if _, there := n.mine[f.name]; there || len(n.mine) < mostNewsKept {
		n.mine[f.name] = f
	}
}

// Run tells and hears until ctx ends.
func (n *News) Run(ctx context.Context) {
	told := false // that it is down
	for ctx.Err() == nil {
		err := n.follow(ctx)
		if n.up.Swap(false) {
			told = false
		}
		if ctx.Err() != nil {
			return
		}
		if !told {
			n.log.Warn("the shared Redis cannot be used: replicas do not tell each other what is out until it can", "error", err)
		}
		told = true
		select {
		case <-ctx.Done():
		case <-time.After(againTime):
		}
	}
}

func (n *News) channel() string { return "sluice:health:" + strconv.Itoa(n.redis.SelectDB) }

// follow makes a connection and is up until it breaks.
func (n *News) follow(ctx context.Context) error {
	client, err := rueidis.NewClient(n.redis)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sub := subscribe(ctx, client, func() { n.lost.Add(1) }, n.channel())
	for {
		queue := n.queue
		if !n.up.Load() {
			queue = nil
		}
		select {
		case <-sub.ready:
			if err := n.begin(ctx, client); err != nil {
				return err
			}
		case m := <-sub.heard:
			head, text, _ := strings.Cut(m.Message, " ")
			if from, left, _ := strings.Cut(head, "/"); from != n.id {
				n.take(left, "0", text)
			}
		case f := <-queue:
			if err := n.tell(ctx, client, f); err != nil {
				n.lost.Add(1)
				return fmt.Errorf("cannot tell what is out: %w", err)
			}
		case err := <-sub.ended:
			return err
		}
	}
}

// begin hears what is out, tells what this replica has found, and is up.
func (n *News) begin(ctx context.Context, client rueidis.Client) error {
	within, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	list, err := outScript.Exec(within, client, []string{newsName}, nil).AsStrSlice()
	if err != nil {
		return fmt.Errorf("cannot read what is out: %w", err)
	}
	for ; len(list) > 2; list = list[3:] {
		n.take(list[0], list[1], list[2])
	}
	for drained := false; !drained; { // of it, mine has what lasts
		select {
		case <-n.queue:
		default:
			drained = true
		}
	}
	n.mu.Lock()
	var mine []fact
	for _, f := range n.mine {
		mine = append(mine, f)
	}
	n.mu.Unlock()
	for _, f := range mine {
		if time.Until(f.until) <= 0 {
			continue
		}
		if err := n.tell(within, client, f); err != nil {
			return err
		}
	}
	if !n.up.Swap(true) {
		n.log.Info("replicas tell each other what is out", "redis", n.redis.InitAddress[0], "database", n.redis.SelectDB)
	}
	return nil
}

// outScript gives what is out, each with the milliseconds that are left of it and
// those since it was told, and forgets what was.
var outScript = rueidis.NewLuaScript(`local t = redis.call('TIME')
local now, out = t[1] * 1000 + math.floor(t[2] / 1000), {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local till, told, text = string.match(all[i + 1], '^(%d+) (%d+) (.*)$')
  if till and tonumber(till) > now then
    out[#out + 1] = string.format('%.0f', till - now)
    out[#out + 1] = string.format('%.0f', math.max(now - told, 0))
    out[#out + 1] = text
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return out`)

// newsScript keeps a fact for as long as it lasts, or takes it out where it is
// over, and tells the replicas.
var newsScript = rueidis.NewLuaScript(`local t = redis.call('TIME')
local now, left = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[2])
if left <= 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
elseif redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 or redis.call('HLEN', KEYS[1]) < tonumber(ARGV[6]) then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %.0f ', now + left, now) .. ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
end
return redis.call('PUBLISH', ARGV[4], ARGV[5] .. '/' .. ARGV[2] .. ' ' .. ARGV[3])`)

// longestNews is how long a fact lasts at most.
const longestNews = 25 * time.Hour

func (n *News) tell(ctx context.Context, client rueidis.Client, f fact) error {
	var left int64
	if !f.until.IsZero() {
		if left = time.Until(f.until).Milliseconds(); left <= 0 {
			return nil // it was over before it could be told
		}
	}
	within, cancel := context.WithTimeout(ctx, leaseTime)
	defer cancel()
	err := newsScript.Exec(within, client, []string{newsName}, []string{f.name, strconv.FormatInt(left, 10), f.text, n.channel(), n.id,
		strconv.Itoa(mostNewsKept), strconv.FormatInt(longestNews.Milliseconds(), 10)}).Error()
	if err == nil {
		n.told.Add(1)
	}
	return err
}

// take hears a fact, of which so many milliseconds are left, and which was told so
// many ago.
func (n *News) take(left, ago, text string) {
	var times [2]time.Duration
	for i, digits := range []string{left, ago} {
		ms, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || ms < 0 {
			return
		}
		times[i] = time.Duration(min(ms, longestNews.Milliseconds())) * time.Millisecond
	}
	n.heard.Add(1)
	n.hear(text, times[0], times[1])
}
