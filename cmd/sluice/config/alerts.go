package config

import (
	"errors"
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/gateway/alert"
)

// Alerts are what to tell of, and whom.
type Alerts struct {
	Every     time.Duration            `json:"every"` // how often rules are looked at
	Receivers map[string]AlertReceiver `json:"receivers"`
	Rules     map[string]AlertRule     `json:"rules"`
}

// AlertReceiver is somebody who is told, by one of its fields.
type AlertReceiver struct {
	Webhook *Webhook    `json:"webhook"`
	Slack   Secret      `json:"slack"` // the address of an incoming webhook, which lets whoever knows it post
	Email   *AlertEmail `json:"email"`
}

// AlertEmail is a mailbox and the server that takes mail for it.
type AlertEmail struct {
	Server   string `json:"server"` // host:port
	TLS      string `json:"tls" enum:"starttls,implicit,none"`
	User     string `json:"user"`
	Password Secret `json:"password"`
	From     string `json:"from"`
	To       Words  `json:"to"`
}

// AlertRule is one thing to look for: one of Threshold, BurnRate, Budget and
// Anomaly, narrowed to what is named, split by Each.
type AlertRule struct {
	Threshold *AlertThreshold `json:"threshold"`
	BurnRate  *AlertBurnRate  `json:"burn_rate"`
	Budget    *AlertBudget    `json:"budget"`
	Anomaly   *AlertAnomaly   `json:"anomaly"`

	Team     string `json:"team"`
	Key      string `json:"key"` // team/name
	Model    string `json:"model"`
	Provider string `json:"provider"`
	Target   string `json:"target"` // provider/model
	Prompt   string `json:"prompt"`
	Route    string `json:"route"`
	Each     string `json:"each" enum:"team,key,model,provider,target,prompt,route"`

	For       time.Duration `json:"for"`
	Repeat    time.Duration `json:"repeat"` // 0: never
	Severity  string        `json:"severity" enum:"critical,warning"`
	Summary   string        `json:"summary"`
	Receivers Words         `json:"receivers"` // none: all
	MuteUntil time.Time     `json:"mute_until"`
}

// AlertThreshold is a bound of a figure.
type AlertThreshold struct {
	Figure string        `json:"figure"` // of alert.Figures
	Above  *Level        `json:"above"`
	Below  *Level        `json:"below"`
	Over   time.Duration `json:"over"`
	Calls  int64         `json:"calls"` // of fewer, shares and times say nothing
}

// AlertBurnRate is an objective, and how fast its error budget may be spent.
type AlertBurnRate struct {
	Objective float64       `json:"objective"`
	Windows   []AlertWindow `json:"windows"` // none: alert.BurnWindows
	Calls     int64         `json:"calls"`
}

// AlertWindow is a pair of windows.
type AlertWindow struct {
	Long  time.Duration `json:"long"`
	Short time.Duration `json:"short"`
	Burn  float64       `json:"burn"`
}

// AlertBudget are shares of budgets.
type AlertBudget struct {
	Used     float64 `json:"used"`
	Forecast float64 `json:"forecast"`
}

// AlertAnomaly is how odd an hour may be.
type AlertAnomaly struct {
	Figure     string  `json:"figure" enum:"cost,calls,tokens"`
	Days       int64   `json:"days"`
	Deviations float64 `json:"deviations"`
	Least      float64 `json:"least"` // away from the usual, in the figure's unit
	Drops      bool    `json:"drops"`
}

func defaultAlertRule() AlertRule { return AlertRule{Repeat: 4 * time.Hour, Severity: "warning"} }

func defaultAlertAnomaly() AlertAnomaly {
	return AlertAnomaly{Figure: "cost", Days: 14, Deviations: 5}
}

// Level is a bound: a number, or a duration, which counts in seconds.
type Level struct {
	Value float64
	Time  bool // it was a duration
}

