package config

import (
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/gateway/proxy"
)

// RouteVersioning is how requests name the version that they are for, and what
// versions there are. Routes of one host and path share it: one of them says it.
type RouteVersioning struct {
	By       string                  `json:"by" enum:"path,header,query,accept"`
	Name     string                  `json:"name"` // of the header or parameter; empty: X-API-Version, or version
	Default  string                  `json:"default"`
	Unknown  string                  `json:"unknown" enum:"reject,default"`
	Keep     bool                    `json:"keep"` // by path: the backend sees the version too
	Versions map[string]RouteVersion `json:"versions"`
}

// RouteVersion is what becomes of a version; a zero time is never.
type RouteVersion struct {
	Deprecated time.Time `json:"deprecated"`
	Sunset     time.Time `json:"sunset"`
	Link       string    `json:"link"`

	BrownOut *VersionBrownOut `json:"brownout"` // nil: it is there until its sunset
}

// VersionBrownOut switches a version off for a while, before it is gone.
type VersionBrownOut struct {
	Share   float64         `json:"share"`   // of the requests
	Windows []VersionWindow `json:"windows"` // when; none: at all times
	Status  int64           `json:"status"`
}

// VersionWindow is a time, of which To is no part.
type VersionWindow struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

func defaultVersionBrownOut() VersionBrownOut { return VersionBrownOut{Share: 1, Status: 503} }

// VersioningOf is a route's versioning, with the versions of all routes that
// share it; nil: it has none.
func (c *Config) VersioningOf(r *Route) (v *RouteVersioning, known []string) {
	for i := range c.Routes {
		if other := &c.Routes[i]; sameResource(r, other) {
			if other.Versioning != nil && v == nil {
				v = other.Versioning
			}
			known = append(known, other.Match.Version)
		}
	}
	if r.Versioning == nil && r.Match.Version == "" || v == nil {
		return nil, nil
	}
	known = append(append(known, v.Default), sortedKeys(v.Versions)...)
	known = slices.DeleteFunc(known, func(version string) bool { return version == "" })
	slices.Sort(known)
	return v, slices.Compact(known)
}

func sameResource(a, b *Route) bool {
	return strings.EqualFold(a.Match.Host, b.Match.Host) && a.Match.Path == b.Match.Path
}

func (k *checker) versioning(path []string, r *Route) {
	v, known := k.config.VersioningOf(r)
	if v == nil {
		if r.Match.Version != "" {
			k.fault(below(below(path, "match"), "version"), "want versioning, here or in another route of the same host and path")
		}
		return
	}
	if r.Versioning == nil {
		return
	}
	path = below(path, "versioning")
	if r.Versioning != v && !reflect.DeepEqual(r.Versioning, v) {
		k.fault(path, "another route of the same host and path says otherwise: one is enough")
		return
	}
	switch {
	case v.By == "":
		k.fault(below(path, "by"), "is needed: path, header, query or accept")
	case v.Name != "" && v.By == "path":
		k.fault(below(path, "name"), "is for by: header, query or accept")
	case v.Name != "" && v.By == "header":
		k.header(below(path, "name"), v.Name, "")
	}
	if v.Keep && v.By != "path" {
		k.fault(below(path, "keep"), "is for by: path")
	}
	if v.Unknown == "default" && v.Default == "" {
		k.fault(below(path, "unknown"), "want a default too")
	}
	for _, version := range known {
		k.version(path, version, v)
	}
	k.served(path, r, known)
}

// version checks one version.
func (k *checker) version(path []string, version string, v *RouteVersioning) {
	at := below(below(path, "versions"), version)
	if strings.ContainsFunc(version, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`",;`, c) }) {
		k.fault(at, "a version is a word of plain characters")
	}
	if v.By == "path" {
		if err := proxy.CheckVersion(version); err != nil {
			k.fault(at, "%v", err)
		}
	}
	e := v.Versions[version]
	if !e.Sunset.IsZero() && e.Sunset.Before(e.Deprecated) {
		k.fault(below(at, "sunset"), "a version is not gone before it is deprecated")
	}
	if u, err := url.Parse(e.Link); e.Link != "" && (err != nil || u.Scheme == "" || strings.ContainsAny(e.Link, "<> ")) {
		k.fault(below(at, "link"), "want an address such as https://example.com/migrate")
	}
	k.brownOut(below(at, "brownout"), &e)
}

// brownOut checks when a version is switched off. All of it for ever is what a
// sunset is for.
func (k *checker) brownOut(path []string, v *RouteVersion) {
	b := v.BrownOut
	if b == nil {
		return
	}
	if v.Sunset.IsZero() {
		k.fault(path, "want a sunset of the version too: it is what its callers are told")
	}
	if b.Share == 1 && len(b.Windows) == 0 {
		k.fault(path, "want share below 1, or windows: [{from: …, to: …}]")
	}
	k.share(below(path, "share"), b.Share, false)
	if b.Status != 503 && b.Status != 410 {
		k.fault(below(path, "status"), "want 503 or 410")
	}
	for i, w := range b.Windows {
		at := below(below(path, "windows"), strconv.Itoa(i))
		switch {
		case w.From.IsZero():
			k.fault(below(at, "from"), "is needed: a time such as 2027-05-01T12:00:00Z")
		case !w.From.Before(w.To):
			k.fault(below(at, "to"), "want a time after from")
		case !v.Sunset.IsZero() && !w.From.Before(v.Sunset):
			k.fault(below(at, "from"), "the version is gone by then")
		case w.To.Before(v.Deprecated):
			k.fault(below(at, "to"), "the version is not deprecated by then")
		}
	}
}

// served checks that each version has a route.
func (k *checker) served(path []string, r *Route, known []string) {
	for i := range k.config.Routes {
		other := &k.config.Routes[i]
		if !sameResource(r, other) || other.Versioning == nil && other.Match.Version == "" {
			continue
		}
		if other.Match.Version == "" {
			return
		}
		known = slices.DeleteFunc(slices.Clone(known), func(version string) bool { return version == other.Match.Version })
	}
	if len(known) > 0 {
		k.fault(path, "no route has match.version %s: one that has gone wants a route still, to say so", strings.Join(known, ", "))
	}
}
