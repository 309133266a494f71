"""Debian 13 with systemd: the package built in Debian 12, and then the one of Debian 13."""

from core import *  # noqa: F403
from core import require_exact
from units import shown, until_another_is_ready

from testbed import Bed, Guest, Wanted, cache, deb, suites
from testbed.probe import Pointer
from testbed.service import UNIT

WANTED = Wanted(kind="pv", suite="trixie", init="systemd", package_of="bookworm", memory=512)


def version(guest: Guest) -> str:
    """Return the version of the package that the guest has."""
    return guest.run(["dpkg-query", "-Wf", "${Version}", "xenabs"]).stdout


def test_the_package_was_that_of_debian_12(guest: Guest) -> None:
    with cache.locked():
        package = deb.obtain(suites.BOOKWORM)
    assert f"xenabs_{version(guest)}_" in package.name
    assert guest.run(["cat", "/etc/debian_version"]).stdout.startswith("13")


def test_the_package_of_debian_13_takes_its_place(bed: Bed, guest: Guest) -> None:
    with cache.locked():
        package = deb.obtain(suites.TRIXIE)
    guest.run(["systemctl", "start", UNIT])
    pid = shown(guest, "MainPID")
    guest.put(package, "/tmp/")
    install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "--allow-downgrades"]
    guest.run([*install, "install", f"/tmp/{package.name}"], timeout=300)
    assert f"xenabs_{version(guest)}_" in package.name
    until_another_is_ready(guest, pid)
    with bed.vnc() as vnc, Pointer(guest, vnc) as pointer:
        require_exact(pointer, guest, 20)
