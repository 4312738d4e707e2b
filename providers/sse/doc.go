// Package sse cuts streams into their events.
//
// There are two ways, for two needs. A Splitter finds where the frames of an
// event stream end and leaves their bytes alone: what passes through a gateway
// must stay as it was, comments and line ends included. A Reader gives the
// events themselves, for translation into another dialect: it is go-sse's
// parser turned into one that is pulled. NewLines does the same for streams
// with a JSON value a line.
package sse
