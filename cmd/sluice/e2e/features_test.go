package e2e

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// features are what the classic gateway promises, and the tests that show it:
// of this package, or of one that is named before a colon.
var features = []struct{ what, tests string }{
	{"one entry point that hides where services are", "TestRouteHidesPlaces TestRoutePassesThrough TestRouteHeaders gateway/proxy:TestOwnPath"},
	{"routes by host, path, method, header and query, in one order", "TestRouteMatching gateway/proxy:TestPathPrecedence gateway/proxy:TestExpressions gateway/proxy:TestPatternsOfValues gateway/proxy:TestSameTree gateway/proxy:TestManyRoutes"},
	{"one form of a path", "gateway/proxy:TestPathCut gateway/proxy:TestNormaliseAllocates"},
	{"balance: round robin, weights, least connections, fastest", "TestRouteBalance TestRouteLeastConnections TestRouteWeightTakenAway router:TestWeightsAreExact router:TestLeastBusy router:TestFastestPrefersTheQuick"},
	{"balance: a caller stays with a server", "TestRouteSticky router:TestStickyStays router:TestStickyMovesFew"},
	{"health of servers, drain of those taken out", "TestRouteHealth TestRouteServerKilled TestRouteDrain router:TestPanic"},
	{"servers replaced under load", "TestRouteServersReplaced"},
	{"discovery: DNS, Consul, Kubernetes, files", "TestRouteDiscovery TestRouteDiscoveryTLS TestRouteKubernetesGone router/discovery:TestDNS router/discovery:TestConsul router/discovery:TestConsulBlocks router/discovery:TestConsulAgent router/discovery:TestKubernetes"},
	{"discovery: Eureka, by what has changed in it", "TestRouteDiscovery router/discovery:TestEureka router/discovery:TestEurekaDrift router/discovery:TestEurekaWithoutDeltas router/discovery:TestEurekaHash"},
	{"discovery: Nacos and Polaris", "TestRouteDiscovery router/discovery:TestNacos router/discovery:TestNacosToken router/discovery:TestNacosRefuses router/discovery:TestNacosWeights router/discovery:TestPolaris"},
	{"streams and WebSockets", "TestRouteStreams TestRouteWebSocket TestRouteCallerLeaves"},
	{"sign-in: keys, kept as salted hashes", "TestRouteKeyAndLimits TestKeysAreStoredSalted gateway:TestManyKeys store:TestSaltIsOfTheInstallation store:TestOldHashesAreSalted"},
	{"sign-in: JWT, OAuth 2.0, passwords, certificates", "TestRouteSignIn TestMutualTLS gateway/auth:TestJWT gateway/auth:TestJWTClaims gateway/auth:TestBasic"},
	{"sign-in: one question about a token for as long as its answer counts", "TestIntrospectedOncePerTTL"},
	{"keys rotated under load", "TestKeyRotationUnderLoad"},
	{"limits by plan, changed on open connections, kept over a restart of Redis", "TestPlansOfTiers"},
	{"sign-in: signed requests", "TestRouteSignatures gateway/auth:TestSignatures"},
	{"OpenID Connect for people", "TestConsoleOIDC TestPortalOIDC"},
	{"OpenID Connect for people: sessions are renewed", "TestConsoleOIDCRenewed TestPortalOIDCRenewed"},
	{"permissions by role, attribute, scope and path", "TestRoutePermissions TestRouteOfficeHours gateway/proxy:TestPermissionNamesWhatDecides TestRouteSelf TestRouteTeamOfToken gateway/cel:TestRules gateway/cel:TestNoRuleHolds"},
	{"subscriptions with approval", "TestRouteSubscription TestSubscriptions TestSubscriptionRevokedInStream TestSubscriptionApprovedByAReplicaThatDies"},
	{"rate limits in any stretch of time", "TestRouteKeyAndLimits"},
	{"throttling before refusing", "TestRouteThrottle gateway/limit:TestThrottleSpacing gateway/limit:TestThrottleKeepsTheLimit"},
	{"guessing of passwords and keys", "TestGuessing TestGuessingPasswords"},
	{"addresses allowed and denied", "TestRouteAddresses gateway/proxy:TestManyNetworks gateway/proxy:TestAddressesAllocate"},
	{"slow clients, too many connections, floods", "TestSlowAndManyConnections TestFlood"},
	{"smuggling and strange requests", "TestSmuggling TestStrangeButGood"},
	{"web application firewall", "TestRouteFirewall gateway/waf:TestRegressionsOfTheRuleSet"},
	{"validation by JSON Schema and OpenAPI", "TestRouteValidate TestRouteValidateLarge gateway/validate:TestSchema gateway/validate:TestSchemaSuite gateway/validate:TestContractRequests gateway/validate:TestContractAnswers gateway/validate:TestContractFaults gateway/validate:TestDecodeRefusesTwice"},
	{"drift from a contract, told of without refusing", "TestRouteContractReported TestRouteContractReportChecked"},
	{"TLS: termination, several certificates", "TestTLS TestTLSRequired"},
	{"TLS: certificates from an authority", "TestACME TestACMEOverHTTP TestACMERefused"},
	{"TLS to backends, always verified", "TestRouteTLS"},
	{"signed requests to backends", "TestRouteSignsHMAC TestRouteSignsAWS gateway/auth:TestSignerBase gateway/auth:TestSignerIsVerified"},
	{"transformation of requests and answers", "TestRouteTransformRequest TestRouteTransformResponse TestRouteTransformDefault gateway/reshape:TestEdit gateway/reshape:FuzzEdit TestRoutePacksStreams"},
	{"XML and JSON", "gateway/reshape:TestXML gateway/reshape:TestXMLRefuses gateway/reshape:TestToXML"},
	{"several calls, one answer", "TestRouteCompose TestRouteComposeAtOnce TestRouteComposeCalls TestRouteComposeDepth"},
	{"a view for each kind of caller", "TestRouteViews cmd/sluice:TestOpenAPIView"},
	{"cache: keys, variants, callers", "TestRouteCache TestRouteCacheConditions TestRouteCacheCallers TestRouteCachePasses TestRouteCacheQuery gateway/proxy:TestCacheQuery gateway/proxy:TestCacheKeepsCallersApart"},
	{"cache: stale answers, one call per miss", "TestRouteCacheStale"},
	{"cache: purge by key, tag and prefix", "TestRouteCachePurge gateway/httpcache:TestPurge gateway/httpcache:TestPutAfterPurge"},
	{"cache: shared by replicas, purged in all of them", "TestSharedRouteCache TestSharedWithoutRedis TestSharedNever gateway/httpcache:TestRedisFurther gateway/httpcache:TestRedisPurgeOfMany gateway/shared:TestRedisAway"},
	{"cache: shared over memcached", "TestMemcachedRouteCache TestMemcachedAway gateway/shared:TestMemcachedShared gateway/shared:TestMemcachedPurgesAtOnce gateway/shared:TestMemcachedAway gateway/httpcache:TestMemcachedFurther"},
	{"health: shared by replicas", "TestSharedHealth TestSharedHealthAtStart router:TestHearRests router:TestHearBreaker router:TestHearWrong router:TestHearHealth gateway/shared:TestRedisNews gateway/shared:TestRedisNewsAway"},
	{"availability: a replica is killed under load, behind a balancer", "TestClusterNodeKilled"},
	{"limits: shared by replicas", "TestSharedLimits TestSharedCommands gateway/shared:TestRedisWindow gateway/shared:TestRedisLimitsAlone"},
	{"cache: purged by events of NATS and RabbitMQ", "TestPurgedByAPI TestPurgedByNATS TestPurgedByAMQPExchange TestPurgedByAMQPQueue TestPurgeChecked gateway/purge:TestNATS gateway/purge:TestNATSRefuses gateway/purge:TestAMQPExchange gateway/purge:TestAMQPQueue"},
	{"versions by path, header, query and media type; sunset", "TestRouteVersions TestRouteVersionsCached gateway/proxy:TestAcceptedVersions"},
	{"versions: brown-outs, and who uses which", "TestRouteBrownOut TestRouteVersionReport billing:TestVersionUsesAreWrittenTogether billing:TestVersionUsesAreBounded store:TestVersionUses gateway/admin:TestRouteVersions gateway/console:TestRoutesPage gateway/proxy:TestVersionTells"},
	{"other origins", "TestRouteCORS gateway/proxy:TestCORSOrigins"},
	{"retries and timeouts", "TestRouteRetries"},
	{"breaker, its probes and its fallback: an answer, other servers, another route", "TestBreakers TestRouteRetries TestRouteFallbacks TestRouteCacheStale router:TestBreakerOpens router:TestBreakerProbes router:TestHalfOpenLetsExactlyNThrough"},
	{"adaptive concurrency", "TestRouteAdaptive gateway/limit:TestAdaptive gateway/limit:TestAdaptiveBounds"},
	{"mirrored traffic", "TestRouteMirror TestRouteMirrorsChecked"},
	{"canaries", "TestRouteCanary gateway/proxy:TestCanaryBy gateway/proxy:TestCanaryShare gateway/proxy:TestCanaryMatch"},
	{"faults on purpose", "TestRouteFaults"},
	{"policies of one's own, CEL and WebAssembly", "TestRoutePolicies TestRoutePoliciesChecked"},
	{"secrets are in no log", "TestRoutesLogNoSecrets"},
	{"figures: requests, time, sizes, versions by team", "TestRouteFigures TestRouteVersions gateway/telemetry:TestSeriesAreBounded"},
	{"time: a call's parts, which are all of it", "TestPartsOfADuration gateway:TestUpstreamTime"},
	{"figures: each call counted once, whatever its kind", "TestCountedExactly"},
	{"figures of the process: memory, goroutines, files, pauses, connections", "TestObserved providers/upstream:TestConnectionsAreCounted"},
	{"a provider that hangs leaves others alone", "TestProvidersApart"},
	{"access log, which never holds up requests", "gateway:TestAccessLog gateway:TestStuckAccessLog gateway:TestDeadSinks gateway/telemetry/sink:TestQueueIsBoundedAndRecovers"},
	{"traces, passed on to backends", "gateway:TestTraces gateway:TestTraceIsPassedOn"},
	{"one request on one page, by its id", "TestRouteRequestPage gateway:TestRecent"},
	{"trends: reports of any length, and what budgets will come to", "TestForecast TestForecastBand billing:TestBandCovers billing:TestBandHoldsTheForecast billing:TestForesee billing:TestForeseeAgreesWithItself store:TestNothingReadsTheWholeLedger bench/cmd/ledger:TestPages"},
	{"alerts", "TestAlerts gateway/alert:TestThresholds gateway/alert:TestBurn gateway/alert:TestLifeOfAnAlert gateway/alert:TestMute"},
	{"audit log, chained", "TestAudit TestNoChangeWithoutAuditRecord gateway/admin:TestEveryChangeHasARecord gateway/admin:TestRecordsTellBeforeAndAfterWithoutSecrets store:TestAuditShowsTampering"},
	{"audit log: what is edited in the database is told", "TestReplicasAudit"},
	{"teams: nothing of another is seen, changed or known to be there", "TestTenantsAdmin TestTenantsData gateway/admin:TestTeamOwnerSeesOnlyItsOwn"},
	{"teams: policies of PostgreSQL, where a filter is forgotten", "TestTenantsOnPostgres TestPortalOnPostgres cmd/sluice:TestForgottenFilter store:TestNoFilterLeaksNothing store:TestBehalfOfNobody store:TestUnguarded"},
	{"permissions of the admin plane: each route, each role", "gateway/admin:TestEveryRouteTimesEveryRole gateway/console:TestEveryRouteTimesEveryRole"},
	{"configuration: shown, applied, rolled back, without a failed request", "TestConfigurationLedByTheFile TestConfigurationLedByTheStore TestRollbackUnderLoad TestReplicasRollBack TestDiffAndApply examples:TestGitOps TestChangesUnderLoad TestReload TestDrain"},
	{"replicas: what one changes is in force at all: keys revoked, teams, prompts, revisions", "TestReplicasSeeChanges TestReplicasFollow"},
	{"replicas: killed under load, no call is lost or counted twice", "TestReplicasKilled"},
	{"replicas: one leads, another follows when it is gone", "TestReplicasLeader TestReplicasTellOnce gateway/alert:TestReplicasHandOver billing:TestWarningsOnce"},
	{"replicas: calls are served while the database is away", "TestReplicaWithoutDatabase"},
	{"API definitions: imported, compared, mocked", "TestImportOpenAPI TestMock TestBreakingDocument cmd/sluice:TestOpenAPIDiff cmd/sluice:TestOpenAPIDiffCommand"},
	{"what a route does not use costs nothing", "gateway:TestAllocationsOfARoute"},
}

