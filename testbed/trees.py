"""The Debian trees of dom0 and guest as tar files, before anything of ours is in them."""

from __future__ import annotations

from pathlib import Path

from testbed import cache, packages
from testbed.apt import Apt
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
MERGE_USR = ("--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",)


def _build(
    directory: Path,
    apt: Apt,
    what: str,
    wanted: tuple[str, ...],
    unpacked: tuple[str, ...],
    left_out: tuple[str, ...],
) -> None:
    suite = apt.suite
    with step(f"installing {what}'s packages of Debian {suite.release} (mmdebstrap)"):
        listing, options = directory / "sources.list", directory / "apt.conf"
        listing.write_text(apt.sources())
        options.write_text(apt.options())
        call(
            [
                *("mmdebstrap", "--variant=minbase", "--mode=root", "--format=tar"),
                *(MERGE_USR if suite.merge_usr else ()),
                f"--aptopt={options}",
                *(f"--dpkgopt=path-exclude={pattern}" for pattern in left_out),
                *(
                    [f"--customize-hook={UNPACK.format(packages=' '.join(unpacked))}"]
                    if unpacked
                    else []
                ),
                f"--include={','.join(wanted)}",
                *(suite.release, directory / TREE, listing),
            ],
            problem=f"{what}'s packages of Debian {suite.release} could not be installed.",
        )
        listing.unlink()
        options.unlink()


def obtain(
    what: str,
    apt: Apt,
    wanted: tuple[str, ...],
    unpacked: tuple[str, ...] = (),
    left_out: tuple[str, ...] = packages.LEFT_OUT,
    thorough: bool = False,
) -> Path:
    """Return the directory with TREE of the suite's release for ``what`` ("guest").

    Packages in ``wanted`` are installed; those in ``unpacked`` only have their files put there.
    Paths that match a pattern in ``left_out`` are not in it. Call it with the cache locked.
    """
    parts = (repr(left_out), Path(__file__))
    return apt.artefact(
        f"{what}-tree-{apt.suite.release}",
        lambda: apt.candidates(wanted + unpacked),
        lambda versions: cache.digest(repr(versions), *parts),
        lambda path, _: _build(path, apt, what, wanted, unpacked, left_out),
        thorough,
    )
