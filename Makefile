# make run      the whole way of an image on a real, embedded cluster (CLUSTER=current: on yours)
# make test     all tests
# make stop     takes the embedded cluster down, with everything in it
# make release  what your own cluster needs, as two files; the images go to KO_DOCKER_REPO
#
# The embedded cluster is test/cluster; what it builds is kept in ~/.cache/image-catalog.

MAKEFLAGS += --no-print-directory
CLUSTER ?= embedded
export CLUSTER

cluster := go run -C test/cluster .
lint := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.14.0 run

.PHONY: run stop env test unit fuzz registries-test control-plane-test cluster-test soak bench release generate generated lint

run:
ifeq ($(CLUSTER),current)
	@go run ./test/run
else
	@$(cluster) up
	@env=$$($(cluster) env && $(cluster) cosign) && eval "$$env" && go run ./test/run
endif

stop:
ifeq ($(CLUSTER),current)
	@echo "stop takes the embedded cluster down; to remove the catalog from yours:"
	@echo "  kubectl delete namespace image-catalog-demo"
	@echo "  kubectl delete --filename config"
else
	@$(cluster) down; status=$$?; $(cluster) down --control-plane && exit $$status
endif

# Shell commands that point kubectl, tkn and ko to the embedded cluster: eval "$(make --silent env)"
env:
	@$(cluster) env

test:
	@test/test.sh unit registries control-plane cluster

unit:
	@test/test.sh unit

# Fuzzes each target for FUZZTIME; what it finds is written to testdata/fuzz, to be committed.
FUZZTIME ?= 30s
fuzz:
	@grep --recursive --only-matching --include '*_test.go' '^func Fuzz[A-Za-z]*' pkg cmd | while IFS=: read -r file target; do \
	  go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$${target#func }$$" -fuzztime $(FUZZTIME) </dev/null || exit 1; done

registries-test:
	@test/test.sh registries

# With CAMPAIGN=full the races run for 1,000 rounds instead of 60, every fault of a registry is tried, the slow ones too, and
# the controller crashes before and after each of its writes, not at one of each kind of change; and 1,000 entries instead of
# 100 go through a registry's trouble.
control-plane-test:
	@test/test.sh control-plane

cluster-test:
	@test/test.sh cluster

# For SOAK 1,000 entries come, change and go while their registries have faults; then all must be right and nothing leaked.
# SOAK_SEED repeats one by the number that it logs. What the processes hold without entries, after a quarter of it and at the
# end, is in _artifacts: go tool pprof -base controller-0-before.heap controller-0-after.heap
SOAK ?= 20m
soak:
	@$(cluster) up --control-plane
	@env=$$($(cluster) env --control-plane) && eval "$$env" && \
	  GODEBUG=memprofilerate=4096 SOAK=$(SOAK) go test -count=1 -v -artifacts -timeout 0 -tags controlplane ./test/controlplane -run '^TestSoak$$'; \
	  status=$$?; $(cluster) down --control-plane && exit $$status

# One JSON line a figure on stdout, the rest on stderr.
bench:
	@$(cluster) up >&2
	@$(cluster) up --control-plane >&2
	@plane=$$($(cluster) env --control-plane) && export CONTROL_PLANE_KUBECONFIG=$$(eval "$$plane" && echo "$$KUBECONFIG") && \
	  env=$$($(cluster) env && $(cluster) cosign) && eval "$$env" && go run ./test/run >&2 && go run ./test/bench

release:
	@test/release.sh

generate:
	@test/generate.sh

# Fails when what is generated differs from what is committed.
generated: generate
	@git diff --exit-code --stat -- pkg config tasks && test -z "$$(git status --porcelain -- pkg config tasks)" || \
	  { echo "generated files differ: run 'make generate' and commit the result"; exit 1; }

lint:
	@$(lint) ./...
	@cd test/cluster && $(lint) --config ../../.golangci.yml ./...