// shown is a test that shows a feature, and how it went; why it was skipped.
type shown struct{ what, pkg, test, how, why string }

// went is how a test went, and what it said.
type went struct{ how, said string }

// TestFeatures fails where a test that shows a feature is not there. With
// SLUICE_FEATURES, a regular expression, it runs the tests of those features
// that it fits, prints how each went, and fails where one did not pass; `make
// features` does so. One that is skipped shows nothing: it is told with its
// reason, and fails unless that is a variable of the environment that is not set.
func TestFeatures(t *testing.T) {
	chosen, err := regexp.Compile(os.Getenv("SLUICE_FEATURES"))
	if err != nil {
		t.Fatalf("SLUICE_FEATURES: %v", err)
	}
	declared := map[string]map[string]bool{}
	var list []shown
	for _, f := range features {
		if !chosen.MatchString(f.what) {
			continue
		}
		for name := range strings.FieldsSeq(f.tests) {
			s := shown{what: f.what, pkg: "cmd/sluice/e2e", test: name}
			if pkg, test, named := strings.Cut(name, ":"); named {
				s.pkg, s.test = pkg, test
			}
			if declared[s.pkg] == nil {
				declared[s.pkg] = testsOf(t, filepath.Join("../../..", s.pkg))
			}
			if !declared[s.pkg][s.test] {
				s.how = "missing"
				t.Errorf("%s: there is no test %s in %s", s.what, s.test, s.pkg)
			}
			list = append(list, s)
		}
	}
	if chosen.String() == "" {
		return
	}
	results := runTests(t, list)
	for i, s := range list {
		if result := results["sluice/"+s.pkg+" "+s.test]; s.how == "" {
			list[i].how = cmp.Or(result.how, "not run")
			if result.how == "skipped" {
				list[i].why = reason(result.said)
			}
		}
	}
	printFeatures(t, list)
}

