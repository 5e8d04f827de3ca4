# One front door for people and CI alike; the work is in scripts/.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help build run run-cluster check test package-test simulate chaos bench sanitize fuzz coverage deb lint install-deps clean generate

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install-deps: ## install what is missing: Debian packages, the tests' Python packages
	@scripts/install-deps

build: ## build likesd, likesctl and likes-http, optimised, into .build/release
	swift build -c release --no-color-diagnostics --static-swift-stdlib --disable-local-rpath --product likesd
	swift build -c release --no-color-diagnostics --static-swift-stdlib --disable-local-rpath --product likesctl
	swift build -c release --no-color-diagnostics --static-swift-stdlib --disable-local-rpath --product likes-http

run: ## run likesd with a private PostgreSQL and Redis, data in .run/; Ctrl-C stops it; HTTP=1: likes-http too
	@scripts/install-deps
	@scripts/run --check $(if $(HTTP),--http)
	@$(MAKE) build
	@scripts/run $(if $(HTTP),--http)

run-cluster: ## run two likesd over a private Redis Cluster, PostgreSQL and a standby, data in .run/cluster/
	@scripts/install-deps
	@scripts/run-cluster --check
	@$(MAKE) build
	@scripts/run-cluster

check: ## the inner loop: format, build (debug), test the core and the libraries below it
	@scripts/check

test: ## build and run all tests, with a real PostgreSQL and Redis; FILTER='name|other' runs some of them
	@scripts/install-deps
	@scripts/test $(if $(FILTER),'$(FILTER)')

package-test: ## build the Debian package, boot a Debian and try all of it there, under load; root; ARGS=--keep
	@scripts/install-deps --package-test
	@scripts/package-test $(ARGS)

SEEDS ?= 2000
simulate: ## many hosts and every failure in virtual time: make simulate SEEDS=n [FIRST=s] [ARGS=--trace]
	@swift build -c release --no-color-diagnostics --product simulate
	@.build/release/simulate --seeds $(SEEDS) --first $(or $(FIRST),0) $(ARGS)

chaos: ## let everything fail under load on three hosts; SECONDS=1800 SEED=n TOPOLOGY=cluster
	@scripts/install-deps
	@scripts/chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(TOPOLOGY),--topology $(TOPOLOGY))

bench: ## measure likesd beside Redis and PostgreSQL, about 10 minutes; ROWS=count,like ROUNDS=n QUICK=1
	@scripts/install-deps
	@$(MAKE) build
	@scripts/bench $(if $(ROWS),--rows $(ROWS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick)

sanitize: ## run the Swift tests under the address and the thread sanitizer; ARGS='--filter REGEX'
	@scripts/install-deps
	@scripts/sanitize $(ARGS)

fuzz: ## give random bytes to all that reads bytes of others; SECONDS=600 for each, QUICK=1
	@scripts/install-deps
	@scripts/fuzz $(if $(QUICK),--quick) $(if $(SECONDS),--seconds $(SECONDS))

coverage: ## line coverage of Sources by the Swift tests; ARGS=--integration adds the integration suite
	@scripts/install-deps
	@scripts/coverage $(ARGS)

deb: ## build the Debian package, into .build/deb
	@scripts/deb

generate: ## write the parts of manuals and documents that come from tables in Swift
	@scripts/generate

lint: ## check format, warnings, imports, scripts, and that what is generated is up to date
	@scripts/lint

clean: ## remove all that was built; .run/ and .venv/ stay
	swift package clean
	rm -rf .build/checks .build/deb .build/results .build/package-results
