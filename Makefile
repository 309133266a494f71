# The two commands of the README, demo and test, from a bare Debian 12 with root, git and make on.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup images demo test lint clean

PYTHON := /usr/bin/python3
VENV := .venv
PACKAGES := python3-venv python3-dev gcc libc6-dev linux-libc-dev \
    mmdebstrap qemu-system-x86 seabios ipxe-qemu e2fsprogs kmod cpio openssh-client xvfb

help:
	@echo "make demo   boot real Xen, measure the kernel's driver and xenabs, save demo.png"
	@echo "make test   run every test: unit, x11 and real Xen"
	@echo "make lint   ruff and mypy"
	@echo "make clean  remove the virtual environment (cached images are in ~/.cache/xenabs)"

setup: $(VENV)/.ready

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

images: setup
	@$(VENV)/bin/python -m testbed build

demo: images
	@$(VENV)/bin/python -m testbed.demo demo.png

lint: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

test: lint images
	@$(VENV)/bin/pytest

clean:
	rm -rf $(VENV) build dist *.egg-info xenabs/kbdif/*.so xenabs/kbdif/_pump.c xenabs/xen/_xenstore.py