// printFeatures prints the table, and what of it was not shown; it fails where a
// test did not pass.
func printFeatures(t *testing.T, list []shown) {
	t.Helper()
	count, less := map[string]int{}, []string{}
	fmt.Println("| feature | test | result |\n| --- | --- | --- |")
	before := ""
	for _, s := range list {
		what := s.what
		if what == before {
			what = ""
		}
		before = s.what
		how := s.how
		if how != "passed" {
			how = "**" + how + "**"
		}
		if s.why != "" {
			how += ": " + s.why
		}
		fmt.Printf("| %s | %s %s | %s |\n", what, s.pkg, s.test, how)
		if count[s.how]++; s.how != "passed" && !excused(s) {
			t.Errorf("%s: %s %s: %s %s", s.what, s.pkg, s.test, s.how, s.why)
		}
		if s.how != "passed" && !slices.Contains(less, s.what) {
			less = append(less, s.what)
		}
	}
	fmt.Printf("\n%d passed, %d failed, %d skipped, %d not run, %d missing\n", count["passed"], count["failed"], count["skipped"], count["not run"], count["missing"])
	if len(less) > 0 {
		fmt.Printf("\nNot shown, or not by all of their tests, are %d features:\n", len(less))
		for _, what := range less {
			fmt.Println("-", what)
		}
	}
	fmt.Println()
}

