package main

import (
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"strings"

	"sluice/providers/catalog"
)

// litellmDeployment is an entry of model_list. What is YAML in it is ready to
// be written.
type litellmDeployment struct {
	at       litellmSource
	name     string
	model    string // the provider's
	endpoint litellmEndpoint
	key      string // YAML of a key's fields; empty: none
	limits   string // YAML of a key's limits; empty: none
	weights  map[string]float64
	order    float64
	attempts int64 // 0: not given
	prices   []string
	provider *litellmProvider
}

// litellmEndpoint is where calls go and how, but for the key.
type litellmEndpoint struct {
	name   string // that a provider of it should have
	kind   string // empty: the catalogue knows the name
	base   string // YAML; empty: the catalogue's
	fields string // YAML of all else
}

// litellmParams reads a deployment's parameters, and those of the credential
// it names.
type litellmParams struct{ own, shared litellmSource }

func (p litellmParams) at(key string) litellmSource {
	if own := p.own.at(key); own.given() {
		return own
	}
	return p.shared.at(key)
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// value is a text as YAML. os.environ/NAME is what the file sets NAME to, or
// the variable.
func (c *litellmConfig) value(text string) string {
	name, ok := strings.CutPrefix(text, "os.environ/")
	if !ok {
		return quoted(text)
	}
	return c.variable(name)
}

func (c *litellmConfig) variable(name string) string {
	if set := c.source.at("environment_variables").at(name).text(); set != "" && !strings.HasPrefix(set, "os.environ/") {
		return quoted(set)
	}
	if !variableName.MatchString(name) {
		return quoted("")
	}
	return `"${` + name + `}"`
}

// deployment reads an entry; nil: it is not carried over, which is noted.
func (c *litellmConfig) deployment(at litellmSource) *litellmDeployment {
	own := at.at("litellm_params")
	p := litellmParams{own: own, shared: c.credential(own.at("litellm_credential_name").text())}
	d := &litellmDeployment{at: at, name: at.at("model_name").text(), weights: map[string]float64{}}
	model := p.at("model").text()
	if d.name == "" || model == "" {
		at.note("it lacks model_name or litellm_params.model")
		return nil
	}
	if strings.HasPrefix(d.name, "prompt/") {
		at.note("prompt/NAME is how a prompt is called")
		return nil
	}
	service, rest := c.service(model, p)
	if why := c.locate(d, service, rest, p); why != "" {
		at.note(why)
		return nil
	}
	for _, key := range []string{"weight", "rpm", "tpm"} {
		if n, ok := p.at(key).number(); ok {
			d.weights[key] = n
		}
	}
	d.order, _ = p.at("order").number()
	for _, key := range []string{"num_retries", "max_retries"} {
		if s := p.at(key); s.given() {
			d.attempts = s.count() + 1
		}
	}
	d.limits = limitsOf(p)
	d.prices = c.prices(d, at.at("model_info"), own)
	p.at("drop_params").yes()
	return d
}

// limitsOf are a deployment's limits.
func limitsOf(p litellmParams) string {
	var out []string
	for _, l := range [][2]string{{"rpm", "rpm"}, {"tpm", "tpm"}, {"max_parallel_requests", "parallel"}} {
		if n := p.at(l[0]).count(); n > 0 {
			out = append(out, fmt.Sprintf("%s: %d", l[1], n))
		}
	}
	return strings.Join(out, ", ")
}

func (c *litellmConfig) credential(name string) litellmSource {
	for _, entry := range c.source.at("credential_list").list() {
		if name != "" && entry.at("credential_name").text() == name {
			entry.at("credential_info").take()
			return entry.at("credential_values")
		}
	}
	return litellmSource{seen: c.source.seen}
}

// localServices are those without an address of their own; they speak OpenAI's
// format.
var localServices = map[string]bool{"hosted_vllm": true, "vllm": true, "lm_studio": true, "litellm_proxy": true, "openai_like": true,
	"custom_openai": true, "llamafile": true, "xinference": true, "text-completion-openai": true, "docker_model_runner": true}

// service parts a model into LiteLLM's provider and the model there. Where none
// is written, the catalogue knows whose it is.
func (c *litellmConfig) service(model string, p litellmParams) (string, string) {
	before, after, slash := strings.Cut(model, "/")
	if own := p.at("custom_llm_provider").text(); own != "" {
		return own, strings.TrimPrefix(model, own+"/")
	}
	if _, known := c.known.Provider(ourProvider(before)); slash && (known || localServices[before] || before == "ollama_chat" || before == "vertex_ai_beta") {
		return before, after
	}
	for _, name := range []string{"openai", "anthropic", "cohere", "mistral"} {
		if _, ok := c.known.Model(name, model); ok {
			return name, model
		}
	}
	for begins, name := range map[string]string{"gpt-": "openai", "claude-": "anthropic", "gemini-": "vertex_ai", "command-": "cohere", "anthropic.": "bedrock", "amazon.": "bedrock"} {
		if strings.HasPrefix(model, begins) {
			return name, model
		}
	}
	if p.at("api_base").given() && !slash || model == "*" {
		return "openai", model
	}
	return before, after
}

// locate finds the endpoint, the model and the key; it says why there is none.
func (c *litellmConfig) locate(d *litellmDeployment, service, model string, p litellmParams) string {
	name := map[string]string{"ollama_chat": "ollama", "vertex_ai_beta": "vertex"}[service]
	if name == "" {
		name = ourProvider(service)
	}
	entry, known := c.known.Provider(name)
	base := p.at("api_base")
	if !base.given() {
		base = p.at("base_url")
	}
	address := base.text()
	if !known && (localServices[service] || address != "") {
		if address == "" {
			address = "os.environ/" + strings.ToUpper(strings.ReplaceAll(service, "-", "_")) + "_API_BASE"
		}
		name, entry = strings.Trim(notInName.ReplaceAllString(service, "-"), "-"), catalog.Provider{Kind: "openai-compatible"}
	} else if !known {
		return "Sluice knows no provider " + service + ", and no api_base is given"
	}
	if entry.Kind == "openai" && address != "" && !strings.Contains(address, ".openai.com") {
		name, entry = "openai-compatible", catalog.Provider{Kind: "openai-compatible"}
	}
	if entry.Kind == "azure" && address == "" {
		address = "os.environ/AZURE_API_BASE"
	}
	own := known && name == entry.Name
	if address == "" && entry.BaseURL == "" && entry.Kind != "bedrock" && entry.Kind != "vertex" {
		return "api_base is needed"
	}
	d.endpoint = litellmEndpoint{name: name}
	if !own {
		d.endpoint.kind = entry.Kind
	}
	if address != "" {
		trimmed, ok := trimAddress(address, entry.Kind)
		if !ok {
			return "its api_base is no address that a provider can have"
		}
		d.endpoint.base = c.value(trimmed)
	}
	d.model = strings.Trim(model, "/")
	if d.model == "" {
		return "its model names none"
	}
	c.cloud(d, entry, p)
	d.endpoint.fields += c.common(p)
	return ""
}

// trimAddress takes off an address what a provider's kind adds itself.
func trimAddress(address, kind string) (string, bool) {
	if strings.HasPrefix(address, "os.environ/") {
		return address, true
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", false
	}
	u.RawQuery, u.Fragment, u.ForceQuery = "", "", false
	address = strings.TrimRight(u.String(), "/")
	ends := map[string][]string{"anthropic": {"/messages", "/v1"}, "gemini": {"/v1beta"}, "cohere": {"/v1", "/v2"}}[kind]
	if kind == "azure" {
		address, _, _ = strings.Cut(address, "/openai")
	}
	for _, end := range append(ends, "/chat/completions") {
		address = strings.TrimSuffix(address, end)
	}
	return strings.TrimRight(address, "/"), true
}

// cloud reads the key, and what the kinds of the clouds ask for beside it.
func (c *litellmConfig) cloud(d *litellmDeployment, entry catalog.Provider, p litellmParams) {
	field := func(theirs, ours string) {
		if text := p.at(theirs).text(); text != "" {
			d.endpoint.fields += "\n    " + ours + ": " + c.value(text)
		}
	}
	switch entry.Kind {
	case "bedrock":
		c.bedrock(d, p)
		return
	case "vertex":
		field("vertex_project", "project")
		field("vertex_location", "location")
		c.vertex(d, p)
		return
	case "azure":
		field("api_version", "api_version")
		if p.at("tenant_id").given() {
			field("tenant_id", "tenant")
			field("client_id", "client_id")
			field("client_secret", "client_secret")
			return
		}
	}
	key := p.at("api_key").text()
	if key == "" && len(entry.KeyEnv) > 0 && entry.Name == d.endpoint.name {
		key = "os.environ/" + entry.KeyEnv[0]
	}
	if key != "" {
		d.key = "value: " + c.value(key)
	}
}

func (c *litellmConfig) bedrock(d *litellmDeployment, p litellmParams) {
	region := p.at("aws_region_name").text()
	if region == "" {
		region = p.at("region_name").text()
	}
	for {
		before, after, ok := strings.Cut(d.model, "/")
		if ok && regionName.MatchString(before) && region == "" {
			region = before
		} else if !ok || before != "converse" && before != "invoke" && before != "converse_like" && before != region {
			break
		}
		d.model = after
	}
	if region == "" {
		region = "os.environ/AWS_REGION"
	}
	d.endpoint.fields += "\n    region: " + c.value(region)
	id, secret, token := p.at("aws_access_key_id").text(), p.at("aws_secret_access_key").text(), p.at("aws_session_token").text()
	switch bearer := p.at("api_key").text(); {
	case id != "" && secret != "":
		d.key = "id: " + c.value(id) + ", secret: " + c.value(secret)
		if token != "" {
			d.key += ", token: " + c.value(token)
		}
	case bearer != "":
		d.key = "value: " + c.value(bearer)
	}
}

var regionName = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`)

func (c *litellmConfig) vertex(d *litellmDeployment, p litellmParams) {
	s := p.at("vertex_credentials")
	switch text := s.text(); {
	case text == "":
	case strings.HasPrefix(text, "os.environ/"):
		d.endpoint.fields += "\n    credentials: " + c.value(text)
		s.seen.notes = append(s.seen.notes, litellmNote{s.node.Line, s.path, "where the variable holds the name of a file: credentials: ${file:NAME}"})
	case strings.HasPrefix(strings.TrimSpace(text), "{"):
		d.endpoint.fields += "\n    credentials: " + quoted(text)
	case strings.ContainsAny(text, "${}:\"\\"):
		s.note("its name cannot stand in ${file:NAME}")
	default:
		d.endpoint.fields += "\n    " + `credentials: "${file:` + text + `}"`
	}
}

// common is what every kind has.
func (c *litellmConfig) common(p litellmParams) string {
	out, headers := "", []string{}
	if org := p.at("organization").text(); org != "" {
		headers = append(headers, "OpenAI-Organization: "+c.value(org))
	}
	for _, h := range p.at("extra_headers").entries() {
		switch text := h.value.text(); {
		case !headerToken.MatchString(h.key) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
			h.value.note("it is no header that can be sent")
		default:
			headers = append(headers, quoted(h.key)+": "+c.value(text))
		}
	}
	if len(headers) > 0 {
		out += "\n    headers: {" + strings.Join(headers, ", ") + "}"
	}
	total, first := c.seconds(p.at("timeout"), c.timeout), c.seconds(p.at("stream_timeout"), c.streamTimeout)
	var bounds []string
	if first != "" {
		bounds = append(bounds, "first_byte: "+first)
	}
	if total != "" {
		bounds = append(bounds, "total: "+total)
	}
	if len(bounds) > 0 {
		out += "\n    timeout: {" + strings.Join(bounds, ", ") + "}"
	}
	return out
}

var headerToken = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// seconds is a number of seconds as a duration, or what counts without one.
func (c *litellmConfig) seconds(s litellmSource, otherwise string) string {
	n, ok := s.number()
	if !ok || n == 0 {
		return otherwise
	}
	return durationText(n)
}

// prices are those of a deployment's model: its own, or the base model's.
func (c *litellmConfig) prices(d *litellmDeployment, info, params litellmSource) []string {
	e := litellm{prices: map[string]*big.Rat{}}
	mode := info.at("mode").text()
	for _, from := range []litellmSource{params, info} {
		for _, field := range from.entries() {
			ours, _ := ourField(field.key, mode)
			if ours == "" || strings.Contains(ours, ".") || !field.value.given() {
				continue
			}
			if err := e.add(field.key, mode, field.value.text()); err != nil {
				field.value.note(err.Error())
			}
		}
	}
	e.clear()
	var out []string
	for _, field := range sortedKeys(e.prices) {
		out = append(out, field+": "+strings.TrimSuffix(strings.TrimRight(e.prices[field].FloatString(9), "0"), "."))
	}
	info.at("id").take()
	if base := info.at("base_model"); base.given() && len(out) == 0 {
		service, model := c.service(base.text(), litellmParams{params, litellmSource{seen: base.seen}})
		out = c.listed(ourProvider(service), model)
	}
	return out
}

// listed are the catalogue's prices of a model.
func (c *litellmConfig) listed(provider, model string) []string {
	m, ok := c.known.Model(provider, model)
	if !ok {
		return nil
	}
	var out []string
	for _, field := range []string{"input", "output", "cached_input", "cache_write", "reasoning", "audio_input", "audio_output", "image", "request"} {
		if price := m.Prices.Field(field); price != "" {
			out = append(out, field+": "+price)
		}
	}
	return out
}
