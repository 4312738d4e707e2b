package guard

import "strings"

// shape is how a maker's keys look: a prefix and at least so many of the bytes
// that may follow it.
type shape struct {
	prefix string
	in     func(c byte) bool
	least  int
	digit  bool // one of them is a digit: words with hyphens are no keys
}

// secrets are the shapes that their makers document, in the words of
// openrouter.ai/docs/guides/features/guardrails/secret-formats; GitHub's are
// also in github.blog/changelog/2021-03-31, which tells that they will grow.
var secrets = []shape{
	{"AKIA", upper, 16, false}, // AWS
	{"ASIA", upper, 16, false},
	{"ABIA", upper, 16, false},
	{"ACCA", upper, 16, false},
	{"ghp_", token, 30, false}, // GitHub
	{"gho_", token, 30, false},
	{"ghu_", token, 30, false},
	{"ghs_", token, 30, false},
	{"ghr_", token, 30, false},
	{"github_pat_", token, 30, false},
	{"glpat-", token, 20, false}, // GitLab
	{"sk-", token, 20, true},     // OpenAI, Anthropic (sk-ant-), OpenRouter, ours
	{"AIza", token, 30, false},   // Google
	{"GOCSPX-", token, 20, false},
	{"xoxb-", token, 10, true}, // Slack
	{"xoxp-", token, 10, true},
	{"xoxo-", token, 10, true},
	{"xoxs-", token, 10, true},
	{"xoxa-", token, 10, true},
	{"xoxr-", token, 10, true},
	{"xapp-", token, 10, true},
	{"sk_live_", token, 16, false}, // Stripe
	{"sk_test_", token, 16, false},
	{"rk_live_", token, 16, false},
	{"rk_test_", token, 16, false},
	{"whsec_", base64, 16, false},
	{"eyJ", token, 10, false},          // a JWT: see jwt
	{"-----BEGIN ", dashed, 11, false}, // a private key: see pem
}

// shapesOf are the secrets by their first byte.
var shapesOf = func() (by [256][]shape) {
	for _, s := range secrets {
		by[s.prefix[0]] = append(by[s.prefix[0]], s)
	}
	return by
}()

// seconds are the second bytes of secrets, as bits, by their first byte.
var seconds = func() (by [256][2]uint64) {
	for _, s := range secrets {
		by[s.prefix[0]][s.prefix[1]>>6] |= 1 << (s.prefix[1] & 63)
	}
	return by
}()

// mayBeSecret tells whether a secret's prefix may begin here: no word but a few
// has its first two bytes.
func mayBeSecret(text string) bool {
	return anchors[text[0]]&Secret != 0 && (len(text) < 2 || text[1] < 128 && seconds[text[0]][text[1]>>6]>>(text[1]&63)&1 != 0)
}

func upper(c byte) bool  { return isDigit(c) || c >= 'A' && c <= 'Z' }
func token(c byte) bool  { return isAlnum(c) || c == '_' || c == '-' }
func base64(c byte) bool { return isAlnum(c) || c == '+' || c == '/' || c == '=' }
func dashed(c byte) bool { return upper(c) || c == ' ' }

// deadRuns are offsets up to which it is known that no token with a digit, and
// no JWT, can begin: a run of a token's bytes that has failed is not read again
// for each prefix within it, or a long one would take its length squared.
type deadRuns struct{ digitless, jwt int }

// secret looks at what begins at i.
func secret(text string, i int, final bool, dead *deadRuns) (Match, verdict) {
	if !begins(text, i) {
		return Match{}, none
	}
	rest := text[i:]
	shapes := shapesOf[rest[0]]
	for s := range shapes {
		shape := &shapes[s]
		if len(rest) < len(shape.prefix) {
			if !final && strings.HasPrefix(shape.prefix, rest) {
				return Match{From: i}, open
			}
			continue
		}
		if !strings.HasPrefix(rest, shape.prefix) || shape.digit && i < dead.digitless || shape.prefix == "eyJ" && i < dead.jwt {
			continue
		}
		to := len(shape.prefix)
		for to < len(rest) && shape.in(rest[to]) {
			to++
		}
		if to == len(rest) && !final {
			return Match{From: i}, open
		}
		body := rest[len(shape.prefix):to]
		if shape.digit && !hasDigit(body) {
			dead.digitless = i + to
			continue
		}
		if len(body) < shape.least {
			continue
		}
		switch shape.prefix {
		case "eyJ":
			m, v := jwt(text, i, i+to, final)
			if v == none {
				dead.jwt = i + to
			}
			return m, v
		case "-----BEGIN ":
			return pem(text, i, body, final)
		}
		return Match{i, i + to, Secret}, found
	}
	return Match{}, none
}

// jwt is a token of three parts (RFC 7519), the first two of which are objects
// in JSON: what begins with {" is eyJ in base64. dot is where the first ends.
func jwt(text string, i, dot int, final bool) (Match, verdict) {
	to := dot
	for part := range 2 {
		if to < len(text) && text[to] != '.' {
			return Match{}, none
		}
		from := min(to+1, len(text))
		for to = from; to < len(text) && token(text[to]); {
			to++
		}
		if to == len(text) && !final {
			return Match{From: i}, open
		}
		if part == 0 && !strings.HasPrefix(text[from:to], "eyJ") || from == to {
			return Match{}, none
		}
	}
	return Match{i, to, Secret}, found
}

// pem is a private key (RFC 7468). One without an end goes to the end of the
// text: part of a key is too much already.
func pem(text string, i int, label string, final bool) (Match, verdict) {
	if !strings.Contains(label, "PRIVATE KEY") {
		return Match{}, none
	}
	const end = "-----END "
	at := strings.Index(text[i:], end)
	if at >= 0 {
		if to := strings.Index(text[i+at+len(end):], "-----"); to >= 0 {
			return Match{i, i + at + len(end) + to + len("-----"), Secret}, found
		}
	}
	if !final {
		return Match{From: i}, open
	}
	return Match{i, len(text), Secret}, found
}
