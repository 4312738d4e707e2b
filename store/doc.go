// Package store keeps everything that must outlive the process.
package store
