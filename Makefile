# The two commands of the README, demo and test, from a bare Debian 12 or 13 with root, git and make on.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build-dep deb deb-sources images demo acceleration-picture test matrix soak lint \
    clean

PYTHON := /usr/bin/python3
VENV := .venv
PACKAGES := python3-venv python3-dev gcc libc6-dev linux-libc-dev \
    mmdebstrap qemu-system-x86 seabios ipxe-qemu e2fsprogs kmod cpio openssh-client xvfb zstd \
    x11-xserver-utils fish zsh
# What the Debian package is built of, where it goes, and what is appended to its version.
DEB_SOURCES := LICENSE README.md autostart completions debian docs modules-load.d pyproject.toml \
    setup.py share systemd udev xenabs xorg.conf.d xorg.conf.d.available
DIST := dist
VERSION_SUFFIX :=
# The suite that the package is built in and for; empty for this machine.
SUITE :=
# What `make matrix` runs: lists separated by spaces, empty for all.
SUITES :=
KINDS :=
SIZES :=
HOST := bookworm
BEDS := 2

help:
	@echo "make demo   boot real Xen, measure the kernel's driver and xenabs, save demo.png"
	@echo "make acceleration-picture   move a mouse in a guest, and draw docs/acceleration.png of it"
	@echo "make test   run every test: unit, x11 and real Xen"
	@echo "make soak   the fault campaign (SOAK_MINUTES, SOAK_GUEST=pv or pvh, SOAK_SUITE, SOAK_SEED)"
	@echo "make matrix the core of the tests for each guest of docs/tried.md (SUITES, KINDS, SIZES, HOST)"
	@echo "make deb    build the Debian package into dist/ (SUITE=trixie: for another Debian than this)"
	@echo "make lint   ruff and mypy"
	@echo "make clean  remove the virtual environment (cached images are in ~/.cache/xenabs)"

setup: build-dep $(VENV)/.ready

$(VENV)/.packages: Makefile
	@echo "Reading Debian's package lists"
	@apt-get -qq update
	@missing=$$(for each in $(PACKAGES); do \
	    dpkg-query -Wf '$${db:Status-Status}' $$each 2>/dev/null | grep -qx installed || echo $$each; \
	done); \
	if [ -n "$$missing" ]; then \
	    echo "Installing Debian packages:" $$missing; \
	    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y $$missing; \
	fi
	@mkdir -p $(VENV) && touch $@

$(VENV)/.ready: $(VENV)/.packages pyproject.toml setup.py xenabs/kbdif/pump.c xenabs/kbdif/pump.h \
    xenabs/kbdif/_pump_build.py xenabs/xen/_xenstore_build.py
	@echo "Making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

build-dep:
	@dpkg-checkbuilddeps 2>/dev/null || { \
	    echo "Installing what builds the Debian package"; \
	    apt-get -qq update; \
	    DEBIAN_FRONTEND=noninteractive \
	        apt-get -qq build-dep --no-install-recommends -y $(CURDIR) >/dev/null; \
	}

# In a copy, which has no results of other builds in it, and with Debian's own Python.
ifneq ($(SUITE),)
deb: setup
	@$(VENV)/bin/python -m testbed deb $(SUITE) $(DIST) --version-suffix "$(VERSION_SUFFIX)"
else
deb: build-dep
	@mkdir -p $(DIST)
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; dist=$$(realpath $(DIST)); \
	mkdir "$$scratch/xenabs"; \
	tar -c --exclude=__pycache__ --exclude='*.so' $(DEB_SOURCES) | tar -x -C "$$scratch/xenabs"; \
	cd "$$scratch/xenabs"; \
	PATH=/usr/sbin:/usr/bin:/sbin:/bin VERSION_SUFFIX=$(VERSION_SUFFIX) \
	    DEB_BUILD_OPTIONS=noautodbgsym dpkg-buildpackage -b --no-sign >../log 2>&1 || \
	    { tail -n 30 ../log >&2; exit 1; }; \
	cp -v ../*.deb "$$dist" | cut -d"'" -f4
endif

deb-sources:
	@printf '%s\n' $(DEB_SOURCES)

images: setup
	@$(VENV)/bin/python -m testbed build

demo: images
	@$(VENV)/bin/python -m testbed.demo demo.png

acceleration-picture: images
	@$(VENV)/bin/python -m testbed.acceleration docs/acceleration.png

lint: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

# A test bed keeps one processor busy: two at a time, and the tests of a guest stay together. Files
# with few tests come last, HVM's among them, which alone takes less than half of its time.
test: lint images
	@$(VENV)/bin/python -m testbed build $(foreach suite,trixie trixie-backports,--suite $(suite))
	@$(VENV)/bin/pytest -n 2 --dist loadfile

matrix: setup
	@PYTHONPATH=.:tests/xen $(VENV)/bin/python -m matrix docs/tried.md --logs build/matrix \
	    --host $(HOST) --suites "$(SUITES)" --kinds "$(KINDS)" --sizes "$(SIZES)" --beds $(BEDS)

soak: images
	@PYTHONPATH=.:tests/xen $(VENV)/bin/python -m campaign

clean:
	rm -rf $(VENV) build dist *.egg-info xenabs/kbdif/*.so xenabs/kbdif/_pump.c xenabs/xen/_xenstore.py
