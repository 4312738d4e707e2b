# Every target says what it does in its "##" line; `make help` prints them.
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.revision=$(COMMIT)

.DEFAULT_GOAL := help
.PHONY: help build run test test-services e2e race features lint fuzz bench bench-stalled bench-scale bench-apart bench-soak bench-ledger demo check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/sluice (needs Go and a C compiler)
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/sluice ./cmd/sluice

run: build ## build and run the gateway; without sluice.yaml it uses the built-in defaults
	./bin/sluice serve

test: ## run every test that needs nothing but Go and a C compiler
	$(GO) test ./...

test-services: ## run the tests that need servers of somebody else's, named by SLUICE_TEST_NATS, SLUICE_TEST_REDIS, SLUICE_TEST_MEMCACHED, SLUICE_TEST_AMQP and SLUICE_TEST_POSTGRES
	@test -n "$$SLUICE_TEST_NATS" || { echo "SLUICE_TEST_NATS is not set: where a NATS server is, such as nats://127.0.0.1:4222"; exit 1; }
	@test -n "$$SLUICE_TEST_REDIS" || { echo "SLUICE_TEST_REDIS is not set: where a Redis is, such as redis://127.0.0.1:6379/15"; exit 1; }
	@test -n "$$SLUICE_TEST_MEMCACHED" || { echo "SLUICE_TEST_MEMCACHED is not set: where a memcached is, such as memcached://127.0.0.1:11211"; exit 1; }
	@test -n "$$SLUICE_TEST_AMQP" || { echo "SLUICE_TEST_AMQP is not set: where a RabbitMQ is, such as amqp://guest:guest@127.0.0.1:5672/"; exit 1; }
	@test -n "$$SLUICE_TEST_POSTGRES" || { echo "SLUICE_TEST_POSTGRES is not set: where a PostgreSQL is, such as postgres://postgres@127.0.0.1:5432/test"; exit 1; }
	$(GO) test -count=1 -run '^TestNATS$$' ./gateway/telemetry/sink
	$(GO) test -count=1 -run '^Test(NATS|AMQP)' ./gateway/purge
	$(GO) test -count=1 -run '^(TestPurgedBy|TestReplica|TestMemcached|TestTenantsOnPostgres|TestPortalOnPostgres)' ./cmd/sluice/e2e
	$(GO) test -count=1 -p 1 -run '^Test(Redis|Memcached)' ./gateway/shared ./gateway/httpcache
	$(GO) test -count=1 -timeout 20m ./store
	$(GO) test -count=1 -run '^TestForgottenFilter$$' ./cmd/sluice

e2e: build ## drive the binary from outside: SDK clients, a browser, crashes, streams (needs Node.js and Chromium)
	SLUICE_E2E_SDK=1 SLUICE_E2E_BROWSER=1 SLUICE_E2E_FULL=1 SLUICE_E2E_BINARY=$(CURDIR)/bin/sluice \
	  $(GO) test -v -count=1 -timeout 30m ./cmd/sluice/e2e/...

race: ## run the tests under the race detector, but for those of e2e, whose gateway is another process
	$(GO) test -race -timeout 20m $$($(GO) list ./... | grep -v /e2e)

OF ?= .
features: build ## tell of each feature of the classic gateway (OF='cache|mirror': of those) which tests show it, and how they go; those of other people's servers need the variables of test-services
	@SLUICE_FEATURES='$(OF)' SLUICE_E2E_FULL=1 SLUICE_E2E_BINARY=$(CURDIR)/bin/sluice \
	  $(GO) test -count=1 -v -timeout 70m -run '^TestFeatures$$' ./cmd/sluice/e2e

lint: ## gofmt, go vet and staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "not gofmt'ed:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

FUZZTIME ?= 60s
fuzz: ## fuzz every decoder for FUZZTIME each (default 60s)
	@$(GO) list ./... | while read -r pkg; do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; done; done

bench: build ## compare with nginx and a bare proxy on the same work, in one run
	$(GO) run ./bench/cmd/bench -binary bin/sluice

bench-stalled: build ## the same work while log sinks and the collector take nothing, beside a gateway without them
	$(GO) run ./bench/cmd/bench -binary bin/sluice -targets sluice,told,stalled -only small,stream,route -rounds 9
	$(GO) run ./bench/cmd/bench -binary bin/sluice -targets sluice,told,stalled -only small,stream,route -rounds 9 -rate 1000

bench-apart: build ## a provider's calls alone, beside those of another, and beside those of one that hangs
	$(GO) run ./bench/cmd/bench apart -binary bin/sluice

MINUTES ?= 10
bench-soak: build ## a mix of works for MINUTES (default 10), and what memory, goroutines and open files grow by
	$(GO) run ./bench/cmd/bench soak -binary bin/sluice -minutes $(MINUTES) -warm 2

bench-scale: build ## what three replicas do of what one does, each held to the same share of a core (needs root, for cgroups, and redis-server)
	$(GO) run ./bench/cmd/bench scale -binary bin/sluice

N ?= 10000000
bench-ledger: build ## write N records (default 10 million), then time every report and list of the admin API and every page
	$(GO) run ./bench/cmd/ledger -n $(N) -binary bin/sluice

DEMO ?= demo
demo: build ## write 30 days of a company's traffic into DEMO (default ./demo) and show it
	$(GO) run ./bench/cmd/ledger -n 30000 -days 30 -ask=false -dir $(DEMO)
	./bin/sluice serve --data $(DEMO)/data

check: lint test ## what a change must pass before it is pushed
