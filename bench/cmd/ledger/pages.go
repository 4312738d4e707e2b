package main

import (
	"net/url"
	"time"
)

// heaviest is what a page may weigh with all that it loads. Nothing is
// compressed on the way: it is what is sent, too.
const heaviest = 200 << 10

// page is a page of the console or of the portal, with what people ask it for.
type page struct {
	path string
	file bool // it is handed out whole, to be kept: its length and time are told, not bounded
}

// pages gathers what is asked of one face of the gateway.
type pages struct {
	*world
	list []page
}

func (p *pages) add(paths ...string) {
	for _, path := range paths {
		p.list = append(p.list, page{path: path})
	}
}

func (p *pages) addFiles(paths ...string) {
	for _, path := range paths {
		p.list = append(p.list, page{path: path, file: true})
	}
}

// month is the last one that is over.
func (w *world) month() string {
	end := w.start.AddDate(0, 0, w.days)
	return time.Date(end.Year(), end.Month()-1, 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
}

// consolePages are all pages of the console, the sign-in included. A proof of
// every sum and of the whole audit trail is no page: it is asked for, and reads
// everything.
func consolePages(w *world) []page {
	p := &pages{world: w}
	p.add("/sign-in", "/", "/?span=7d", "/?span=30d")
	p.requests()
	p.add("/requests/"+callID(77), "/teams", "/teams/team-03", "/teams/team-39", "/teams/bench",
		"/models", "/models?explain=model-07",
		"/prompts", "/prompts/prompt-3", "/prompts/prompt-3?from=1&to=2", "/prompts/prompt-3?input=%7B%22text%22%3A%22Hello%22%7D", "/prompts-new", "/prompts-new?name=fresh",
		"/subscriptions", "/routes", "/cache", "/guards", "/alerts", "/config", "/config?revision=1", "/config?view=effective", "/first-run", "/settings",
		"/audit", "/audit?actor=ada", "/audit?action=key", "/audit?action=key.rotate&resource=keys", "/audit?resource=teams/team-03", "/audit?actor=nobody",
		"/audit?from="+p.clock(20)+"&to="+p.clock(19), "/audit?after=2")
	p.reports()
	p.addFiles("/reports/export?format=csv&by=team&and=model&period=last+30+days", "/reports/export?format=jsonl&by=key&across=day&period=last+30+days")
	return p.list
}

// clock is a time some days before the end, as forms have it.
func (w *world) clock(daysBefore int) string {
	return url.QueryEscape(w.start.AddDate(0, 0, w.days-daysBefore).Format("2006-01-02T15:04"))
}

// requests asks the list of calls with each field of its search, with some of
// them together, for what is rare and for what is not there.
func (p *pages) requests() {
	span := "from=" + p.clock(40) + "&to=" + p.clock(37)
	p.add("/requests", "/requests?part=rows", "/requests?"+span, "/requests?to="+p.clock(80))
	for _, only := range []string{"team=team-03", "team=team-39", "key=team-03%2Fapp-0", "model=model-07", "prompt=prompt-3", "status=502", "status=418", "tag=feature-3", "tag=none-has-it",
		"min_usd=0.0001", "min_usd=0.005", "min_usd=1000", "q=" + callID(1234), "q=1x2y3z", "team=team-03&status=502", "model=model-07&tag=prod", "team=team-39&min_usd=0.003", "status=502&q=zz"} {
		p.add("/requests?"+only, "/requests?"+span+"&"+only)
	}
}

// reports asks for every dimension alone and for the tables that people make of
// two and three, over thirty days and over whole months.
func (p *pages) reports() {
	const days, month = "&period=last+30+days", "&period=last+month"
	for _, by := range []string{"", "team", "key", "user", "model", "target", "provider", "prompt", "version", "tag", "status", "hour", "day", "month"} {
		p.add("/reports?by="+by, "/reports?by="+by+days, "/reports?by="+by+month)
	}
	for _, across := range []string{"by=team&across=day", "by=model&across=day", "by=key&across=day", "by=key&across=model", "by=team&across=model", "by=prompt&across=version", "by=tag&across=day",
		"by=provider&across=status", "by=user&across=model", "by=user&across=team", "by=model&across=hour", "by=team&and=model&across=day", "by=key&and=model&across=day",
		"by=team&and=key", "by=tag&and=user", "by=user&across=day"} {
		p.add("/reports?"+across+days, "/reports?"+across+month)
	}
	for _, only := range []string{"team=team-03", "key=team-03%2Fapp-0", "model=model-07", "provider=openai", "prompt=prompt-3", "user=user-00012", "tag=prod"} {
		p.add("/reports?by=day"+days+"&"+only, "/reports?by=model&across=day"+days+"&"+only, "/reports?by=user"+days+"&"+only)
	}
	p.add("/reports?by=team&period=all", "/reports?by=team&from="+p.clock(50)+"&to="+p.clock(20),
		"/invoices/team-03", "/invoices/team-03?month="+p.month()+"&by=model", "/invoices/team-03?month="+p.month()+"&by=key", "/invoices/team-03?month="+p.month()+"&by=day",
		"/invoices/team-03?month="+p.month()+"&by=user", "/invoices/team-03?month="+p.month()+"&by=user,model,day")
}

// portalPages are all pages of the portal, as who has a key sees them.
func portalPages(w *world) []page {
	p := &pages{world: w}
	p.add("/portal/sign-in", "/portal", "/portal?q=short", "/portal?tag=text", "/portal/apis/prompt-3", "/portal/apis/prompt-0", "/portal/apis/api-7?kind=api",
		"/portal/keys", "/portal/usage", "/portal/usage?of=team", "/portal/subscriptions", "/portal/changes", "/docs", "/docs?after=prompt-3")
	p.addFiles("/portal/openapi.json")
	return p.list
}
