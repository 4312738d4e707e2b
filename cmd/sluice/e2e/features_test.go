package e2e

import (
	"bufio"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// features are what the classic gateway promises, and the tests that show it:
// of this package, or of one that is named before a colon.
var features = []struct{ what, tests string }{
	{"one entry point that hides where services are", "TestRoutePassesThrough TestRouteHeaders gateway/proxy:TestOwnPath"},
	{"routes by host, path, method, header and query, in one order", "gateway/proxy:TestPathPrecedence gateway/proxy:TestSameTree gateway/proxy:TestManyRoutes"},
	{"one form of a path", "gateway/proxy:TestPathCut gateway/proxy:TestNormaliseAllocates"},
	{"balance: round robin, weights, least connections, fastest", "TestRouteBalance router:TestWeightsAreExact router:TestLeastBusy router:TestFastestPrefersTheQuick"},
	{"balance: a caller stays with a server", "router:TestStickyStays router:TestStickyMovesFew"},
	{"health of servers, drain of those taken out", "TestRouteHealth TestRouteDrain router:TestPanic"},
	{"discovery: DNS, Consul, Eureka, Kubernetes, files", "TestRouteDiscovery TestRouteDiscoveryTLS router/discovery:TestDNS router/discovery:TestConsul router/discovery:TestEureka router/discovery:TestKubernetes"},
	{"streams and WebSockets", "TestRouteStreams TestRouteWebSocket TestRouteCallerLeaves"},
	{"sign-in: keys", "TestRouteKeyAndLimits"},
	{"sign-in: JWT, OAuth 2.0, passwords, certificates", "TestRouteSignIn TestMutualTLS gateway/auth:TestJWT gateway/auth:TestJWTClaims gateway/auth:TestBasic"},
	{"sign-in: signed requests", "TestRouteSignatures gateway/auth:TestSignatures"},
	{"OpenID Connect for people", "TestConsoleOIDC"},
	{"permissions by role, attribute, scope and path", "TestRoutePermissions TestRouteTeamOfToken gateway/cel:TestRules gateway/cel:TestNoRuleHolds"},
	{"subscriptions with approval", "TestRouteSubscription TestSubscriptions"},
	{"rate limits in any stretch of time", "TestRouteKeyAndLimits"},
	{"throttling before refusing", "TestRouteThrottle gateway/limit:TestThrottleSpacing gateway/limit:TestThrottleKeepsTheLimit"},
	{"guessing of passwords and keys", "TestGuessing TestGuessingPasswords"},
	{"addresses allowed and denied", "TestRouteAddresses gateway/proxy:TestManyNetworks gateway/proxy:TestAddressesAllocate"},
	{"slow clients, too many connections", "TestSlowAndManyConnections"},
	{"smuggling and strange requests", "TestSmuggling TestStrangeButGood"},
	{"web application firewall", "TestRouteFirewall gateway/waf:TestRegressionsOfTheRuleSet"},
	{"validation by JSON Schema and OpenAPI", "TestRouteValidate gateway/validate:TestSchema"},
	{"TLS: termination, several certificates", "TestTLS TestTLSRequired"},
	{"TLS to backends, always verified", "TestRouteTLS"},
	{"signed requests to backends", "TestRouteSignsHMAC TestRouteSignsAWS gateway/auth:TestSignerBase gateway/auth:TestSignerIsVerified"},
	{"transformation of requests and answers", "TestRouteTransformRequest TestRouteTransformResponse TestRoutePacksStreams"},
	{"XML and JSON", "gateway/reshape:TestXML gateway/reshape:TestXMLRefuses gateway/reshape:TestToXML"},
	{"several calls, one answer", "TestRouteCompose"},
	{"cache: keys, variants, callers", "TestRouteCache TestRouteCacheConditions TestRouteCacheCallers TestRouteCachePasses"},
	{"cache: stale answers, one call per miss", "TestRouteCacheStale"},
	{"cache: purge by key, tag and prefix", "TestRouteCachePurge gateway/httpcache:TestPurge gateway/httpcache:TestPutAfterPurge"},
	{"cache: shared by replicas, purged in all of them", "TestSharedRouteCache TestSharedWithoutRedis TestSharedNever gateway/httpcache:TestRedisFurther gateway/httpcache:TestRedisPurgeOfMany gateway/shared:TestRedisAway"},
	{"versions by path, header, query and media type; sunset", "TestRouteVersions gateway/proxy:TestAcceptedVersions"},
	{"other origins", "TestRouteCORS gateway/proxy:TestCORSOrigins"},
	{"retries and timeouts", "TestRouteRetries"},
	{"breaker, its probes and its fallback", "TestRouteRetries router:TestBreakerOpens router:TestBreakerProbes"},
	{"adaptive concurrency", "TestRouteAdaptive gateway/limit:TestAdaptive gateway/limit:TestAdaptiveBounds"},
	{"mirrored traffic", "TestRouteMirror"},
	{"canaries", "TestRouteCanary gateway/proxy:TestCanaryBy gateway/proxy:TestCanaryShare gateway/proxy:TestCanaryMatch"},
	{"faults on purpose", "TestRouteFaults"},
	{"policies of one's own, CEL and WebAssembly", "TestRoutePolicies TestRoutePoliciesChecked"},
	{"secrets are in no log", "TestRoutesLogNoSecrets"},
	{"what a route does not use costs nothing", "gateway:TestAllocationsOfARoute"},
}

// TestFeatures fails where a test that shows a feature is not there. With
// SLUICE_TEST_RESULTS, a file of `go test -json`, it tells how each went, and
// fails where one did not pass; `make features` does so.
func TestFeatures(t *testing.T) {
	declared := map[string]map[string]bool{}
	results := testResults(t)
	for _, f := range features {
		for name := range strings.FieldsSeq(f.tests) {
			pkg, test, named := strings.Cut(name, ":")
			if !named {
				pkg, test = "cmd/sluice/e2e", name
			}
			if declared[pkg] == nil {
				declared[pkg] = testsOf(t, filepath.Join("../../..", pkg))
			}
			how := "is there"
			if results != nil {
				how = results["sluice/"+pkg+" "+test]
			}
			switch {
			case !declared[pkg][test]:
				t.Errorf("%s: there is no test %s in %s", f.what, test, pkg)
			case results != nil && how != "pass" && how != "skip":
				t.Errorf("%s → %s %s → %q", f.what, pkg, test, how)
			default:
				t.Logf("%s → %s %s → %s", f.what, pkg, test, how)
			}
		}
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

// testResults is how tests went, by package and name; nil: nobody says.
func testResults(t *testing.T) map[string]string {
	t.Helper()
	path := os.Getenv("SLUICE_TEST_RESULTS")
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	results := map[string]string{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e struct{ Action, Package, Test string }
		if json.Unmarshal(lines.Bytes(), &e) == nil && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip") && e.Test != "" {
			results[e.Package+" "+e.Test] = e.Action
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return results
}
