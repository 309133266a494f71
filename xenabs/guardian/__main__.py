"""The process: `python -m xenabs.guardian vkbd-0`, listening at its standard input or where systemd
says."""

import contextlib
import logging
import signal
import socket
import sys
from pathlib import Path

from xenabs import rundir
from xenabs.errors import XenabsError
from xenabs.guardian.keeper import Keeper
from xenabs.service_manager import ServiceManager
from xenabs.xen import autoprobe, kernel_driver
from xenabs.xen.bus import Device
from xenabs.xen.store import Store

LISTENER = "listener"
"""FileDescriptorName= of the socket's unit."""

OOM_SCORE = Path("/proc/self/oom_score_adj")


def main() -> None:
    """Guard until there is nothing to keep. Who wants it to end ends its daemon."""
    logging.basicConfig(level=logging.INFO, format="xenabs-guardian: %(message)s")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        OOM_SCORE.write_text("-1000")
    manager = ServiceManager()
    kept = dict(manager.given)
    listener = socket.socket(fileno=kept.pop(LISTENER, sys.stdin.fileno()))
    device = Device(sys.argv[1])
    keeper = Keeper(
        device.path,
        kept,
        manager,
        recover=lambda: autoprobe.restore(device.bus),
        give_back=lambda: _give_back(device),
    )
    keeper.guard(listener)


def _give_back(device: Device) -> bool:
    """Give the device to the kernel's driver; return False if another process has its lock."""
    lock = rundir.DeviceLock(device.name)
    try:
        lock.take()
    except XenabsError:
        return False
    try:
        with contextlib.closing(Store()) as store:
            kernel_driver.leave(store, device)
    finally:
        lock.release()
    return True


if __name__ == "__main__":
    main()