var (
	skipped  = regexp.MustCompile(`_test\.go:\d+: (.*)`)
	variable = regexp.MustCompile(`\bSLUICE_[A-Z0-9_]+\b`)
)

// reason is what a test said last before it was skipped.
func reason(said string) string {
	all := skipped.FindAllStringSubmatch(said, -1)
	if len(all) == 0 {
		return "no reason given"
	}
	return all[len(all)-1][1]
}

// excused tells whether a test was skipped for want of what nobody has named.
func excused(s shown) bool {
	name := variable.FindString(s.why)
	return s.how == "skipped" && name != "" && os.Getenv(name) == ""
}

// A skipped test is excused by a variable that is not set, and by nothing else.
func TestExcused(t *testing.T) {
	t.Setenv("SLUICE_TEST_HERE", "x")
	t.Setenv("SLUICE_TEST_GONE", "")
	for said, want := range map[string]bool{
		"    redis_test.go:46: SLUICE_TEST_GONE is not set\n--- SKIP: TestX (0.00s)\n":        true,
		"    a_test.go:4: SLUICE_TEST_GONE is set\n    redis_test.go:46: too slow here\n":     false,
		"    redis_test.go:46: SLUICE_TEST_HERE is not set: where a Redis is\n--- SKIP: Test": false,
		"    redis_test.go:46: redis-server is not installed\n":                               false,
		"--- SKIP: TestX (0.00s)\n": false,
	} {
		if s := (shown{how: "skipped", why: reason(said)}); excused(s) != want {
			t.Errorf("%q: %q is excused: %v", said, s.why, !want)
		}
	}
	if excused(shown{how: "failed", why: "SLUICE_TEST_GONE is not set"}) {
		t.Error("a test that failed is excused")
	}
}

