"""Files of xenabs that come or go take effect in the guest that runs, without a reboot."""

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from xenabs.errors import XenabsError
from xenabs.xen import bus
from xenabs.xen.bus import Device


def running(root: Path) -> bool:
    """Whether a tree is this machine's own, and systemd runs it."""
    return root.resolve() == Path("/") and Path("/run/systemd/system").is_dir()


def take_over(modules: Iterable[str]) -> None:
    """Have udev start xenabs for each vkbd there is. Raises XenabsError if it does not.

    A module that a kernel lacks may be built in, or not be needed there.
    """
    subprocess.run(["modprobe", "--all", "--quiet", *modules], check=False)
    _read_again("add")


def give_back(release: Callable[[Device], None], tell: Callable[[str], None]) -> None:
    """End what runs and give each vkbd to the kernel's driver; what cannot be, `tell` is told."""
    _run("systemctl", "stop", "xenabs@*.service", "xenabs-guardian@*.socket")
    for device in bus.devices():
        try:
            release(device)
        except XenabsError as error:
            tell(str(error))


def forget() -> None:
    """Have udev and systemd find our files gone. Raises XenabsError if they do not."""
    _read_again("change")


def _read_again(action: str) -> None:
    _run("systemctl", "daemon-reload")
    _run("udevadm", "control", "--reload")
    _run("udevadm", "trigger", "--subsystem-match=xen", f"--action={action}")


def _run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.stderr.strip()
        raise XenabsError(
            f"{' '.join(words)} failed ({reason}): do that by hand, or reboot"
        ) from error
