"""The guest's screen, as the kernel tells of it."""

import ctypes
import errno
import os
import struct
from pathlib import Path

import pytest

from xenabs import screen
from xenabs.screen import display_size, framebuffer_size

# ---- the framebuffer ----


def framebuffer(graphics: Path, number: int, name: str, size: str) -> None:
    folder = graphics / f"fb{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "virtual_size").write_text(f"{size}\n")


def test_the_framebuffer_of_the_screen_is_the_one_named_xen(tmp_path: Path) -> None:
    framebuffer(tmp_path, 0, "EFI VGA", "1024,768")
    framebuffer(tmp_path, 1, "xen", "1280,800")
    assert framebuffer_size(tmp_path) == (1280, 800)


def test_another_framebuffer_tells_nothing_of_the_screen(tmp_path: Path) -> None:
    framebuffer(tmp_path, 0, "xenofb", "1024,768")
    assert framebuffer_size(tmp_path) is None


def test_a_guest_without_graphics_has_no_framebuffer(tmp_path: Path) -> None:
    assert framebuffer_size(tmp_path / "graphics") is None


def test_a_framebuffer_that_is_just_going_away_is_none(tmp_path: Path) -> None:
    framebuffer(tmp_path, 0, "xen", "1280,800")
    (tmp_path / "fb0" / "virtual_size").unlink()
    assert framebuffer_size(tmp_path) is None


# ---- the display controller ----


class Card:
    """A card of DRM, as far as drm_mode.h goes; the first to open it is its master, as Linux has it
    (drm_master_open)."""

    def __init__(self, *modes: tuple[int, int] | None) -> None:
        self.modes = {100 + number: mode for number, mode in enumerate(modes)}
        self.asked: list[int] = []
        self.others_are_master = False
        self.gone = False

    def ioctl(self, fd: int, request: int, data: bytearray) -> int:
        os.fstat(fd)  # raises if it is closed
        self.asked.append(request)
        if self.gone:
            raise OSError(errno.ENODEV, "gone")
        match request:
            case screen.DROP_MASTER if self.others_are_master:
                raise OSError(errno.EINVAL, "not the master")
            case screen.GET_RESOURCES:
                fields = list(struct.unpack("=4Q8I", data))
                if fields[5] >= len(self.modes):
                    for number, crtc in enumerate(self.modes):
                        ctypes.c_uint32.from_address(fields[1] + 4 * number).value = crtc
                fields[5] = len(self.modes)
                data[:] = struct.pack("=4Q8I", *fields)
            case screen.GET_CRTC:
                (crtc,) = struct.unpack_from("=I", data, 12)
                if mode := self.modes[crtc]:
                    struct.pack_into("=I", data, 32, 1)
                    struct.pack_into("=H", data, 40, mode[0])
                    struct.pack_into("=H", data, 50, mode[1])
        return 0


class Machine:
    """Cards in a /sys and a /dev of their own."""

    def __init__(self, path: Path) -> None:
        self.sys, self.dev = path / "sys", path / "dev"
        self.dev.mkdir()
        self.cards: dict[str, Card] = {}

    def plug(self, name: str, card: Card, bus: str = "pci", ids: str = "0x1234 0x1111") -> None:
        self.cards[name] = card
        device = self.sys / "devices" / name
        device.mkdir(parents=True)
        (self.sys / "bus" / bus).mkdir(parents=True, exist_ok=True)
        (device / "subsystem").symlink_to(self.sys / "bus" / bus)
        if bus == "pci":
            for file, text in zip(("vendor", "device"), ids.split(), strict=True):
                (device / file).write_text(f"{text}\n")
        (self.sys / "drm" / name).mkdir(parents=True)
        (self.sys / "drm" / name / "device").symlink_to(device)
        (self.sys / "drm" / f"{name}-Virtual-1").mkdir()
        (self.dev / name).touch()

    def size(self) -> tuple[int, int] | None:
        return display_size(self.sys / "drm", self.dev, self._ioctl)

    def _ioctl(self, fd: int, request: int, data: bytearray) -> int:
        name = Path(os.readlink(f"/proc/self/fd/{fd}")).name
        return self.cards[name].ioctl(fd, request, data)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_screen_is_the_mode_that_the_card_is_in(machine: Machine) -> None:
    card = Card((1400, 1050))
    machine.plug("card0", card)
    assert machine.size() == (1400, 1050)
    card.modes[100] = (1024, 768)
    assert machine.size() == (1024, 768)


def test_nothing_comes_between_opening_a_card_and_giving_up_its_mastery(machine: Machine) -> None:
    card = Card((1400, 1050))
    machine.plug("card0", card)
    machine.size()
    assert card.asked[0] == screen.DROP_MASTER


def test_a_card_of_a_display_server_is_read_all_the_same(machine: Machine) -> None:
    card = Card((1400, 1050))
    card.others_are_master = True
    machine.plug("card0", card)
    assert machine.size() == (1400, 1050)


def test_no_card_stays_open(machine: Machine) -> None:
    for number, card in enumerate((Card(None), Card())):
        card.gone = number == 1
        machine.plug(f"card{number}", card)
    assert machine.size() is None
    opened = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    assert not [path for path in opened if path.startswith(str(machine.dev))]


def test_of_several_outputs_the_first_that_is_on_is_the_one(machine: Machine) -> None:
    machine.plug("card0", Card(None, (1366, 768), (1024, 768)))
    assert machine.size() == (1366, 768)


def test_a_card_that_went_away_gives_way_to_the_next(machine: Machine) -> None:
    """The firmware's framebuffer, when the card's own driver comes."""
    firmwares = Card((1024, 768))
    firmwares.gone = True
    machine.plug("card0", firmwares, bus="platform")
    machine.plug("card1", Card((1366, 768)))
    assert machine.size() == (1366, 768)
    (machine.dev / "card0").unlink()
    assert machine.size() == (1366, 768)


def test_a_card_that_is_passed_through_is_no_screen_of_the_hosts(machine: Machine) -> None:
    machine.plug("card0", Card((3840, 2160)), ids="0x10de 0x1b80")
    assert machine.size() is None
    assert machine.cards["card0"].asked == []
    machine.plug("card1", Card((1366, 768)), ids="0x1013 0x00b8")
    assert machine.size() == (1366, 768)


def test_the_screen_of_xens_own_display_is_one(machine: Machine) -> None:
    machine.plug("card0", Card((1366, 768)), bus="xen")
    assert machine.size() == (1366, 768)


def test_a_guest_without_a_card_has_no_display(tmp_path: Path) -> None:
    assert display_size(tmp_path / "drm", tmp_path / "dri") is None


def test_a_card_that_is_no_card_is_none(machine: Machine) -> None:
    """The kernel's own ioctl on a file that knows none of them."""
    machine.plug("card0", Card((1366, 768)))
    assert display_size(machine.sys / "drm", machine.dev) is None
