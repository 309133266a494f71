"""The Debian trees of dom0 and guest as tar files, before anything of ours is in them."""

from __future__ import annotations

from pathlib import Path

from testbed import cache, packages
from testbed.host import call
from testbed.progress import step

TREE = "tree.tar"


#: mmdebstrap runs it on the finished tree $1, with its apt configured for that tree
UNPACK = """
set -e
cd "$1/tmp"
APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get download -q -o APT::Sandbox::User=root {packages}
for package in *.deb; do dpkg-deb -x "$package" "$1"; rm "$package"; done
"""


def _build(
    directory: Path, name: str, wanted: tuple[str, ...], unpacked: tuple[str, ...], sources: str
) -> None:
    with step(f"installing {name}'s Debian packages (mmdebstrap)"):
        listing = directory / "sources.list"
        listing.write_text(sources)
        call(
            [
                *("mmdebstrap", "--variant=minbase", "--mode=root", "--format=tar"),
                "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
                '--aptopt=Acquire::Languages "none"',
                *(f"--dpkgopt=path-exclude={pattern}" for pattern in packages.LEFT_OUT),
                *(
                    [f"--customize-hook={UNPACK.format(packages=' '.join(unpacked))}"]
                    if unpacked
                    else []
                ),
                f"--include={','.join(wanted)}",
                *(packages.SUITE, directory / TREE, listing),
            ],
            problem=f"{name}'s Debian packages could not be installed.",
        )
        listing.unlink()


def obtain(
    name: str,
    wanted: tuple[str, ...],
    unpacked: tuple[str, ...] = (),
    thorough: bool = False,
) -> Path:
    """Directory with TREE for ``name``; call it with the cache locked.

    Packages in ``wanted`` are installed; those in ``unpacked`` only have their files put there.
    """
    versions = packages.candidates(wanted + unpacked)
    key = cache.digest(repr(versions), repr(packages.LEFT_OUT), Path(__file__))

    def build(path: Path) -> None:
        _build(path, name, wanted, unpacked, packages.apt_sources())

    return cache.obtain(f"{name}-tree", key, build, thorough=thorough)
