package gateway_test

import (
	"strings"
	"testing"

	"sluice/providers/schema"
	"sluice/router"
)

// A prompt whose output stays wrong goes to the model's fallback for
// invalid_output, asked afresh, and is charged for all that was asked.
func TestPromptFallsBackForItsOutput(t *testing.T) {
	const source = "---\nmodel: NAME\noutput: {format: json, schema: {label: string}}\nsluice.repair: REPAIR\n---\nLabel it."
	r := newRig(t, func(s *setup) {
		s.providers = append(s.providers, local("liar", saysAll("no"), oneTwo), local("other", saysAll("still no"), oneTwo),
			local("good", saysAll(`{"label":"x"}`), oneTwo))
		good, other := s.model("good-one", "good/m"), s.model("other-one", "other/m")
		other.Route.Fallback = []router.Fallback{{Route: good.Route}}
		for name, on := range map[string][]schema.Class{"named": {schema.ClassInvalidOutput}, "any": nil, "not": {schema.ClassTimeout}} {
			m := s.model(name, "liar/m")
			m.Route.Fallback = []router.Fallback{{Route: good.Route, On: on}}
			m.Targets = append(m.Targets, good.Targets...)
			for _, repair := range []string{"0", "1"} {
				s.prompts[name+repair] = strings.NewReplacer("NAME", name, "REPAIR", repair).Replace(source)
			}
		}
		chain := s.model("chain", "liar/m")
		chain.Route.Fallback = []router.Fallback{{Route: other.Route}}
		chain.Targets = append(append(chain.Targets, other.Targets...), good.Targets...)
		s.prompts["chain0"] = strings.NewReplacer("NAME", "chain", "REPAIR", "0").Replace(source)
	})
	for prompt, want := range map[string]struct {
		attempts string
		status   int
	}{"named0": {"2", 200}, "named1": {"3", 200}, "any0": {"2", 200}, "not0": {"1", 502}, "not1": {"2", 502}, "chain0": {"3", 200}} {
		for _, off := range []bool{false, true} {
			header, status, attempts := as("k"), want.status, want.attempts
			if off {
				header, status = append(header, "X-Sluice-Fallback", "off"), 502
				attempts = map[bool]string{false: "1", true: "2"}[strings.HasSuffix(prompt, "1")]
			}
			a := r.bare("POST", "/prompts/"+prompt, "{}", header...)
			if a.status != status || a.header.Get("X-Sluice-Attempts") != attempts || status == 502 && a.get("code").Str != "invalid_output" {
				t.Errorf("%s, fallback off %v: %d after %s attempts, want %d, %s: %s", prompt, off, a.status, a.header.Get("X-Sluice-Attempts"), status, attempts, a.body)
			}
			if status == 200 && (a.header.Get("X-Sluice-Model") != "good/m" || a.header.Get("X-Sluice-Cost") != map[string]string{"2": "0.00004", "3": "0.00006"}[attempts]) {
				t.Errorf("%s: by %s for %s", prompt, a.header.Get("X-Sluice-Model"), a.header.Get("X-Sluice-Cost"))
			}
			s := r.bare("POST", "/prompts/"+prompt+"?stream=1", "{}", header...)
			if done := strings.Contains(s.body, "event: done"); s.status != 200 || done != (status == 200) || !done && !strings.Contains(s.body, "invalid_output") {
				t.Errorf("%s as a stream: %d %s", prompt, s.status, s.body)
			}
		}
	}
}
