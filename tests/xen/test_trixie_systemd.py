"""Debian 13 with systemd, and the package that was built in Debian 12."""

from core import *  # noqa: F403

from testbed import Guest, Wanted, cache, deb, suites

WANTED = Wanted(kind="pv", suite="trixie", init="systemd", package_of="bookworm", memory=512)


def test_the_package_is_the_one_of_debian_12(guest: Guest) -> None:
    with cache.locked():
        package = deb.obtain(suites.BOOKWORM)
    version = guest.run(["dpkg-query", "-Wf", "${Version}", "xenabs"]).stdout
    assert f"xenabs_{version}_" in package.name
    assert guest.run(["cat", "/etc/debian_version"]).stdout.startswith("13")