// testsOf are the tests that a directory declares.
func testsOf(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				found[f.Name.Name] = true
			}
		}
	}
	return found
}

// runTests runs tests, each in its package, and tells how they went by package
// and name. What those say that fail is printed as they end. Packages take turns:
// some share a server.
func runTests(t *testing.T, list []shown) map[string]went {
	t.Helper()
	names, args := map[string]bool{}, []string{}
	for _, s := range list {
		names[s.test] = true
		if pkg := "./" + s.pkg; s.how == "" && !slices.Contains(args, pkg) {
			args = append(args, pkg)
		}
	}
	if len(args) == 0 {
		return nil
	}
	pattern := "^(" + strings.Join(slices.Sorted(maps.Keys(names)), "|") + ")$"
	run := exec.Command("go", append([]string{"test", "-json", "-count=1", "-p=1", "-timeout=60m", "-run=" + pattern}, args...)...)
	run.Dir, run.Stderr = "../../..", os.Stderr
	run.Env = append(os.Environ(), "SLUICE_FEATURES=", "SLUICE_E2E_BINARY="+binary)
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	results, said := map[string]went{}, map[string]string{}
	words := map[string]string{"pass": "passed", "fail": "failed", "skip": "skipped"}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e struct{ Action, Package, Test, Output, ImportPath string }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		top, _, _ := strings.Cut(e.Test, "/")
		key := cmp.Or(e.Package, e.ImportPath) + " " + top
		said[key] += e.Output
		if how := words[e.Action]; how != "" && e.Test == top {
			if results[key] = (went{how, said[key]}); how == "failed" {
				fmt.Print(said[key])
			}
			delete(said, key)
		}
		if e.Action == "build-fail" {
			fmt.Print(said[key])
		}
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	_ = run.Wait() // what failed is in the results
	return results
}
