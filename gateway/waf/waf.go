package waf

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
	"github.com/corazawaf/coraza/v3/types/variables"
)

// directives are the rules for requests. Those for answers are not built in.
const directives = `
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 1048576
SecRequestBodyInMemoryLimit 1048576
SecRequestBodyLimitAction ProcessPartial
SecResponseBodyAccess Off
SecAuditEngine Off
SecArgumentsLimit 1000
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecDefaultAction "phase:1,log,noauditlog,pass"
SecDefaultAction "phase:2,log,noauditlog,pass"
SecAction "id:900200,phase:1,pass,t:none,nolog,setvar:'tx.allowed_methods=GET HEAD POST PUT PATCH DELETE OPTIONS'"
SecAction "id:900990,phase:1,pass,t:none,nolog,setvar:tx.crs_setup_version=4250"
Include @owasp_crs/REQUEST-901-INITIALIZATION.conf
Include @owasp_crs/REQUEST-913-SCANNER-DETECTION.conf
Include @owasp_crs/REQUEST-920-PROTOCOL-ENFORCEMENT.conf
Include @owasp_crs/REQUEST-921-PROTOCOL-ATTACK.conf
Include @owasp_crs/REQUEST-922-MULTIPART-ATTACK.conf
Include @owasp_crs/REQUEST-930-APPLICATION-ATTACK-LFI.conf
Include @owasp_crs/REQUEST-931-APPLICATION-ATTACK-RFI.conf
Include @owasp_crs/REQUEST-932-APPLICATION-ATTACK-RCE.conf
Include @owasp_crs/REQUEST-933-APPLICATION-ATTACK-PHP.conf
Include @owasp_crs/REQUEST-934-APPLICATION-ATTACK-GENERIC.conf
Include @owasp_crs/REQUEST-941-APPLICATION-ATTACK-XSS.conf
Include @owasp_crs/REQUEST-942-APPLICATION-ATTACK-SQLI.conf
Include @owasp_crs/REQUEST-943-APPLICATION-ATTACK-SESSION-FIXATION.conf
Include @owasp_crs/REQUEST-944-APPLICATION-ATTACK-JAVA.conf
Include @owasp_crs/REQUEST-949-BLOCKING-EVALUATION.conf
SecRuleRemoveById 920350 920420
`

// compiled is the rule set, made once.
var compiled = sync.OnceValues(func() (coraza.WAF, error) {
	return coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(directives))
})

// Options are what a route asks for.
type Options struct {
	Paranoia int   // from 1, where little is taken for an attack, to 4
	Exclude  []int // ids of rules that are left out
}

// Rules look into requests. They are safe for concurrent use.
type Rules struct {
	set      coraza.WAF
	paranoia []string
	exclude  []int
}

// New readies the rules; the first call compiles them.
func New(o Options) (*Rules, error) {
	set, err := compiled()
	if err != nil {
		return nil, fmt.Errorf("cannot compile the rule set: %w", err)
	}
	return &Rules{set: set, paranoia: []string{strconv.Itoa(max(o.Paranoia, 1))}, exclude: o.Exclude}, nil
}

// Request is what is looked into. Nothing of it is kept.
type Request struct {
	IP       string
	Method   string
	URI      string // path and query, as they came
	Protocol string // HTTP/1.1
	Headers  iter.Seq2[string, string]
	Body     []byte // or the beginning of it
	Cut      bool   // there is more of the body
}

// Finding is what was found.
type Finding struct {
	Attack bool
	Score  int // of the anomalies; from 5 it is an attack
	Rules  []Rule
}

// Rule is one that fits.
type Rule struct {
	ID      int
	Message string
}

// transaction is what Coraza's can do, beside what their interface says.
type transaction interface {
	types.Transaction
	plugintypes.TransactionState
	RemoveRuleByID(id int)
	RemoveRuleTargetByID(id int, variable variables.RuleVariable, key string, keys *regexp.Regexp)
}

