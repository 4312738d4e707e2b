package reconcile

import (
	"regexp"
	"slices"
	"strings"
)

var (
	// A snapshot's date at the end of a model's name, as in gpt-4o-2024-08-06
	// and claude-haiku-4-5-20251001, or what stands in its place.
	dated = regexp.MustCompile(`-(20\d\d-?[01]\d-?[0-3]\d|latest)$`)
	// The oldest of OpenAI's have the month and day alone: gpt-3.5-turbo-0125.
	datedShort = regexp.MustCompile(`^(gpt-[34](?:-[a-z0-9]+)*)-[01]\d[0-3]\d$`)
)

// family is what the names of one model have in common: a provider bills
// gpt-4o-2024-08-06 for calls of gpt-4o, and its console writes Claude Haiku 4.5
// or Claude 3.5 Haiku for claude-haiku-4-5 and claude-3-5-haiku.
func family(name string) string {
	if strings.HasPrefix(name, "(") {
		return name
	}
	s := strings.NewReplacer(" ", "-", "_", "-", ".", "-").Replace(strings.ToLower(name))
	if tuned, ok := strings.CutPrefix(s, "ft:"); ok { // costs are told of all that were tuned from one
		base, _, _ := strings.Cut(tuned, ":")
		s = "ft-" + base
	}
	s = dated.ReplaceAllString(s, "")
	s = datedShort.ReplaceAllString(s, "$1")
	if !strings.HasPrefix(s, "claude-") {
		return s
	}
	var words, numbers []string
	for part := range strings.SplitSeq(s, "-") {
		if part != "" && part[0] >= '0' && part[0] <= '9' {
			numbers = append(numbers, part)
		} else {
			words = append(words, part)
		}
	}
	if len(numbers) == 2 && numbers[1] == "0" { // claude-opus-4-0 is claude-opus-4
		numbers = numbers[:1]
	}
	slices.Sort(words)
	return strings.Join(append(words, numbers...), "-")
}

// labels are the names under which the models of both sides are compared. A
// family that both sides tell apart alike keeps its names; else it is compared
// as one, under the ledger's shortest name.
func labels(here, there []Line) func(name string) string {
	sides := [2]map[string][]string{{}, {}}
	for i, lines := range [2][]Line{here, there} {
		for _, l := range lines {
			if f := family(l.Model); !slices.Contains(sides[i][f], l.Model) {
				sides[i][f] = append(sides[i][f], l.Model)
			}
		}
	}
	shortest := map[string]string{}
	for i := range sides {
		for f, names := range sides[i] {
			slices.SortFunc(names, func(a, b string) int {
				if len(a) != len(b) {
					return len(a) - len(b)
				}
				return strings.Compare(a, b)
			})
			if shortest[f] == "" { // the ledger's comes first
				shortest[f] = names[0]
			}
		}
	}
	return func(name string) string {
		f := family(name)
		if slices.Equal(sides[0][f], sides[1][f]) {
			return name
		}
		return shortest[f]
	}
}
