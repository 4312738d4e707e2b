package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/billing"
)

// decoder reads the merged tree into the structs by their json tags, and goes
// on after a fault so that all are found.
type decoder struct {
	origin origins
	faults Faults
	// checking is the time after decoding: a value is there, whatever is wrong
	// with it.
	checking bool
}

// fresh is what a new element of a map, a list or behind a pointer begins as.
var fresh = map[reflect.Type]func() any{
	reflect.TypeFor[Provider]():           func() any { return DefaultProvider() },
	reflect.TypeFor[ProviderKey]():        func() any { return ProviderKey{Weight: 1} },
	reflect.TypeFor[Model]():              func() any { return defaultModel() },
	reflect.TypeFor[Team]():               func() any { return defaultTeam() },
	reflect.TypeFor[Target]():             func() any { return Target{Weight: 1} },
	reflect.TypeFor[Breaker]():            func() any { return DefaultBreaker() },
	reflect.TypeFor[Health]():             func() any { return defaultHealth() },
	reflect.TypeFor[GuardWebhook]():       func() any { return defaultGuardWebhook() },
	reflect.TypeFor[GuardCall]():          func() any { return defaultGuardCall() },
	reflect.TypeFor[Cache]():              func() any { return Cache{Scope: "team"} },
	reflect.TypeFor[Hedge]():              func() any { return defaultHedge() },
	reflect.TypeFor[Queue]():              func() any { return defaultQueue() },
	reflect.TypeFor[Shadow]():             func() any { return Shadow{Timeout: 2 * time.Minute} },
	reflect.TypeFor[LogSink]():            func() any { return defaultLogSink() },
	reflect.TypeFor[Semantic]():           func() any { return Semantic{Threshold: 0.95} },
	reflect.TypeFor[Route]():              func() any { return defaultRoute() },
	reflect.TypeFor[BackendTarget]():      func() any { return BackendTarget{Weight: 1} },
	reflect.TypeFor[HTTPBackend]():        func() any { return HTTPBackend{Balance: "weighted"} },
	reflect.TypeFor[BackendHealth]():      func() any { return defaultBackendHealth() },
	reflect.TypeFor[DiscoverDNS]():        func() any { return defaultDiscoverDNS() },
	reflect.TypeFor[DiscoverEureka]():     func() any { return defaultDiscoverEureka() },
	reflect.TypeFor[DiscoverNacos]():      func() any { return defaultDiscoverNacos() },
	reflect.TypeFor[DiscoverPolaris]():    func() any { return defaultDiscoverPolaris() },
	reflect.TypeFor[DiscoverKubernetes](): func() any { return defaultDiscoverKubernetes() },
	reflect.TypeFor[RouteRetry]():         func() any { return DefaultRouteRetry() },
	reflect.TypeFor[RouteBreaker]():       func() any { return RouteBreaker{Breaker: DefaultBreaker()} },
	reflect.TypeFor[AdminOIDC]():          func() any { return AdminOIDC{OIDC: OIDC{TeamClaim: "team"}, RolesClaim: "groups"} },
	reflect.TypeFor[PortalOIDC]():         func() any { return defaultPortalOIDC() },
	reflect.TypeFor[HMAC]():               func() any { return HMAC{Skew: 5 * time.Minute} },
	reflect.TypeFor[JWT]():                func() any { return JWT{Leeway: 30 * time.Second} },
	reflect.TypeFor[OAuth2]():             func() any { return OAuth2{Cache: time.Minute} },
	reflect.TypeFor[billing.Budget]():     func() any { return billing.Budget{Per: "month", Hard: true} },
	reflect.TypeFor[RouteCORS]():          func() any { return RouteCORS{MaxAge: 10 * time.Minute} },
	reflect.TypeFor[RouteCompose]():       func() any { return RouteCompose{Deadline: 10 * time.Second} },
	reflect.TypeFor[ComposeCall]():        func() any { return ComposeCall{Max: 8 << 20} },
	reflect.TypeFor[RoutePolicy]():        func() any { return defaultRoutePolicy() },
	reflect.TypeFor[RouteWAF]():           func() any { return defaultRouteWAF() },
	reflect.TypeFor[AlertRule]():          func() any { return defaultAlertRule() },
	reflect.TypeFor[AlertAnomaly]():       func() any { return defaultAlertAnomaly() },
	reflect.TypeFor[AlertEmail]():         func() any { return AlertEmail{TLS: "starttls"} },
	reflect.TypeFor[ACME]():               func() any { return defaultACME() },
	reflect.TypeFor[BackendMirror]():      func() any { return defaultBackendMirror() },
	reflect.TypeFor[RouteAdaptive]():      func() any { return RouteAdaptive{Min: 10, Max: 1000} },
	reflect.TypeFor[PurgeNATS]():          func() any { return defaultPurgeNATS() },
	reflect.TypeFor[PurgeAMQP]():          func() any { return defaultPurgeAMQP() },
	reflect.TypeFor[VersionBrownOut]():    func() any { return defaultVersionBrownOut() },
	reflect.TypeFor[RouteFaults]():        func() any { return RouteFaults{DelayShare: 1, Share: 1} },
}

