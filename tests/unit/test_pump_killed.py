"""A pump that is killed with kill -9, and the next one of the same ring."""

import ctypes
import os
import platform
import signal
import struct

import pytest
from ring_model import KEY_A, KEY_B, LEFT, Frame, Rig, at, key, keyed, pos

from xenabs.geometry import axis_from_raw

PORT = 7
IOCTL = {"x86_64": 16, "aarch64": 29}[platform.machine()]
"""__NR_ioctl; the pump's only one notifies the backend."""

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW = 0x80000000, 0x7FFF0000
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06


def die_at(system_call: int) -> None:
    """End this process at its next such call (seccomp(2)), before that does anything."""
    program = ctypes.create_string_buffer(
        struct.pack("HBBI", LOAD_NUMBER, 0, 0, 0)
        + struct.pack("HBBI", JUMP_IF_EQUAL, 0, 1, system_call)
        + struct.pack("HBBI", RETURN, 0, 0, SECCOMP_RET_KILL_PROCESS)
        + struct.pack("HBBI", RETURN, 0, 0, SECCOMP_RET_ALLOW)
    )
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(program)))
    libc = ctypes.CDLL(None)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_, 0, 0) == 0


def killed_as_it_notifies(rig: Rig) -> None:
    child = os.fork()
    if not child:
        try:
            die_at(IOCTL)
            rig.ring.drain()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGSYS


POINTED = at(axis_from_raw(300), axis_from_raw(400))


@pytest.mark.parametrize(
    ("entries", "frames"),
    [
        ([key(KEY_A, 1), key(KEY_A, 0)], [keyed(KEY_A, 1), keyed(KEY_A, 0)]),
        (
            [key(KEY_A, 1), pos(300, 400), key(LEFT, 1), pos(300, 400), key(KEY_B, 1)],
            [keyed(KEY_A, 1), POINTED, keyed(LEFT, 1), keyed(KEY_B, 1)],
        ),
    ],
    ids=["one device", "both devices"],
)
def test_what_the_backend_has_room_for_again_was_written(
    entries: list[bytes], frames: list[Frame]
) -> None:
    """Found by the fault campaign: the hypercall that notifies has Xen run others for a while."""
    with Rig(channel_port=PORT) as rig:
        rig.backend.put(*entries)
        killed_as_it_notifies(rig)
        seen = rig.tablet.frames()
        assert seen == frames[: len(seen)]
        with Rig(start=rig.backend.cons) as following:
            following.backend.page[:] = rig.backend.page[:]
            following.ring.drain()
            assert seen + following.tablet.frames() == frames
