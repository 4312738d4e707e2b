package config

import (
	"strconv"
	"strings"
)

// meant is the end of a message about a mistyped name; empty where none is near.
func meant(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return ", did you mean " + strconv.Quote(near) + "?"
	}
	return ""
}

// nearest is the known key that a mistyped one most likely meant; empty where
// none is near.
func nearest(key string, known []string) string {
	best, least := "", 1+max(1, len(key)/3)
	for _, k := range known {
		if d := distance(fold(key), fold(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// fold makes bodyLimit, body-limit and body_limit one.
func fold(s string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s))
}

// distance is the number of letters to add, drop, change or swap with the next
// (optimal string alignment). Long keys are far from everything.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := one[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(one[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}
