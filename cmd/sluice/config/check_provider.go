package config

import (
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"sluice/billing"
)

// headerName is a token of RFC 9110, section 5.6.2.
var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func (k *checker) provider(path []string, name string, p Provider) {
	k.name(path, name)
	if name == "prompt" {
		k.fault(path, "prompt/NAME is how a prompt is called: choose another name")
	}
	if kind := below(path, "kind"); name == "mock" && p.Kind != "mock" {
		k.fault(kind, "the provider mock is built in: choose another name for this one")
	}
	if p.BaseURL != "" {
		k.baseURL(below(path, "base_url"), p.BaseURL)
	}
	k.providerKeys(below(path, "keys"), p)
	for _, header := range sortedKeys(p.Headers) {
		if !headerName.MatchString(header) {
			k.fault(below(below(path, "headers"), header), "is not the name of a header")
		}
		if strings.ContainsFunc(p.Headers[header].Reveal(), unicode.IsControl) {
			k.fault(below(below(path, "headers"), header), "the value holds a line break or another control character")
		}
	}
	for _, model := range sortedKeys(p.Prices) {
		k.price(below(below(path, "prices"), model), model, p.Prices[model])
	}
	k.limits(below(path, "limits"), p.Limits)
	k.health(below(path, "health"), p)
	if p.MaxResponse == 0 {
		k.fault(below(path, "max_response"), "want at least 1 byte")
	}
	k.kind(path, p)
}

// baseURL never quotes: an address may hold a key.
func (k *checker) baseURL(path []string, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		k.fault(path, "want an address such as https://host/v1")
	case u.User != nil:
		k.fault(path, "holds a user or password: use keys or headers for it")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		k.fault(path, "must not have a ? or # part")
	}
}

func (k *checker) providerKeys(path []string, p Provider) {
	seen, weight := map[Secret]string{}, int64(0)
	for i, key := range p.Keys {
		at := below(path, strconv.Itoa(i))
		value, secret, whole := below(at, "value"), key.Value, true
		if !slices.ContainsFunc(known(reflect.TypeFor[ProviderKey]()), func(name string) bool {
			return k.origin.given(below(at, name)...)
		}) {
			value = at // the short form
		}
		if p.Kind == "bedrock" {
			secret, whole = k.awsKey(at, key)
		} else {
			k.awsParts(at)
		}
		if whole {
			k.secret(value, secret, seen)
		}
		k.patterns(below(at, "models"), key.Models)
		k.limits(below(at, "limits"), key.Limits)
		for name, n := range map[string]int64{"rpd": key.Limits.RPD, "tpd": key.Limits.TPD} {
			if n > 0 {
				k.fault(below(below(at, "limits"), name), "a provider's key has limits of a minute (rpm, tpm, input_tpm, output_tpm) and parallel alone: put those of a day under the provider's limits")
			}
		}
		weight += key.Weight
	}
	if len(p.Keys) > 0 && weight == 0 {
		k.fault(path, "every weight is 0: no key would ever be used")
	}
}

func (k *checker) price(path []string, model string, p Price) {
	if model == "" {
		k.fault(path, "a price wants the name of a model, or a pattern such as *")
	}
	k.sizes(path, p)
	for name, tier := range p.Tiers {
		at := below(below(path, "tiers"), name)
		switch {
		case !billing.IsTier(name):
			k.fault(at, "want the name of a service tier such as flex, priority or batch; the usual prices stand beside tiers")
		case tier.Tiers != nil:
			k.fault(below(at, "tiers"), "tiers cannot stand inside tiers")
		}
		k.sizes(at, tier)
	}
}

// sizes checks what is below above.
func (k *checker) sizes(path []string, p Price) {
	for tokens, above := range p.Above {
		at := below(below(path, "above"), strconv.FormatInt(tokens, 10))
		if tokens == 0 {
			k.fault(at, "want a positive number of tokens")
		}
		if above.Above != nil {
			k.fault(at, "above cannot stand inside above")
		}
		if above.Tiers != nil {
			k.fault(at, "tiers cannot stand inside above: put above inside tiers")
		}
	}
}

func (k *checker) mock(path []string, p Provider) {
	fail := below(path, "fail")
	if s := p.Fail.Status; s != 0 && (s < 400 || s > 599) {
		k.fault(below(fail, "status"), "want a status from 400 to 599")
	}
	if p.Fail.Share > 1 {
		k.fault(below(fail, "share"), "want a share from 0 to 1")
	}
	if p.Fail.Status == 0 && p.Fail.Share > 0 {
		k.fault(below(fail, "status"), "is needed beside share")
	}
}

// target checks what a model's target or fallback names. It reports the name
// where it is one under models:.
func (k *checker) target(path []string, ref string) (alias string) {
	if _, ok := k.config.Models[ref]; ok {
		return ref
	}
	provider, model, qualified := strings.Cut(ref, "/")
	if model != "" && k.on[provider] { // to look for what was meant takes long where there are many names
		return ""
	}
	quoted, hint := strconv.Quote(provider), ""
	if qualified {
		hint = meant(provider, sortedKeys(k.on))
	} else {
		hint = meant(ref, sortedKeys(k.config.Models))
	}
	if k.origin.find(path).expanded {
		quoted, hint = "of that name", ""
	}
	switch {
	case ref == "":
		k.fault(path, "is needed: provider/model, or a name under models:")
	case !qualified:
		k.fault(path, "there is no model %s under models:, nor is it provider/model%s", quoted, hint)
	case !k.on[provider]:
		k.fault(path, "there is no provider %s under providers:%s", quoted, hint)
	case model == "":
		k.fault(path, "the model after %s/ is missing", provider)
	}
	return ""
}
