package gemini

// budgets are the thinking budgets for OpenAI's words of effort, on models
// without levels: those of Google's own OpenAI-compatible endpoint (page
// openai), and what follows beyond them.
var budgets = map[string]int64{"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 32768}

// thinking sets thinkingConfig.
func (e *encoder) thinking() {
	r := e.req.Reasoning
	if r == nil {
		return
	}
	off := r.Off || r.Effort == "none" || r.Budget != nil && *r.Budget == 0
	config := map[string]any{}
	switch e.traits.thinking {
	case thinkNever:
		e.dropIf(!off, "reasoning_effort")
		return
	case thinkLevel:
		e.thinkingLevel(config, off)
	default:
		e.thinkingBudget(config, off)
	}
	if !off && !r.Exclude {
		config["includeThoughts"] = true
	}
	if len(config) > 0 {
		e.config["thinkingConfig"] = config
	}
}

// thinkingLevel sets a level. Models that have them cannot be kept from
// thinking, and take a budget for the sake of old callers only: it becomes the
// nearest level.
func (e *encoder) thinkingLevel(config map[string]any, off bool) {
	r := e.req.Reasoning
	if off {
		level := e.traits.levels[0]
		config["thinkingLevel"] = level
		e.dropIf(level != "minimal", "reasoning_effort")
		return
	}
	word := r.Effort
	if word == "" && r.Budget != nil && *r.Budget > 0 {
		e.drop("reasoning.max_tokens")
		switch n := *r.Budget; {
		case n <= budgets["low"]:
			word = "low"
		case n <= budgets["medium"]:
			word = "medium"
		default:
			word = "high"
		}
	}
	if word == "" {
		return
	}
	level, _ := e.traits.level(word)
	if level == "" {
		e.drop("reasoning_effort")
		return
	}
	config["thinkingLevel"] = level
}

// thinkingBudget sets a number of tokens within the model's bounds; -1 leaves
// it to the model.
func (e *encoder) thinkingBudget(config map[string]any, off bool) {
	r, t := e.req.Reasoning, e.traits
	if off {
		config["thinkingBudget"] = int64(0)
		if !t.canDisable {
			config["thinkingBudget"] = t.budgetMin
			e.drop("reasoning_effort")
		}
		return
	}
	n, known := budgets[r.Effort]
	switch {
	case r.Budget != nil && *r.Budget < 0, r.Budget == nil && !known:
		config["thinkingBudget"] = int64(-1)
		return
	case r.Budget != nil:
		n = *r.Budget
	}
	config["thinkingBudget"] = min(max(n, t.budgetMin), t.budgetMax)
}
