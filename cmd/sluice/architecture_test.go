package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the project's name in import paths.
const module = "sluice/"

// root is the project's directory, as seen from here.
const root = "../.."

// rule is what packages that match pattern may import of the project. The
// first rule that matches counts. A pattern that ends in /... covers a package
// and all below it; "*" is one element of a path.
type rule struct {
	pattern string
	may     []string
	why     string
}

// ofDialects is what every dialect may import.
var ofDialects = []string{"providers/dialect", "providers/schema", "providers/sse", "providers/wire"}

var projectRules = []rule{
	{"providers/schema", nil, "the schema is what all others agree on, so it depends on none of them"},
	{"providers/wire", []string{"providers/schema"}, "raw JSON and small words that two dialects share"},
	{"providers/dialect", []string{"providers/schema", "providers/wire"}, "the contract of a wire format, not one of them"},
	{"providers/sse", []string{"providers/dialect", "providers/schema", "providers/wire"}, "it cuts frames as the contract says and knows nothing of what they carry"},
	{"providers/mock", []string{"providers/schema"}, "it answers in the schema and needs no wire format"},
	{"providers/catalog", []string{"providers/schema", "providers/dialect"}, "providers and models are data"},
	{"providers/lifetime", nil, "it is a context, whoever's"},
	{"providers/upstream", []string{"providers/lifetime", "providers/schema", "providers/dialect", "providers/sse", "providers/wire"}, "HTTP out, the same for every dialect"},
	{"providers/auth", []string{"providers/schema"}, "it signs requests, whatever is in them"},
	{"providers/fetch", []string{"providers/schema"}, "it gets media by URL, whoever needs them, by a guarded client of its own"},
	{"providers/builtin", []string{"providers/..."}, "the list of all dialects"},
	{"providers/providertest", []string{"providers/..."}, "the suite that every dialect must pass"},
	{"providers", []string{"providers/catalog", "providers/auth", "providers/upstream", "providers/builtin", "providers/dialect",
		"providers/schema", "providers/sse", "providers/wire"}, "the portable client knows dialects by their contract alone"},
	{"providers/mistral", append([]string{"providers/openai"}, ofDialects...), "it is OpenAI's format with differences"},
	{"providers/azure", append([]string{"providers/openai"}, ofDialects...), "it is OpenAI's format at other paths"},
	{"providers/vertex", append([]string{"providers/anthropic", "providers/gemini"}, ofDialects...), "it is two makers' formats at other paths"},
	{"providers/bedrock", append([]string{"providers/anthropic"}, ofDialects...), "Claude's own fields pass through it"},
	{"providers/cohere", append([]string{"providers/openai"}, ofDialects...), "errors are told as OpenAI-compatible hosts tell them"},
	{"providers/ollama", append([]string{"providers/openai"}, ofDialects...), "errors are told as OpenAI-compatible hosts tell them"},
	{"providers/voyage", append([]string{"providers/openai"}, ofDialects...), "errors and embeddings are OpenAI's"},
	{"providers/*", []string{"providers/dialect", "providers/schema", "providers/sse", "providers/wire"}, "a dialect is one wire format and knows no other"},
	{"router/...", []string{"router/...", "providers/lifetime", "providers/schema"}, "it routes model calls and plain HTTP alike, so it knows neither"},
	{"prompts/...", []string{"prompts/...", "providers/schema"}, "a prompt becomes a request; who answers it does not matter here"},
	{"billing/...", []string{"billing/...", "providers/schema"}, "money is counted from usage alone"},
	{"store/address", nil, "it says where a store is, and opens none"},
	{"store/...", []string{"store/...", "billing", "prompts", "gateway/admin", "gateway/audit", "providers/schema"}, "it fulfils the interfaces of these"},
	{"gateway/...", []string{"gateway/...", "providers/...", "router/...", "prompts/...", "billing/..."}, "the edge joins the parts, and reaches the store through their interfaces"},
	{"bench/cmd/ledger", []string{"bench/...", "billing", "store", "prompts", "gateway/audit", "providers/schema"}, "it fills a store as the spool does, then sees the gateway from outside"},
	{"bench/...", []string{"bench/..."}, "it sees the gateway from outside, as a client does"},
	{"examples/...", []string{"bench/..."}, "examples see the gateway from outside"},
	{"cmd/sluice/config", []string{"store/address", "providers/...", "router/...", "prompts/...", "billing/...", "gateway/..."}, "it turns YAML into each package's options, and opens nothing"},
	{"cmd/...", []string{"cmd/...", "providers/...", "router/...", "prompts/...", "billing/...", "gateway/...", "store/..."}, "the only place that wires everything"},
}

