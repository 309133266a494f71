"""Where the test bed keeps things: built artefacts in the cache, a running bed in the state."""

from __future__ import annotations

import os
from pathlib import Path

from testbed.errors import BedError

#: the checkout this package lies in
CHECKOUT = Path(__file__).resolve().parent.parent
#: files that go into the images as they are, one tree per image
OVERLAY = CHECKOUT / "testbed" / "overlay"
#: sun_path holds 107 bytes; ssh adds a 17 byte suffix to a control socket while it makes it
LONGEST_STATE_PATH = 70


def cache_dir() -> Path:
    """Directory of built artefacts, shared by all beds of this user."""
    named = os.environ.get("XENABS_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "xenabs"


def state_dir() -> Path:
    """Directory of one running bed: its pid, ports, console log and control sockets."""
    named = os.environ.get("XENABS_TESTBED")
    if named:
        chosen = Path(named).expanduser().absolute()
    elif os.environ.get("XDG_RUNTIME_DIR"):
        chosen = Path(os.environ["XDG_RUNTIME_DIR"]) / "xenabs-testbed"
    else:
        chosen = Path(f"/tmp/xenabs-testbed-{os.geteuid()}")
    if len(os.fsencode(chosen)) > LONGEST_STATE_PATH:
        raise BedError(
            f"The bed's directory {chosen} is too long for the unix sockets in it: "
            f"set XENABS_TESTBED to a path of at most {LONGEST_STATE_PATH} bytes."
        )
    return chosen
