package prompts

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"

	"sluice/prompts/ordered"
)

// Judge has a model judge some of the answers of a split's versions other than
// production. The split is stopped once Answers of a version have been judged
// and the share of the good ones is below Pass.
type Judge struct {
	Criterion string  // what a good output must be like
	Model     string  // that judges; empty: that of production
	Sample    float64 // the share of answers that are judged
	Pass      float64
	Answers   int64
}

// What holds of a judge if a file does not say.
const (
	judgeSample  = 0.1
	judgePass    = 0.8
	judgeAnswers = 20
)

// judge reads "is the label right?", or {criterion: …, model: fast, sample:
// 0.1, pass: 0.8, answers: 20}.
func (m *metadata) judge(key string, v any) *Judge {
	j := &Judge{Sample: judgeSample, Pass: judgePass, Answers: judgeAnswers}
	if text, ok := v.(string); ok {
		v = ordered.Object{{Key: "criterion", Value: text}}
	}
	o, ok := v.(ordered.Object)
	if !ok {
		m.fault(key, "stop.judge must be a criterion, or a mapping such as {criterion: is the label right?, pass: 0.8}, not %s", kindOf(v))
		return nil
	}
	for _, f := range o {
		text, _ := f.Value.(string)
		number, _ := f.Value.(json.Number)
		n, err := number.Float64()
		switch f.Key {
		case "criterion":
			j.Criterion = text
		case "model":
			if j.Model = text; text == "" {
				m.fault(key, "stop.judge.model must be the name of a model, not %s", kindOf(f.Value))
			}
		case "sample":
			if j.Sample = n; err != nil || n <= 0 || n > 1 {
				m.fault(key, "stop.judge.sample must be a share above 0 and at most 1")
			}
		case "pass":
			if j.Pass = n; err != nil || n <= 0 || n > 1 {
				m.fault(key, "stop.judge.pass must be a share above 0 and at most 1")
			}
		case "answers":
			if j.Answers, ok = whole(f.Value); !ok || j.Answers < 1 {
				m.fault(key, "stop.judge.answers must be a whole number from 1 on")
			}
		default:
			m.fault(key, "unknown key %q%s", "stop.judge."+f.Key, meant(f.Key, []string{"criterion", "model", "sample", "pass", "answers"}))
		}
	}
	if j.Criterion == "" {
		m.fault(key, "stop.judge.criterion must say what a good output is like")
	}
	return j
}

// judgeSource is the prompt by which a model judges an output.
//
//go:embed judge.prompt
var judgeSource []byte

var judgePrompt = sync.OnceValue(func() *Template {
	t, faults := Parse("judge", judgeSource, ParseOptions{})
	if len(faults) > 0 {
		panic(faults) // it is ours
	}
	return t
})

// Question is what a judge is asked: whether an output is what a criterion
// wants.
type Question struct {
	Criterion any
	Input     string // of the prompt, as JSON
	Output    string
}

// Ask asks it. reason says why the output is good, or is not.
func (q Question) Ask(ctx context.Context, ask func(context.Context, *Template, map[string]any) Answer) (good bool, reason string, err error) {
	said := ask(ctx, judgePrompt(), map[string]any{"criterion": q.Criterion, "input": q.Input, "output": q.Output})
	if said.Err != nil {
		return false, "", said.Err
	}
	var verdict struct {
		Pass   bool   `json:"pass"`
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal([]byte(said.Text), &verdict); err != nil {
		return false, "", err
	}
	return verdict.Pass, verdict.Reason, nil
}

// Sampled is the judge that is to see the answer of the call that the arm now
// has; nil: none is. Those of production are not judged: whoever is served by
// it would be anyway.
func (a *Arm) Sampled() *Judge {
	j := a.of.served.Template.Sluice.Split.Stop.Judge
	if j == nil || a.Live == a.of.served || a.of.stopped.Load() != nil || rand.Float64() >= j.Sample {
		return nil
	}
	return j
}

// JudgeModel is the model by which the arm's answers are judged.
func (a *Arm) JudgeModel(j *Judge) string {
	if j.Model != "" {
		return j.Model
	}
	return a.of.served.Template.Model
}

// Judged notes what a judge has said of an answer of the arm. It may stop the
// split.
func (a *Arm) Judged(good bool) {
	if good {
		a.good.Add(1)
	}
	j := a.of.served.Template.Sluice.Split.Stop.Judge
	n := a.judged.Add(1)
	if j == nil || n < j.Answers || a.of.stopped.Load() != nil {
		return
	}
	if share := float64(a.good.Load()) / float64(n); share < j.Pass {
		a.of.stopped.CompareAndSwap(nil, &stop{StoppedByJudge,
			fmt.Sprintf("the judge found %.1f %% of %d answers of %s good, %.1f %% must be", share*100, n, a.Live.ID(), j.Pass*100)})
	}
}

// CountJudged is Judged, and has the store know it too.
func (r *Registry) CountJudged(ctx context.Context, a *Arm, good bool) error {
	a.Judged(good)
	if err := r.Splits.CountJudged(ctx, a.Live.Name, a.of.since, a.Live.Version, good); err != nil {
		return fmt.Errorf("cannot keep what a judge said of %s: %w", a.Live.ID(), err)
	}
	return nil
}