// short is the structs that text alone stands for.
var short = map[reflect.Type]func(into reflect.Value, text string){
	reflect.TypeFor[Model](): func(into reflect.Value, text string) {
		into.FieldByName("Targets").Set(reflect.ValueOf([]Target{{Model: text, Weight: 1}}))
	},
	reflect.TypeFor[ProviderKey](): func(into reflect.Value, text string) {
		into.FieldByName("Value").SetString(text)
	},
	reflect.TypeFor[Webhook](): func(into reflect.Value, text string) {
		into.FieldByName("URL").SetString(text)
	},
	reflect.TypeFor[Look](): func(into reflect.Value, text string) {
		into.FieldByName("Kind").SetString(text)
	},
	reflect.TypeFor[GuardWebhook](): func(into reflect.Value, text string) {
		into.FieldByName("URL").SetString(text)
	},
	reflect.TypeFor[GuardCall](): func(into reflect.Value, text string) {
		into.FieldByName("Model").SetString(text)
	},
	reflect.TypeFor[BasicUser](): func(into reflect.Value, text string) {
		into.FieldByName("Hash").SetString(text)
	},
	reflect.TypeFor[HMACClient](): func(into reflect.Value, text string) {
		into.FieldByName("Secret").SetString(text)
	},
	reflect.TypeFor[BackendTarget](): func(into reflect.Value, text string) {
		into.FieldByName("URL").SetString(text)
	},
	reflect.TypeFor[MatchValue](): func(into reflect.Value, text string) {
		into.FieldByName("Value").SetString(text)
	},
	reflect.TypeFor[BackendMirror](): func(into reflect.Value, text string) {
		into.FieldByName("URL").SetString(text)
	},
	reflect.TypeFor[XMLToJSON](): func(into reflect.Value, text string) {
		into.FieldByName("On").SetString(text)
	},
	reflect.TypeFor[WhenSpent](): func(into reflect.Value, text string) {
		into.FieldByName("Policy").SetString(text)
	},
	reflect.TypeFor[OnDisconnect](): func(into reflect.Value, text string) {
		into.FieldByName("Policy").SetString(text)
	},
}

// alone is the lists for which one element may stand without the list.
var alone = map[reflect.Type]bool{reflect.TypeFor[billing.Budgets](): true, reflect.TypeFor[Stages](): true, reflect.TypeFor[Mirrors](): true, reflect.TypeFor[Looks](): true, reflect.TypeFor[Words](): true}

// fault reports the first thing that is wrong with the value at a path.
func (d *decoder) fault(path []string, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if len(path) > 0 {
		message = show(path) + ": " + message
	}
	d.report(path, message)
}

func (d *decoder) report(path []string, message string) {
	key, at := strings.Join(path, delim), d.origin.find(path)
	if d.origin[key].faulty || d.origin.lost(path) {
		return
	}
	d.faults = append(d.faults, Fault{File: at.file, Line: at.line, Message: message})
	at.faulty, at.lost = true, !d.checking
	d.origin[key] = at
}

// said is what was written, for the end of a message: nothing where it came out
// of ${…} and may be a secret.
func (d *decoder) said(path []string, text string) string {
	if d.origin.find(path).expanded || len(text) > 80 {
		return ""
	}
	return ", not " + strconv.Quote(text)
}

// value reads raw into a settable value; enum is the words it may be, if any.
func (d *decoder) value(path []string, raw any, into reflect.Value, enum string) {
	if what := refused(path, raw); what != "" {
		d.report(path, what+" is not supported by this version")
		return
	}
	if raw == nil { // a key without a value changes nothing
		return
	}
	if into.Type() == jsonType {
		into.SetBytes(d.json(path, raw))
		return
	}
	if into.Kind() == reflect.Pointer && readers[into.Type()] == nil {
		into.Set(reflect.New(into.Type().Elem()))
		begin(into.Elem())
		d.value(path, raw, into.Elem(), enum)
		return
	}
	if text, ok := raw.(string); ok && d.text(path, text, into, enum) {
		return
	}
	switch {
	case readers[into.Type()] != nil || scalarKind(into.Kind()):
		d.fault(path, "want one value, not a list or a mapping")
	case into.Kind() == reflect.Struct:
		d.fields(path, raw, into)
	case into.Kind() == reflect.Map:
		d.entries(path, raw, into)
	case alone[into.Type()] && !isList(raw):
		into.Set(reflect.MakeSlice(into.Type(), 1, 1))
		begin(into.Index(0))
		d.value(path, raw, into.Index(0), enum)
	case into.Kind() == reflect.Slice:
		d.items(path, raw, into, enum)
	}
}

