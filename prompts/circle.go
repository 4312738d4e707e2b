package prompts

import (
	"fmt"
	"slices"
	"strings"
)

// MaxStepDepth bounds how deep prompts whose steps call prompts with steps may
// nest.
const MaxStepDepth = 5

// nesting says why the steps of a prompt cannot be made: they lead back to
// where they began, or go too deep; "" if they can. What is not in the set is
// not followed: it may come yet, and a call bounds its depth anyway.
func (s *Set) nesting(l *Live) string {
	if len(l.Template.Sluice.Steps) == 0 {
		return ""
	}
	path, circle := s.deepest(l, l, nil)
	switch {
	case circle:
		return "the steps go in a circle: " + strings.Join(path, " → ")
	case len(path) > MaxStepDepth+1:
		return fmt.Sprintf("the steps call prompts with steps more than %d deep: %s", MaxStepDepth, strings.Join(path, " → "))
	}
	return ""
}

// deepest is the longest way down from a prompt, by name, or the first that
// comes to a name twice. changed stands for the prompt of its name in the set.
func (s *Set) deepest(l, changed *Live, above []string) (path []string, circle bool) {
	above = append(slices.Clone(above), l.Name)
	path = above
	for _, stage := range l.Template.Sluice.Steps {
		for i := range stage {
			next := s.called(&stage[i], changed)
			if next == nil {
				continue
			}
			if at := slices.Index(above, next.Name); at >= 0 {
				return append(above[at:], next.Name), true
			}
			if len(above) > MaxStepDepth { // deep enough to know
				return append(above, next.Name), false
			}
			down, circle := s.deepest(next, changed, above)
			if circle {
				return down, true
			}
			if len(down) > len(path) {
				path = down
			}
		}
	}
	return path, false
}

// called is the prompt that a step calls; nil: it is not in the set, or the
// step calls a route, or one version, which may be another than the set's.
func (s *Set) called(step *Step, changed *Live) *Live {
	if step.Prompt == changed.Name {
		return changed
	}
	return s.byName[step.Prompt]
}
