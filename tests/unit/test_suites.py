"""What the test bed makes of the differences between Debian's suites."""

import itertools
import lzma
import struct
import subprocess
from collections.abc import Callable

import pytest

from testbed import Wanted, suites
from testbed.domain import kernel_arguments
from testbed.errors import BedError
from testbed.kernels import unpacked_elf

ELF = b"\x7fELF and so on"


def pack_zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def boot_image(packed: bytes) -> bytes:
    """A bzImage by Linux' Documentation/arch/x86/boot.rst: setup, code, packed kernel, its size."""
    header, code = bytearray(5 * 512), b"code"
    payload = packed + struct.pack("<I", len(ELF))
    header[0x1F1] = 4
    struct.pack_into("<II", header, 0x248, len(code), len(payload))
    return bytes(header) + code + payload + b"more"


@pytest.mark.parametrize("pack", [lzma.compress, pack_zstd], ids=["xz", "zstd"])
def test_a_kernel_packed_either_way_is_unpacked(pack: Callable[[bytes], bytes]) -> None:
    assert unpacked_elf(boot_image(pack(ELF))) == ELF


def test_a_kernel_packed_otherwise_is_refused_in_a_sentence() -> None:
    with pytest.raises(BedError, match="packed by xz or zstd"):
        unpacked_elf(boot_image(b"\x1f\x8b" + ELF))


@pytest.mark.parametrize("kind", ["pvh", "hvm"])
@pytest.mark.parametrize("suite", ["trixie", "trixie-backports", "sid"])
def test_a_later_kernel_leaves_out_what_kills_it_on_a_virtual_cpu(suite: str, kind: str) -> None:
    words = kernel_arguments(Wanted(kind=kind, suite=suite)).split()
    assert {"clearcpuid=pku", "noxsave"} <= set(words)


@pytest.mark.parametrize("kind, suite", [("pvh", "bookworm"), ("hvm", "bookworm"), ("pv", "sid")])
def test_other_guests_have_the_whole_processor(kind: str, suite: str) -> None:
    assert "noxsave" not in kernel_arguments(Wanted(kind=kind, suite=suite))


def test_packages_for_a_later_release_are_newer() -> None:
    suffixes = [suites.find(name).version_suffix for name in ("bookworm", "trixie", "sid")]
    for older, newer in itertools.pairwise(suffixes):
        compared = ["dpkg", "--compare-versions", f"0.1.0{older}", "lt", f"0.1.0{newer}"]
        assert subprocess.run(compared, check=False).returncode == 0