// restriction keeps a package of others in its place.
type restriction struct {
	imports []string // exact, or a prefix that ends in /...
	only    []string // patterns of the packages that may
	why     string
}

var restrictions = []restriction{
	{[]string{"github.com/valyala/fasthttp/..."}, []string{"gateway/...", "providers/upstream", "bench/..."},
		"requests whose memory is used again must not leave the edge"},
	{[]string{"database/sql/...", "github.com/mattn/go-sqlite3", "github.com/jackc/pgx/...", "github.com/pressly/goose/..."}, []string{"store/..."},
		"SQL stands in one place"},
	{[]string{"github.com/corazawaf/..."}, []string{"gateway/waf"}, "one place knows how the rules are compiled and told what they may find"},
	{[]string{"github.com/tetratelabs/wazero/..."}, []string{"gateway/wasm"}, "one place bounds what foreign code may do"},
	{[]string{"github.com/redis/..."}, []string{"gateway/shared"}, "one place bounds what Redis may cost"},
	{[]string{"github.com/bradfitz/..."}, []string{"gateway/shared"}, "and what memcached may"},
	{[]string{"github.com/rabbitmq/..."}, []string{"gateway/purge"}, "one place hears RabbitMQ"},
	{[]string{"github.com/nats-io/..."}, []string{"gateway/purge", "gateway/telemetry/sink"}, "one place hears NATS, another tells it"},
	{[]string{"github.com/failsafe-go/..."}, []string{"gateway/limit"}, "one place counts what runs at once"},
	{[]string{"github.com/spf13/cobra"}, []string{"cmd/..."}, "flags are the command line's"},
	{[]string{"github.com/knadh/koanf/..."}, []string{"cmd/sluice/config"}, "packages get options, not a configuration tree"},
	{[]string{"github.com/sashabaranov/go-openai/..."}, []string{"providers/...", "examples/clients/..."}, "everything else speaks in the schema"},
	{[]string{"github.com/pkoukk/..."}, []string{"billing/..."}, "tokens are counted in one place"},
	{[]string{"charm.land/catwalk/..."}, []string{"providers/catalog"}, "it is one source of the catalogue's data"},
	{[]string{"github.com/mbleigh/raymond/..."}, []string{"prompts/..."}, "templates are the prompts' affair"},
	{[]string{"cel.dev/..."}, []string{"gateway/cel"}, "expressions are compiled and bounded in one place"},
	{[]string{"testing"}, []string{"providers/providertest", "bench/upstream", "gateway/shared/sharedtest"}, "test code does not belong in the binary"},
	{[]string{"log"}, nil, "the log is structured: log/slog"},
	{[]string{"math/rand"}, nil, "math/rand/v2 needs no seed"},
}

// dialects are pure: bytes in, bytes out.
var (
	dialects        = []string{"providers/openai", "providers/anthropic", "providers/gemini", "providers/bedrock", "providers/cohere", "providers/mistral", "providers/ollama"}
	impureInDialect = []string{"net", "os", "log/slog", "context"}
)

// call is a use of a package's name that only some packages may make.
type call struct {
	pkg   string
	names []string
	only  []string
	why   string
}

var restrictedCalls = []call{
	{"os", []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, []string{"cmd/...", "bench/cmd/...", "examples/clients/..."}, "what the environment says reaches a package as an option"},
	{"os", []string{"Exit"}, []string{"cmd/...", "bench/cmd/...", "examples/clients/..."}, "only main may end the process"},
}

// topLevel are the directories of the project; a new one is a decision.
var topLevel = []string{"bench", "billing", "cmd", "examples", "gateway", "prompts", "providers", "router", "store"}

// maxDepth is the longest chain of imports within the project.
const maxDepth = 7

// file is one Go file of the project.
type file struct {
	path string // from the project's root, with slashes
	pkg  string // its directory
	test bool
	ast  *ast.File
	set  *token.FileSet
	size int // lines
}

// projectFiles parses every Go file of the project.
func projectFiles(t *testing.T) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && p != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "data" || name == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		files = append(files, file{path: rel, pkg: path.Dir(rel), test: strings.HasSuffix(name, "_test.go"), ast: parsed,
			set: set, size: set.File(parsed.Pos()).LineCount()})
		return nil
	})
	if err != nil {
		t.Fatalf("cannot read the project: %v", err)
	}
	return files
}

