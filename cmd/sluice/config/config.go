package config

import (
	"encoding/json"
	"net/netip"
	"strings"
	"time"
)

// Config is a whole configuration, checked. It is not changed after Load and
// may be read by any number of goroutines. Printing it shows no secret.
type Config struct {
	Server    Server              `json:"server"`
	Lead      Lead                `json:"config"`
	Admin     Admin               `json:"admin"`
	Portal    Portal              `json:"portal"`
	Audit     Audit               `json:"audit"`
	Store     string              `json:"store"`  // sqlite:PATH, or postgres://…
	Shared    Secret              `json:"shared"` // redis://…, which may hold a password, or memcached://…; empty: replicas share nothing
	Purge     PurgeEvents         `json:"purge"`
	Log       Log                 `json:"log"`
	Telemetry Telemetry           `json:"telemetry"`
	Billing   Billing             `json:"billing"`
	Providers map[string]Provider `json:"providers"`
	Models    map[string]Model    `json:"models"`
	Defaults  Defaults            `json:"defaults"`
	Teams     map[string]Team     `json:"teams"`
	Plans     map[string]Plan     `json:"plans"`
	Guards    map[string]Guard    `json:"guards"`
	Fetch     Fetch               `json:"fetch"`
	Prompts   Prompts             `json:"prompts"`
	Auth      Auth                `json:"auth"`
	MTLS      *MTLS               `json:"mtls"`  // nil: not given
	Roles     map[string][]string `json:"roles"` // what each may do: a method, or *, and a path
	Routes    []Route             `json:"routes"`
	Alerts    Alerts              `json:"alerts"`

	origin  origins
	sources []string
	written func() []byte // what the file, or the text, says; a function is never printed
}

// Server is how the gateway listens.
type Server struct {
	Listen        string         `json:"listen"` // data plane, host:port
	Admin         string         `json:"admin"`  // admin plane, host:port
	TLS           *TLS           `json:"tls"`    // of the data plane; nil: its connections are not encrypted
	BodyLimit     Size           `json:"body_limit"`
	Drain         time.Duration  `json:"drain"`           // how long open requests may take at shutdown
	HeaderTimeout time.Duration  `json:"header_timeout"`  // for a client to send its request; 0: no bound
	IdleTimeout   time.Duration  `json:"idle_timeout"`    // between two requests of a connection; 0: no bound
	Trusted       []netip.Prefix `json:"trusted_proxies"` // whose X-Forwarded-For is believed
	// Connections is how many an address may have open at the same time, but for
	// trusted proxies; 0: any number.
	Connections int64 `json:"connections_per_ip"`
	BodyRate    Size  `json:"body_rate"`    // of a body that is passed on, per second, once header_timeout is over; 0: any
	Failures    Rate  `json:"failures"`     // wrong credentials of one address, or for one account; zero: any number
	Faults      bool  `json:"allow_faults"` // routes may make them, for tests
}

// Lead says who owns the configuration: the file, or the store, which the
// first file only begins.
type Lead struct {
	Lead string `json:"lead" enum:"file,store"`
	Keep int64  `json:"keep"` // revisions
}

// Admin is who may use the admin plane.
type Admin struct {
	Token  Secret       `json:"token"` // of an admin; empty: made at the first start
	Tokens []AdminToken `json:"tokens"`
	OIDC   *AdminOIDC   `json:"oidc"` // nil: people sign in with tokens alone
	TLS    *TLS         `json:"tls"`  // nil: its connections are not encrypted
}

// Audit is the trail of changes and sign-ins.
type Audit struct {
	Retention Days `json:"retention"` // of its records; 0: for ever
}

// AdminToken is one more bearer token of the admin plane.
type AdminToken struct {
	Value Secret `json:"value"`
	Role  string `json:"role" enum:"admin,operator,viewer,team-owner"`
	Team  string `json:"team"` // of a team-owner, else empty
	Name  string `json:"name"` // whose it is, for the audit trail; empty: its place in the list
}