// UnmarshalText reads 0.05, or 800ms.
func (l *Level) UnmarshalText(text []byte) error {
	if v, err := strconv.ParseFloat(string(text), 64); err == nil {
		l.Value = v
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New("want a number, or a duration such as 800ms")
	}
	l.Value, l.Time = d.Seconds(), true
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (l Level) MarshalText() ([]byte, error) {
	if l.Time {
		return []byte(time.Duration(l.Value * float64(time.Second)).String()), nil
	}
	return strconv.AppendFloat(nil, l.Value, 'g', -1, 64), nil
}

func (k *checker) alerts() {
	a := &k.config.Alerts
	if a.Every < time.Second || a.Every > 5*time.Minute {
		k.fault([]string{"alerts", "every"}, "want 1s to 5m")
	}
	for _, name := range sortedKeys(a.Receivers) {
		path, r := []string{"alerts", "receivers", name}, a.Receivers[name]
		if k.name(path, name) {
			k.receiver(path, &r)
		}
	}
	for _, name := range sortedKeys(a.Rules) {
		path, r := []string{"alerts", "rules", name}, a.Rules[name]
		if k.name(path, name) {
			k.alertRule(path, &r)
		}
	}
}

func (k *checker) receiver(path []string, r *AlertReceiver) {
	ways := 0
	if r.Webhook != nil {
		ways++
		k.webhook(below(path, "webhook"), r.Webhook)
	}
	if r.Slack != "" {
		ways++
		k.webhook(below(path, "slack"), &Webhook{URL: r.Slack.Reveal()})
	}
	if r.Email != nil {
		ways++
		k.email(below(path, "email"), r.Email)
	}
	if ways != 1 {
		k.fault(path, "a receiver wants one of webhook, slack, email")
	}
}

func (k *checker) email(path []string, e *AlertEmail) {
	host, port, err := net.SplitHostPort(e.Server)
	if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || host == "" || portErr != nil || n == 0 {
		k.fault(below(path, "server"), "want host:port such as mail.example.com:587%s", k.said(below(path, "server"), e.Server))
	}
	if e.Password != "" && e.User == "" {
		k.fault(below(path, "user"), "is needed with a password")
	}
	if e.User != "" && e.TLS == "none" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, host) {
		k.fault(below(path, "tls"), "want starttls or implicit: a password must not go in the clear")
	}
	k.mailbox(below(path, "from"), e.From)
	if len(e.To) == 0 {
		k.fault(below(path, "to"), "is needed")
	}
	for i, to := range e.To {
		at := below(below(path, "to"), strconv.Itoa(i))
		if !k.origin.given(at...) {
			at = below(path, "to")
		}
		k.mailbox(at, to)
	}
}

func (k *checker) mailbox(path []string, address string) {
	if _, err := mail.ParseAddress(address); err != nil {
		k.fault(path, "want an address such as ops@example.com%s", k.said(path, address))
	}
}

// scopes are what the rule is narrowed to, by the words of alert.Each.
func (r *AlertRule) scopes() map[string]string {
	return map[string]string{"team": r.Team, "key": r.Key, "model": r.Model, "provider": r.Provider, "target": r.Target, "prompt": r.Prompt, "route": r.Route}
}

func (k *checker) alertRule(path []string, r *AlertRule) {
	kinds := 0
	for _, given := range []bool{r.Threshold != nil, r.BurnRate != nil, r.Budget != nil, r.Anomaly != nil} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		k.fault(path, "a rule wants one of threshold, burn_rate, budget, anomaly")
		return
	}
	for i, name := range r.Receivers {
		at := below(below(path, "receivers"), strconv.Itoa(i))
		if _, ok := k.config.Alerts.Receivers[name]; !ok {
			if !k.origin.given(at...) {
				at = below(path, "receivers")
			}
			k.fault(at, "there is no receiver %s under alerts.receivers:%s", strconv.Quote(name), meant(name, sortedKeys(k.config.Alerts.Receivers)))
		}
	}
	switch {
	case r.Threshold != nil:
		k.threshold(path, r)
	case r.BurnRate != nil:
		k.burnRate(below(path, "burn_rate"), r.BurnRate)
		k.alertScope(path, r, "failures")
	case r.Budget != nil:
		k.alertBudget(path, r)
	default:
		k.anomaly(below(path, "anomaly"), r.Anomaly)
		k.alertScope(path, r, r.Anomaly.Figure)
	}
}