func (f *file) imports() []string {
	var all []string
	for _, spec := range f.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// matches says whether a package falls under a pattern.
func matches(pkg, pattern string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == prefix || strings.HasPrefix(pkg, prefix+"/")
	}
	ok, err := path.Match(pattern, pkg)
	return ok && err == nil
}

func matchesAny(pkg string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(pkg, p) })
}

// ruleOf finds the first rule for a package.
func ruleOf(pkg string) (rule, bool) {
	i := slices.IndexFunc(projectRules, func(r rule) bool { return matches(pkg, r.pattern) })
	if i < 0 {
		return rule{}, false
	}
	return projectRules[i], true
}

// TestImportsOfTheProject holds every package to its rule.
func TestImportsOfTheProject(t *testing.T) {
	for _, f := range projectFiles(t) {
		if f.test {
			continue
		}
		r, ok := ruleOf(f.pkg)
		if !ok {
			t.Errorf("%s: no rule says what %s may import; add one to projectRules", f.path, f.pkg)
			continue
		}
		for _, imported := range f.imports() {
			of, ours := strings.CutPrefix(imported, module)
			if ours && !matchesAny(of, r.may) {
				t.Errorf("%s imports %s, but %s may import %v: %s", f.path, of, r.pattern, r.may, r.why)
			}
		}
	}
}

// TestRestrictedImports keeps libraries where they belong.
func TestRestrictedImports(t *testing.T) {
	for _, f := range projectFiles(t) {
		if f.test {
			continue
		}
		for _, imported := range f.imports() {
			for _, r := range restrictions {
				if matchesAny(imported, r.imports) && !matchesAny(f.pkg, r.only) {
					t.Errorf("%s imports %s, which is for %v: %s", f.path, imported, r.only, r.why)
				}
			}
			if slices.Contains(dialects, f.pkg) && slices.Contains(impureInDialect, imported) {
				t.Errorf("%s imports %s: a dialect is pure, bytes in and bytes out", f.path, imported)
			}
		}
	}
}

// TestRestrictedCalls finds uses of the environment, of os.Exit, and clocks
// and goroutines in dialects.
func TestRestrictedCalls(t *testing.T) {
	for _, f := range projectFiles(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok && slices.Contains(dialects, f.pkg) {
				t.Errorf("%s: a dialect starts no goroutine", f.at(n))
			}
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			for _, c := range restrictedCalls {
				if x.Name == c.pkg && slices.Contains(c.names, sel.Sel.Name) && !matchesAny(f.pkg, c.only) {
					t.Errorf("%s uses %s.%s, which is for %v: %s", f.at(n), c.pkg, sel.Sel.Name, c.only, c.why)
				}
			}
			if x.Name == "http" && !strings.HasPrefix(sel.Sel.Name, "Status") && sel.Sel.Name != "ParseTime" && slices.Contains(dialects, f.pkg) {
				t.Errorf("%s: of net/http a dialect takes statuses and ParseTime alone", f.at(n))
			}
			if x.Name == "time" && sel.Sel.Name == "Now" && slices.Contains(dialects, f.pkg) {
				t.Errorf("%s: a dialect reads no clock", f.at(n))
			}
			return true
		})
	}
}

// at is where a node stands, for a message.
func (f *file) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, f.set.Position(n.Pos()).Line)
}

// TestDepth finds the longest chain of imports. The compiler finds cycles.
func TestDepth(t *testing.T) {
	graph := map[string][]string{}
	for _, f := range projectFiles(t) {
		if f.test {
			continue
		}
		for _, imported := range f.imports() {
			if of, ours := strings.CutPrefix(imported, module); ours {
				graph[f.pkg] = append(graph[f.pkg], of)
			}
		}
	}
	chains := map[string][]string{}
	var chain func(pkg string, above []string) []string
	chain = func(pkg string, above []string) []string {
		if slices.Contains(above, pkg) {
			t.Fatalf("imports go in a circle: %s", strings.Join(append(above, pkg), " → "))
		}
		if known, ok := chains[pkg]; ok {
			return known
		}
		var longest []string
		for _, of := range graph[pkg] {
			if c := chain(of, append(slices.Clone(above), pkg)); len(c) > len(longest) {
				longest = c
			}
		}
		chains[pkg] = append([]string{pkg}, longest...)
		return chains[pkg]
	}
	for _, pkg := range slices.Sorted(maps.Keys(graph)) {
		if c := chain(pkg, nil); len(c) > maxDepth {
			t.Errorf("a chain of %d packages, the most is %d: %s", len(c), maxDepth, strings.Join(c, " → "))
		}
	}
}

