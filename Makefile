# make demo      install what is missing, build, and build a real C project twice
# make test      build and run all tests
# make test-lan  run the scenarios between hosts, which are network namespaces on this machine
# make test-upstreams  run the scenarios with caches behind the peers, which are real servers on this machine
# make test-tools  build real projects with real build tools, each twice
# make test-compilers  test what Swift's compilers load, by its C interface and under sanitizers
# make bench     measure the launcher, the store and ccache
# make bench-lan measure what peers give and cost, and print a table
# make bench-upstreams  measure what stores behind the peers give
# make bench-tools  measure what build tools other than ccache take
# make bench-swift  measure what the shared cache of Swift's compiler gives
# make check-real  build real C projects with and without Fabrik, and compare the objects
# make lint      check the format of all sources; make format corrects it
# make completions reference  write what is generated from the program's own help
# make install   PREFIX=/usr/local; make uninstall undoes it

.DEFAULT_GOAL := build

help:
	@sed -n 's/^# make/make/p' Makefile

PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift
# A fabrik that is installed already, to build with: make WITH=fabrik build.
WITH ?=
SWIFT_BUILD = $(if $(WITH),$(WITH) exec -- )$(SWIFT) build
SHELL := /bin/bash -o pipefail

RELEASE := .build/release
SWIFT_FLAGS ?=
RELEASE_FLAGS := -c release --static-swift-stdlib $(SWIFT_FLAGS)
# The linker's remarks on static linking are about functions that fabrik does not call.
QUIET_LINKER := { grep -v -e "in statically linked applications" -e "use of .mktemp. is dangerous" || true; }

.PHONY: help build demo test test-lan test-upstreams test-tools test-compilers lint format check-real
.PHONY: bench bench-lan bench-upstreams bench-tools bench-swift
.PHONY: completions reference install uninstall dependencies test-dependencies

build: dependencies
	$(SWIFT_BUILD) $(RELEASE_FLAGS) --product fabrik 2>&1 | $(QUIET_LINKER)
	$(SWIFT_BUILD) $(RELEASE_FLAGS) --product fabrik-server
	$(MAKE) --no-print-directory $(EXEC_LIBRARY) $(CAS_LIBRARY)

FIND_CLANG := clang="$$(dirname "$$(readlink -f "$$(command -v $(SWIFT))")")/clang"; [ -x "$$clang" ] || clang=cc;

