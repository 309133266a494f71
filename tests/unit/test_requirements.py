"""What is missing in the guest's kernel is told before anything is taken, and with what helps."""

from pathlib import Path

import pytest

from xenabs.errors import XenabsError
from xenabs.install import files
from xenabs.xen import event_channel, grant
from xenabs.xen.event_channel import EventChannel
from xenabs.xen.grant import Grant
from xenabs.xen.requirements import NODES, require


def refusal(*nodes: tuple[str, str]) -> str:
    with pytest.raises(XenabsError) as told:
        require(nodes)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_what_can_be_opened_is_enough() -> None:
    require([("/dev/null", "null"), ("/dev/zero", "zero")])


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    text = refusal(
        (f"{tmp_path}/evtchn", "xen-evtchn"), (str(there), "x"), (f"{tmp_path}/uinput", "uinput")
    )
    assert "modprobe -a xen-evtchn uinput" in text


def test_a_node_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    assert "modprobe uinput" in refusal((str(tmp_path), "uinput"))  # EISDIR, for a driver's refusal


def test_each_module_that_is_named_is_loaded_at_boot() -> None:
    assert {module for _, module in NODES} <= set(files.modules())


@pytest.mark.parametrize("limited", [Grant, EventChannel])
def test_none_left_is_a_sentence(
    limited: type[Grant] | type[EventChannel], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A node that knows none of the ioctls refuses as one that has none left.
    monkeypatch.setattr(grant, "NODE", "/dev/null")
    monkeypatch.setattr(event_channel, "NODE", "/dev/null")
    with pytest.raises(XenabsError, match="see"):
        limited.to(0)