// TestTopLevel keeps the list of directories fixed.
func TestTopLevel(t *testing.T) {
	dirs := map[string]bool{}
	for _, f := range projectFiles(t) {
		dirs[strings.Split(f.path, "/")[0]] = true
	}
	for _, d := range slices.Sorted(maps.Keys(dirs)) {
		if !slices.Contains(topLevel, d) {
			t.Errorf("%s is a new top-level directory; find it a home in %v", d, topLevel)
		}
	}
}

// The limits on size.
const (
	maxFile     = 500
	maxDialect  = 250
	maxFunction = 60
	maxParams   = 5
	maxMethods  = 5
	maxFields   = 25
)

// longFunctions may be longer than maxFunction, for the reason given.
var longFunctions = map[string]string{}

// wideStructs may have more fields than maxFields, for the reason given.
var wideStructs = map[string]string{
	"billing.Entry": "a line of the ledger: a column each",
}

// wideInterfaces may have more methods than maxMethods, for the reason given.
var wideInterfaces = map[string]string{
	"billing.Ledger":  "what a store must do for the ledger, fulfilled once for each database",
	"billing.Tenants": "what a store must do for teams and keys, fulfilled once for each database",
}

// fieldsFree are the packages whose structs mirror what others define.
var fieldsFree = []string{"providers/...", "cmd/sluice/config"}

// TestSizes keeps files and functions short enough to be read.
func TestSizes(t *testing.T) {
	for _, f := range projectFiles(t) {
		limit := maxFile
		if slices.Contains(dialects, f.pkg) && !f.test {
			limit = maxDialect
		}
		if f.size > limit {
			t.Errorf("%s has %d lines, the most is %d: split it by what it does", f.path, f.size, limit)
		}
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				f.checkFunction(t, n)
			case *ast.TypeSpec:
				f.checkType(t, n)
			}
			return true
		})
	}
}

func (f *file) checkFunction(t *testing.T, fn *ast.FuncDecl) {
	name := f.pkg + "." + fn.Name.Name
	lines := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1
	if _, excepted := longFunctions[name]; lines > maxFunction && !excepted {
		t.Errorf("%s: %s has %d lines, the most is %d; a table or parser may be named in longFunctions", f.at(fn), fn.Name.Name, lines, maxFunction)
	}
	if n := fn.Type.Params.NumFields(); n > maxParams {
		t.Errorf("%s: %s has %d parameters, the most is %d: pass a struct", f.at(fn), fn.Name.Name, n, maxParams)
	}
}

func (f *file) checkType(t *testing.T, spec *ast.TypeSpec) {
	switch typ := spec.Type.(type) {
	case *ast.InterfaceType:
		_, excepted := wideInterfaces[f.pkg+"."+spec.Name.Name]
		if n := typ.Methods.NumFields(); n > maxMethods && !excepted && !isUnion(typ) {
			t.Errorf("%s: interface %s has %d methods, the most is %d: define small ones where they are used", f.at(spec), spec.Name.Name, n, maxMethods)
		}
	case *ast.StructType:
		_, excepted := wideStructs[f.pkg+"."+spec.Name.Name]
		if n := typ.Fields.NumFields(); n > maxFields && !excepted && !matchesAny(f.pkg, fieldsFree) {
			t.Errorf("%s: struct %s has %d fields, the most is %d", f.at(spec), spec.Name.Name, n, maxFields)
		}
	}
}

// isUnion says that an interface lists types, not methods.
func isUnion(typ *ast.InterfaceType) bool {
	return slices.ContainsFunc(typ.Methods.List, func(f *ast.Field) bool { return len(f.Names) == 0 })
}

// TestPackageDocs wants a comment on every package, and no names that say
// nothing.
func TestPackageDocs(t *testing.T) {
	empty := []string{"util", "utils", "common", "helpers", "types", "manager", "misc", "base"}
	sizes := map[string]int{}
	for _, f := range projectFiles(t) {
		if slices.Contains(empty, path.Base(f.pkg)) {
			t.Errorf("%s: the name of package %s says nothing", f.path, f.pkg)
		}
		if f.test || f.ast.Name.Name == "main" {
			continue
		}
		lines := 0
		if f.ast.Doc != nil {
			lines = f.set.Position(f.ast.Doc.End()).Line - f.set.Position(f.ast.Doc.Pos()).Line + 1
		}
		sizes[f.pkg] = max(sizes[f.pkg], lines)
	}
	for _, pkg := range slices.Sorted(maps.Keys(sizes)) {
		if n := sizes[pkg]; n == 0 {
			t.Errorf("%s has no package comment: say in doc.go what it does and what it does not", pkg)
		}
	}
}
