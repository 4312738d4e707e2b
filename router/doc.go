// Package router chooses among candidates and drives the attempts of a call.
package router
