"""What the daemon loads stays in memory, and is time until a next one goes on after a crash."""

import subprocess
import sys

RUN = """
import sys
from xenabs.cli import cli
try:
    cli(["run", "--help"])
except SystemExit:
    import xenabs.daemon
print(*sys.modules)
"""


def test_the_daemon_loads_neither_asyncio_nor_what_other_commands_need() -> None:
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, check=True, text=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {"evdev", "xenabs.daemon"} <= loaded
    assert loaded.isdisjoint({"asyncio", "ssl", "Xlib", "xenabs.install", "xenabs.x11"})