// alertScope checks that what a rule is narrowed to and split by is known of
// its figure, and that routes stand alone.
func (k *checker) alertScope(path []string, r *AlertRule, figure string) {
	words := map[string]string{}
	for _, word := range alert.Each {
		if r.scopes()[word] != "" {
			words[word] = word
		}
	}
	if r.Each != "" {
		words[r.Each] = "each"
	}
	for _, word := range sortedKeys(words) {
		at := below(path, words[word])
		if err := alert.CheckScope(figure, word); err != nil {
			k.fault(at, "%v", err)
		} else if word == "route" && (r.Threshold == nil || len(words) > 1) {
			k.fault(at, "a route stands alone, in a threshold")
		}
	}
	if r.Each != "" && r.scopes()[r.Each] != "" {
		k.fault(below(path, "each"), "the rule is narrowed to one %s already", r.Each)
	}
}

func (k *checker) threshold(path []string, r *AlertRule) {
	t, at := r.Threshold, below(path, "threshold")
	f := alert.Figures[t.Figure]
	if f == nil {
		k.fault(below(at, "figure"), "want one of %s%s", strings.Join(alert.FigureNames(), ", "), k.said(below(at, "figure"), t.Figure)+meant(t.Figure, alert.FigureNames()))
		return
	}
	if (t.Above == nil) == (t.Below == nil) {
		k.fault(at, "want above or below")
	}
	for name, l := range map[string]*Level{"above": t.Above, "below": t.Below} {
		switch {
		case l == nil:
		case f.Unit == alert.Seconds && !l.Time && l.Value != 0:
			k.fault(below(at, name), "want a duration such as 800ms")
		case f.Unit != alert.Seconds && l.Time:
			k.fault(below(at, name), "want a number")
		case f.Unit == alert.Share && l.Value > 1:
			k.fault(below(at, name), "want a share of at most 1")
		}
	}
	route := r.Route != "" || r.Each == "route"
	switch longest := alert.Longest; {
	case !f.Window && t.Over != 0:
		k.fault(below(at, "over"), "%s is as it stands: nothing to count over a time", t.Figure)
	case f.Window && t.Over < time.Minute:
		k.fault(below(at, "over"), "want at least 1m")
	case f.Window && !alert.OfLedger(t.Figure, route) && t.Over > longest:
		k.fault(below(at, "over"), "%s is known for an hour: want at most 1h", t.Figure)
	case t.Over > mostOver:
		k.fault(below(at, "over"), "want at most 720h")
	}
	k.alertScope(path, r, t.Figure)
}

// mostOver bounds the windows of rules.
const mostOver = 30 * 24 * time.Hour

func (k *checker) burnRate(path []string, b *AlertBurnRate) {
	if b.Objective <= 0 || b.Objective >= 1 {
		k.fault(below(path, "objective"), "want a share above 0 and below 1, such as 0.999")
	}
	for i, w := range b.Windows {
		at := below(below(path, "windows"), strconv.Itoa(i))
		switch {
		case w.Short < time.Minute || w.Long <= w.Short || w.Long > mostOver:
			k.fault(at, "want a short window of at least 1m, and a longer one of at most 720h")
		case w.Burn <= 0:
			k.fault(below(at, "burn"), "want more than 0")
		}
	}
}

func (k *checker) alertBudget(path []string, r *AlertRule) {
	at := below(path, "budget")
	if r.Budget.Used == 0 && r.Budget.Forecast == 0 {
		k.fault(at, "want used, forecast, or both")
	}
	if r.Budget.Used < 0 || r.Budget.Used > 1 {
		k.fault(below(at, "used"), "want a share above 0 and at most 1")
	}
	if r.Budget.Forecast < 0 {
		k.fault(below(at, "forecast"), "want a share above 0")
	}
	for _, word := range alert.Each {
		if word != "team" && word != "key" && r.scopes()[word] != "" {
			k.fault(below(path, word), "budgets are of teams and keys")
		}
	}
	if r.Each != "" {
		k.fault(below(path, "each"), "each budget has an alert of its own already")
	}
}

func (k *checker) anomaly(path []string, a *AlertAnomaly) {
	if a.Days < 3 || a.Days > 60 {
		k.fault(below(path, "days"), "want 3 to 60")
	}
	if a.Deviations <= 0 {
		k.fault(below(path, "deviations"), "want more than 0")
	}
	if a.Least < 0 {
		k.fault(below(path, "least"), "want 0 or more")
	}
}
