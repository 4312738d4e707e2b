package gateway

import (
	"unicode/utf8"

	"sluice/billing"
	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// What is reckoned with where nobody tells: sizes that are seldom exceeded for
// holds, and usual ones for usage. Sound is between 1 kB (speech, compressed)
// and 16 kB a second, and ten tokens long a second; a character that is spoken
// makes one to two tokens of sound; OpenAI's largest pictures take 6,240
// tokens (its pricing page, read 2026-11-24).
const (
	bytesAudioToken  = 100   // the fewest
	bytesAudioSecond = 16000 // the usual
	pictureTokens    = 8192
	spokenTokens     = 2 // the most a character
)

// bounds are the most tokens and pictures that a request is held for, and the
// least without which it is refused.
type bounds struct{ in, out, least, pictures int64 }

func (c *Call) passBounds() bounds {
	b := c.passed
	n := bounds{in: int64(b.head.PromptSize) + 64}
	switch b.op {
	case schema.OpImage:
		n.pictures = c.choices()
		n.out = pictureTokens * n.pictures
		if b.file > 0 {
			n.in += pictureTokens
		}
	case schema.OpSpeech:
		n.out = spokenTokens*int64(utf8.RuneCountInString(b.text)) + 64
	case schema.OpTranscribe:
		n.in += b.file / bytesAudioToken
		n.out = c.snap.Settings.HoldTokens
	case schema.OpRealtime:
		n.in, n.out, n.least = c.snap.Settings.HoldTokens, c.snap.Settings.HoldTokens, 1
	}
	return n
}

// reservePassed holds for a request that is passed on: there is no limit on its
// answer to clamp.
func (c *Call) reservePassed() error {
	n := c.passBounds()
	want, least := c.dearest(n.in, n.out), c.dearest(n.least, n.least)
	if n.pictures > 0 {
		var most billing.Nano
		for _, t := range c.model.Targets {
			most = max(most, t.mayCost(c).ImageCost(n.pictures))
		}
		want, least = want+most, least+most
	}
	return c.hold(billing.Need{USD: want, MinUSD: least, Tokens: n.in + n.out, MinTokens: 1})
}

// passedUsage is what an answer that was passed on has used. What the provider
// does not tell is reckoned from the request.
func (c *Call) passedUsage(t *dialect.Tally) schema.Usage {
	u, b := t.Usage, c.passed
	if u.Source == schema.UsageReported {
		return u
	}
	model := c.target.Model
	switch b.op {
	case schema.OpModerate:
		u.Input, u.Source = c.g.counter.Count(model, b.text), schema.UsageCounted
	case schema.OpSpeech:
		u = c.spoken(model)
	case schema.OpTranscribe:
		// Only models that are paid by the second tell nothing, in plain text.
		u.Input = b.file/bytesAudioSecond + 1
		u.AudioInput, u.Source = u.Input, schema.UsageEstimated
	default:
		u.Source = schema.UsageCounted
	}
	return u
}

// spoken is the usage of a text that was spoken. Models with a price for their
// output are paid by tokens, the others by the character.
func (c *Call) spoken(model string) schema.Usage {
	chars := int64(utf8.RuneCountInString(c.passed.text))
	prices := c.target.prices(c)
	if prices.MaxCost(0, 1e6) == prices.MaxCost(0, 0) {
		return schema.Usage{Input: chars, Source: schema.UsageCounted}
	}
	sound := chars * 7 / 5 // 20.8 tokens and 15 characters a second
	return schema.Usage{Input: c.g.counter.Count(model, c.passed.text), Output: sound, AudioOutput: sound, Source: schema.UsageEstimated}
}
