"""What the guest sees: the virtual input devices, as descriptors and python-evdev's UInput."""

import sys
from importlib import import_module

if "asyncio" not in sys.modules:
    # python-evdev loads asyncio, and with it TLS, and does without where there is none: that is 8
    # of the daemon's 20 MB, and half of the time until a next daemon goes on.
    sys.modules["asyncio"] = None  # type: ignore[assignment]
    try:
        import_module("evdev")
    finally:
        del sys.modules["asyncio"]
