// Package discovery finds the servers of a service in a registry, and follows
// what becomes of them.
//
// A Source asks one registry for one service: DNS, Consul, Eureka, Nacos,
// Polaris, Kubernetes or a file. A Watch drives it: it has the last set of Endpoints that was
// known, whatever becomes of the registry after that, and asks again, later
// and later, while the registry fails.
//
//	dns.go         A and SRV records, asked for again when their time is over
//	consul.go      blocking queries: a change is told when it happens
//	eureka.go      the whole registry, then polls of what has changed in it
//	nacos.go       polls, after a sign-in if one is needed
//	polaris.go     polls, answered only by what is newer than what is known
//	kubernetes.go  EndpointSlices: a list, then a watch from there on
//	file.go        a YAML list, read again when it changes
//
// The registries are asked by small clients of our own: those of Consul and
// Kubernetes would bring more code than all of Sluice for two calls each.
package discovery
