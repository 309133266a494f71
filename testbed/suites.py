"""The Debian suites that guests and hosts of the test bed are made of, and how they differ."""

from __future__ import annotations

from dataclasses import dataclass

from testbed.errors import BedError


@dataclass(frozen=True)
class Suite:
    """One choice of packages and kernel.

    ``release`` is the Debian release that the packages are of; suites that share it share their
    trees. ``kernel`` is the part of the archive that the kernel is taken from.
    """

    name: str
    release: str
    kernel: str
    #: what `make deb SUITE=...` appends to the package's version; they sort as the releases do
    version_suffix: str
    #: where apt looks for packages: in Debian's archive, and in that of security updates
    archive: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    #: mmdebstrap must make /bin a link to /usr/bin; later releases' base-files has the link
    merge_usr: bool = False
    #: its package lists may be past the date until which they are valid
    rolling: bool = False
    #: words for a PVH or HVM guest's kernel, which sees what TCG's CPU has. Kernels since Debian 13
    #: believe there in protection keys and, on Xen 4.17, die on a signal's frame. They warn of the
    #: size of XSAVE's area, and programs that use AVX die of invalid instructions.
    virtual_cpu_words: str = ""


BOOKWORM = Suite(
    name="bookworm",
    release="bookworm",
    kernel="bookworm",
    version_suffix="+deb12",
    archive=("bookworm", "bookworm-updates"),
    security=("bookworm-security",),
    merge_usr=True,
)
TRIXIE = Suite(
    name="trixie",
    release="trixie",
    kernel="trixie",
    version_suffix="+deb13",
    archive=("trixie", "trixie-updates", "trixie-backports"),
    security=("trixie-security",),
    virtual_cpu_words="clearcpuid=pku noxsave",
)
TRIXIE_BACKPORTS = Suite(
    name="trixie-backports",
    release="trixie",
    kernel="trixie-backports",
    version_suffix="+deb13",
    archive=TRIXIE.archive,
    security=TRIXIE.security,
    virtual_cpu_words=TRIXIE.virtual_cpu_words,
)
SID = Suite(
    name="sid",
    release="sid",
    kernel="sid",
    version_suffix="+sid",
    archive=("sid",),
    rolling=True,
    virtual_cpu_words=TRIXIE.virtual_cpu_words,
)
SUITES = {suite.name: suite for suite in (BOOKWORM, TRIXIE, TRIXIE_BACKPORTS, SID)}
#: those that Xen and dom0 can be of
HOSTS = ("bookworm", "trixie", "sid")
DEFAULT = "bookworm"


def find(name: str) -> Suite:
    """Return the suite of that name; raise BedError, which lists them, if there is none."""
    if name not in SUITES:
        raise BedError(f"The test bed knows no suite {name}; it knows {', '.join(SUITES)}.")
    return SUITES[name]