# Is loaded into other programs: it needs nothing but the C library. By Swift's own C compiler.
EXEC_LIBRARY := $(RELEASE)/libfabrik-exec.so
EXEC_SOURCES := $(wildcard Sources/fabrik-exec/*.c) Sources/CExecPolicy/policy.c
EXEC_HEADERS := $(wildcard Sources/fabrik-exec/*.h) Sources/CExecPolicy/include/CExecPolicy.h
EXEC_FLAGS := -std=gnu11 -O2 -Wall -Wextra -fPIC -fvisibility=hidden -fno-delete-null-pointer-checks -shared \
  -Wl,-z,now -Wl,-z,relro -Wl,--as-needed -Wl,-soname,libfabrik-exec.so -s

$(EXEC_LIBRARY): $(EXEC_SOURCES) $(EXEC_HEADERS) Makefile
	@# A library that is loaded must not be written to.
	$(FIND_CLANG) "$$clang" $(EXEC_FLAGS) -ISources/CExecPolicy/include -o $@.new $(EXEC_SOURCES)
	mv $@.new $@

# Is loaded into Swift's compilers.
CAS_LIBRARY := $(RELEASE)/libFabrikCAS.so
CAS_SOURCES := $(wildcard Sources/FabrikCAS/*.c) Sources/CSHA256/sha256.c
CAS_HEADERS := $(wildcard Sources/FabrikCAS/*.h) Sources/CSHA256/include/CSHA256.h
CAS_FLAGS := -std=gnu11 -O2 -Wall -Wextra -fPIC -fvisibility=hidden -pthread -shared \
  -Wl,-z,now -Wl,-z,relro -Wl,--as-needed -Wl,-soname,libFabrikCAS.so -s

$(CAS_LIBRARY): $(CAS_SOURCES) $(CAS_HEADERS) Makefile
	$(FIND_CLANG) "$$clang" $(CAS_FLAGS) -ISources/CSHA256/include -o $@.new $(CAS_SOURCES)
	mv $@.new $@

# Nothing is installed, and no password asked for, where all is there already.
dependencies:
	@scripts/install-dependencies build

test-dependencies:
	@scripts/install-dependencies build test

demo: build
	@scripts/install-dependencies demo
	@scripts/demo

# The tests run the release binaries as well as the libraries: the libraries first, since the others take all the
# machine's time.
test: test-dependencies build
	$(SWIFT_BUILD) --build-tests $(SWIFT_FLAGS)
	status=0; for choice in --skip --filter; do \
	  $(RUN_TESTS) $$choice '^IntegrationTests\.' 2>&1 | $(REPEAT_FAILURES) || status=1; done; exit $$status

RUN_TESTS = FABRIK_TEST_BINARIES="$(CURDIR)/$(RELEASE)" $(SWIFT) test --skip-build $(SWIFT_FLAGS)
# What failed stands among thousands of lines: it is said once more at the end.
REPEAT_FAILURES = awk '{ print; fflush() } /✘|Fatal error|unexpected signal/ { failed[++count] = $$0 } \
  END { for (i = 1; i <= count; i++) print failed[i] }'

# Of the release binaries, too. LAN holds arguments of the runner, as in LAN='-v -k goodbye'.
test-lan: build
	@scripts/install-dependencies test lan
	$(SWIFT_BUILD) $(RELEASE_FLAGS) --product notification-service
	$(SWIFT_BUILD) $(RELEASE_FLAGS) --product hostile-peer
	python3 Tests/run.py Lan $(LAN)

# UPSTREAMS holds arguments of the runner.
test-upstreams: build
	@scripts/install-dependencies upstreams
	python3 Tests/run.py Upstreams $(UPSTREAMS)

# TOOLS holds arguments of the runner.
test-tools: build
	@scripts/install-dependencies tools
	python3 Tests/run.py Tools $(TOOLS)

# COMPILERS holds arguments of the runner.
test-compilers: build
	@scripts/install-dependencies compilers
	python3 Tests/run.py Compilers $(COMPILERS)

lint:
	$(SWIFT) format lint --recursive --strict Package.swift Sources Tests
	sh -n shims/fabrik-shim scripts/install-dependencies
	bash -n scripts/demo

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

bench: build
	@scripts/install-dependencies test
	python3 Benchmarks/run.py --ccache $(CURDIR)/.build/tools/ccache

# Between network namespaces.
bench-lan: build
	@scripts/install-dependencies test lan
	python3 Benchmarks/peers.py

bench-upstreams: build
	@scripts/install-dependencies test lan upstreams
	python3 Benchmarks/upstreams.py

bench-tools: build
	@scripts/install-dependencies tools
	python3 Benchmarks/tools.py

bench-swift: build
	@scripts/install-dependencies test lan
	python3 Benchmarks/swift.py

check-real: build
	@scripts/install-dependencies test
	python3 Benchmarks/real_builds.py --ccache $(CURDIR)/.build/tools/ccache

completions: build
	$(RELEASE)/fabrik completions bash > completions/fabrik.bash
	$(RELEASE)/fabrik completions zsh > completions/_fabrik
	$(RELEASE)/fabrik completions fish > completions/fabrik.fish

reference: build
	scripts/cli-reference $(RELEASE)/fabrik > docs/cli.md

# Does not build: under sudo, another user with another PATH would.
install:
	@test -x $(RELEASE)/fabrik -a -x $(RELEASE)/fabrik-server -a -e $(EXEC_LIBRARY) -a -e $(CAS_LIBRARY) || { echo "run 'make build' first" >&2; exit 1; }
	@mkdir -p $(DESTDIR)$(PREFIX)/bin && test -w $(DESTDIR)$(PREFIX)/bin || \
	  { echo "$(DESTDIR)$(PREFIX) cannot be written: sudo make install, or PREFIX=$$HOME/.local" >&2; exit 1; }
	install -D -m 755 $(RELEASE)/fabrik $(DESTDIR)$(PREFIX)/bin/fabrik
	install -D -m 755 $(RELEASE)/fabrik-server $(DESTDIR)$(PREFIX)/libexec/fabrik/fabrik-server
	install -D -m 644 $(EXEC_LIBRARY) $(DESTDIR)$(PREFIX)/libexec/fabrik/libfabrik-exec.so
	install -D -m 644 $(CAS_LIBRARY) $(DESTDIR)$(PREFIX)/libexec/fabrik/libFabrikCAS.so
	install -D -m 755 shims/fabrik-shim $(DESTDIR)$(PREFIX)/libexec/fabrik/shims/fabrik-shim
	for name in $$(cat shims/names); do \
	  ln -sf fabrik-shim $(DESTDIR)$(PREFIX)/libexec/fabrik/shims/$$name; done
	install -D -m 644 completions/fabrik.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/fabrik
	install -D -m 644 completions/_fabrik $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_fabrik
	install -D -m 644 completions/fabrik.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/fabrik.fish
	install -D -m 644 docs/fabrik.1 $(DESTDIR)$(PREFIX)/share/man/man1/fabrik.1
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/user
	@sed 's|^ExecStart=/usr/local/|ExecStart=$(PREFIX)/|' systemd/fabrik.service \
	  > $(DESTDIR)$(PREFIX)/lib/systemd/user/fabrik.service
	@chmod 644 $(DESTDIR)$(PREFIX)/lib/systemd/user/fabrik.service
	@echo "installed into $(DESTDIR)$(PREFIX); now try: fabrik exec -- make"

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/fabrik $(DESTDIR)$(PREFIX)/share/bash-completion/completions/fabrik \
	  $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_fabrik $(DESTDIR)$(PREFIX)/share/man/man1/fabrik.1 \
	  $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/fabrik.fish \
	  $(DESTDIR)$(PREFIX)/lib/systemd/user/fabrik.service
	rm -rf $(DESTDIR)$(PREFIX)/libexec/fabrik
