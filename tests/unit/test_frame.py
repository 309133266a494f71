"""What hides a page's frame number is named, with what helps; nothing is shared by guess."""

import mmap
from collections.abc import Iterator
from pathlib import Path

import pytest

from xenabs.errors import XenabsError
from xenabs.xen import frame
from xenabs.xen.frame import frame_number

TEXT = "ffffffff81000000 T _text\n"
TABLE = "ffffffff82d8a0f0 {kind} xen_p2m_addr\nffffffff82d8a0e8 {kind} xen_p2m_size\n"


@pytest.fixture
def page() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        page[0] = 1
        yield page


@pytest.fixture
def pv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a PV guest by which a frame number is found: the kernel's kind, no symbols."""
    for name in ("GUEST_TYPE", "KALLSYMS", "KCORE", "PAGEMAP"):
        monkeypatch.setattr(frame, name, tmp_path / name)
    (tmp_path / "GUEST_TYPE").write_text("PV\n")
    monkeypatch.setattr(frame, "_pfn", lambda page: 4711)
    frame._symbols.cache_clear()
    return tmp_path


def refusal(page: mmap.mmap) -> str:
    with pytest.raises(XenabsError) as told:
        frame_number(page)
    text = str(told.value)
    assert "\n" not in text and text.endswith("not shared by guess")
    return text


def test_a_kernel_without_symbols(pv: Path, page: mmap.mmap) -> None:
    assert "CONFIG_KALLSYMS" in refusal(page)


def test_a_kernel_that_lists_functions_only_is_not_told_of_kptr_restrict(
    pv: Path, page: mmap.mmap
) -> None:
    (pv / "KALLSYMS").write_text(TEXT)
    text = refusal(page)
    assert "CONFIG_KALLSYMS_ALL" in text and "kptr_restrict" not in text


def test_symbols_that_are_hidden(pv: Path, page: mmap.mmap) -> None:
    hidden = "0000000000000000 B xen_p2m_addr\n0000000000000000 B xen_p2m_size\n"
    (pv / "KALLSYMS").write_text(TEXT + hidden)
    assert "kptr_restrict" in refusal(page)


def test_memory_that_is_hidden_is_lockdown_confidentiality(pv: Path, page: mmap.mmap) -> None:
    (pv / "KALLSYMS").write_text(TEXT + TABLE.format(kind="B"))
    assert "lockdown=confidentiality" in refusal(page)


@pytest.mark.parametrize("kilobytes", [16, 64])
def test_larger_pages_are_refused(
    page: mmap.mmap, monkeypatch: pytest.MonkeyPatch, kilobytes: int
) -> None:
    monkeypatch.setattr(frame.mmap, "PAGESIZE", kilobytes << 10)
    assert f"{kilobytes}K" in refusal(page)