func isList(raw any) bool {
	_, ok := raw.([]any)
	return ok
}

func scalarKind(k reflect.Kind) bool {
	return k != reflect.Struct && k != reflect.Map && k != reflect.Slice
}

// begin sets a new value to its defaults.
func begin(into reflect.Value) {
	if f, ok := fresh[into.Type()]; ok {
		into.Set(reflect.ValueOf(f()))
	}
}

// text reads a scalar, the short form of a struct, or the commas of a variable.
// It reports false where the type wants something else.
func (d *decoder) text(path []string, text string, into reflect.Value, enum string) bool {
	if into.Kind() == reflect.Slice && d.origin.find(path).env {
		var list []any
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		d.items(path, list, into, enum)
		return true
	}
	if set, ok := short[into.Type()]; ok {
		set(into, text)
		return true
	}
	if words := strings.Split(enum, ","); enum != "" && into.Kind() == reflect.String && !slices.Contains(words, text) {
		d.fault(path, "want one of %s%s", strings.Join(words, ", "), d.said(path, text))
		return true
	}
	taken, err := scalar(text, into)
	if err != nil {
		d.fault(path, "%v%s", err, d.said(path, text))
	}
	return taken
}

// fields reads a mapping into a struct.
func (d *decoder) fields(path []string, raw any, into reflect.Value) {
	m, ok := raw.(map[string]any)
	if !ok {
		d.fault(path, "want a mapping of %s", strings.Join(known(into.Type()), ", "))
		return
	}
	for _, key := range sortedKeys(m) {
		at := below(path, key)
		field, has := fieldOf(into.Type(), key)
		switch {
		case has:
			d.value(at, m[key], into.FieldByIndex(field.Index), field.Tag.Get("enum"))
		case refused(at, m[key]) != "":
			d.value(at, m[key], reflect.Value{}, "")
		case !slices.Contains(pending(path), key):
			d.unknown(at, known(into.Type()))
		}
	}
}

func (d *decoder) unknown(path []string, keys []string) {
	key := path[len(path)-1]
	hint := meant(key, append(keys, pending(path[:len(path)-1])...))
	if hint == "" {
		hint = ", known here: " + strings.Join(keys, ", ")
	}
	d.report(path, "unknown key "+strconv.Quote(key)+hint)
}

// entries reads a mapping into a map.
func (d *decoder) entries(path []string, raw any, into reflect.Value) {
	m, ok := raw.(map[string]any)
	if !ok {
		d.fault(path, "want a mapping of names")
		return
	}
	into.Set(reflect.MakeMapWithSize(into.Type(), len(m)))
	for _, name := range sortedKeys(m) {
		at := below(path, name)
		key := reflect.New(into.Type().Key()).Elem()
		if _, err := scalar(name, key); err != nil {
			d.fault(at, "the key: %v", err)
			continue
		}
		value := reflect.New(into.Type().Elem()).Elem()
		begin(value)
		d.value(at, m[name], value, "")
		into.SetMapIndex(key, value)
	}
}

// items reads a list into a slice.
func (d *decoder) items(path []string, raw any, into reflect.Value, enum string) {
	list, ok := raw.([]any)
	if !ok {
		d.fault(path, "want a list")
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(list), len(list)))
	for i, item := range list {
		at := below(path, strconv.Itoa(i))
		if item == nil {
			d.fault(at, "is empty")
			continue
		}
		begin(into.Index(i))
		d.value(at, item, into.Index(i), enum)
	}
}

func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == key && f.IsExported() {
			return f, true
		}
		if f.Anonymous {
			if inner, ok := fieldOf(f.Type, key); ok {
				inner.Index = append(slices.Clone(f.Index), inner.Index...)
				return inner, true
			}
		}
	}
	return reflect.StructField{}, false
}

// known is the keys of a struct.
func known(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && f.IsExported() {
			keys = append(keys, name)
		}
		if f.Anonymous {
			keys = append(keys, known(f.Type)...)
		}
	}
	return keys
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