// Billing is how money is kept.
type Billing struct {
	Fsync        string         `json:"fsync" enum:"interval,always"`
	DiskFull     string         `json:"disk_full" enum:"serve,refuse"`
	Unpriced     string         `json:"unpriced" enum:"block,estimate,allow"`
	OnDisconnect *OnDisconnect  `json:"on_disconnect"` // never nil after Load
	WhenSpent    *WhenSpent     `json:"when_spent"`    // never nil after Load
	HoldTokens   int64          `json:"hold_tokens"`
	TimeZone     *time.Location `json:"time_zone"` // never nil after Load
	Retention    Days           `json:"retention"` // of the ledger's entries; 0: for ever
	Webhook      *Webhook       `json:"webhook"`   // gets the warnings of budgets; nil: none
}

// WhenSpent is what happens when a budget has nothing left: refuse, cut, or
// another model.
type WhenSpent struct {
	Policy string `json:"policy" enum:"refuse,cut"` // empty: Model
	Model  string `json:"model"`                    // to ask instead
}

// Webhook is where events are posted; its URL may stand for it.
type Webhook struct {
	URL    string `json:"url"`
	Secret Secret `json:"secret"` // signs what is posted
}

// OnDisconnect is what happens to a call whose caller has left: abort or drain.
// The long form drains up to a bound, whichever is reached first.
type OnDisconnect struct {
	Policy string        `json:"policy" enum:"abort,drain"` // empty: drain, up to a bound
	Tokens int64         `json:"tokens"`                    // of output, after the caller has left; 0: no bound
	Time   time.Duration `json:"time"`                      // 0: no bound
}

// Fetch is how media that callers give by URL are fetched, for targets that
// take bytes only.
type Fetch struct {
	Allow       []string      `json:"allow"`        // hosts, addresses and networks that may be fetched from in any case
	DenyPrivate bool          `json:"deny_private"` // not from private and loopback addresses
	Max         Size          `json:"max"`          // of one; all of a call may be four times that
	Timeout     time.Duration `json:"timeout"`      // of one
}

// Defaults are the providers that serve calls which name no model. Where one is
// not set, the only provider that serves such calls does.
type Defaults struct {
	Files       string `json:"files"`
	Batches     string `json:"batches"`
	Moderations string `json:"moderations"`
	Images      string `json:"images"`
}

// ByName are those that are set, by their keys.
func (d Defaults) ByName() map[string]string {
	set := map[string]string{}
	for name, provider := range map[string]string{"files": d.Files, "batches": d.Batches, "moderations": d.Moderations, "images": d.Images} {
		if provider != "" {
			set[name] = provider
		}
	}
	return set
}

// Prompts is where prompts come from.
type Prompts struct {
	// Dir is the directory as the process can open it; empty: there is none
	// (the default ./prompts counts only where it exists).
	Dir    string `json:"dir"`
	Prefix string `json:"prefix"` // of the paths that prompts declare; begins with /
	// Protected are the labels, beside production, that only admins move.
	Protected []string `json:"protected"`
}

// SQLitePath is the database file that store names; empty: it names none.
func (c *Config) SQLitePath() string {
	path, ok := strings.CutPrefix(c.Store, "sqlite:")
	if !ok {
		return ""
	}
	return path
}

// Declared tells whether the configuration names a provider under providers:.
// The embedded defaults declare mock.
func (c *Config) Declared(provider string) bool {
	_, ok := c.Providers[provider]
	return ok
}

// Sources are the files that were read: the configuration's own and those of
// ${file:…}, as absolute paths. A change of any asks for a reload.
func (c *Config) Sources() []string { return c.sources }

// Fault is a fault at a key that the configuration holds, for checks that only
// the caller can make. keys is the path to it, list positions as decimals; where
// the key itself is absent, the line is that of the nearest key above.
func (c *Config) Fault(message string, keys ...string) Fault {
	at := c.origin.find(keys)
	return Fault{File: at.file, Line: at.line, Message: show(keys) + ": " + message}
}

// String is the configuration as JSON, secrets hidden.
func (c *Config) String() string {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "cannot print configuration: " + err.Error()
	}
	return string(b)
}