// shell are the rules for commands that are written plainly, behind a line's
// end, an ampersand or a semicolon. In a form these are suspicious; in a JSON
// value they are a text of several lines, or a URL with a query.
var (
	shell     = []int{932235, 932236, 932370, 932380}
	jsonNames = regexp.MustCompile(`^json\.`)
)

// grammar are the rules that go by the grammar of SQL alone, which sentences
// have too: "The values (1, 2) in the table are wrong, aren't they?"
var grammar = []int{942100, 942360}

// Check looks for attacks in a request.
func (r *Rules) Check(q *Request) (Finding, error) {
	tx := r.set.NewTransaction()
	defer tx.Close() // of what is in memory only: it does not fail
	state, ok := tx.(transaction)
	if !ok {
		return Finding{}, fmt.Errorf("the transactions of this Coraza take no settings")
	}
	for _, name := range [...]string{"blocking_paranoia_level", "detection_paranoia_level"} {
		state.Variables().TX().Set(name, r.paranoia)
	}
	for _, id := range r.exclude {
		state.RemoveRuleByID(id)
	}
	tx.ProcessConnection(q.IP, 0, "", 0)
	tx.ProcessURI(q.URI, q.Method, q.Protocol)
	contentType := ""
	for name, value := range q.Headers {
		tx.AddRequestHeader(name, value)
		switch {
		case strings.EqualFold(name, "Host"):
			tx.SetServerName(value)
		case strings.EqualFold(name, "Content-Type"):
			contentType = value
		}
	}
	stopped := tx.ProcessRequestHeaders()
	if stopped == nil {
		if err := addBody(state, contentType, q); err != nil {
			return Finding{}, err
		}
		var err error
		if stopped, err = tx.ProcessRequestBody(); err != nil {
			return Finding{}, fmt.Errorf("cannot look into the body: %w", err)
		}
	}
	return found(state, stopped != nil), nil
}

// addBody gives the body to the rules: JSON as the values that it holds, all
// else as it is.
func addBody(tx transaction, contentType string, q *Request) error {
	if len(q.Body) == 0 {
		return nil
	}
	if !isForm(contentType) && isJSON(q.Body, q.Cut) {
		for _, id := range shell {
			tx.RemoveRuleTargetByID(id, variables.Args, "", jsonNames)
		}
		addValues(q.Body, func(name, value string) {
			if isSentence(value) {
				for _, id := range grammar {
					tx.RemoveRuleTargetByID(id, variables.Args, name, nil)
				}
			}
			tx.AddPostRequestArgument(name, value)
		})
		return nil
	}
	if isBinary(contentType) {
		return nil
	}
	if _, _, err := tx.WriteRequestBody(q.Body); err != nil {
		return fmt.Errorf("cannot take the body: %w", err)
	}
	return nil
}

// kindOf is a content type without its parameters.
func kindOf(contentType string) string {
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	return strings.TrimSpace(kind)
}

// isBinary tells whether a body is said to be no text, in which rules for text
// would find what they like.
func isBinary(contentType string) bool {
	kind := kindOf(contentType)
	family, _, _ := strings.Cut(kind, "/")
	return slices.Contains([]string{"image", "audio", "video", "font"}, family) || slices.Contains([]string{"application/octet-stream", "application/zip", "application/gzip",
		"application/pdf", "application/protobuf", "application/x-protobuf", "application/grpc", "application/vnd.apache.parquet", "application/wasm"}, kind)
}

func isForm(contentType string) bool {
	kind := kindOf(contentType)
	return kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data"
}

// found gathers what fits, but for what only adds up the score.
func found(tx transaction, attack bool) Finding {
	f := Finding{Attack: attack}
	for _, score := range tx.Variables().TX().Get("blocking_inbound_anomaly_score") {
		f.Score, _ = strconv.Atoi(score) // the rules only ever set numbers
	}
	for _, m := range tx.MatchedRules() {
		rule := Rule{ID: m.Rule().ID(), Message: m.Message()}
		if rule.Message != "" && rule.ID/1000 != 949 && rule.ID/1000 != 901 && !slices.Contains(f.Rules, rule) {
			f.Rules = append(f.Rules, rule)
		}
	}
	return f
}
