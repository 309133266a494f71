"""What python-xlib 0.33 gets wrong, put right in one place.

Each one has a test in tests/x11/test_workarounds.py, which fails when python-xlib does not need it
any more. Numbers are those of the patches for python-xlib in contrib/python-xlib/.
"""

import contextlib
import io
from collections.abc import Iterable, Iterator
from unicodedata import category

from Xlib import X, error, xauth
from Xlib.display import Display
from Xlib.ext import ge, xinput
from Xlib.protocol import request, rq

_COOKIE = b"MIT-MAGIC-COOKIE-1"
_ANY_HOST = 0xFFFF
"""libXau's FamilyWild."""


def apply(display: Display) -> None:
    """Mend a connection; without XInput 2 only what concerns every connection."""
    _mend_error_classes(display)
    if display.has_extension(xinput.extname) and display.has_extension(ge.extname):
        _mend_device_changed(display)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """While a display is opened: python-xlib prints about Xauthority files, and to stdout.

    There it would be part of what a program reads as JSON. (0001)
    """
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def any_host() -> Iterator[None]:
    """While a display is opened: a cookie for any host counts where there is none for this one.

    Display managers write such, of FamilyWild; without this no cookie is sent. (0009)
    """
    former = xauth.Xauthority
    xauth.Xauthority = _Xauthority
    try:
        yield
    finally:
        xauth.Xauthority = former


class _Xauthority(xauth.Xauthority):  # type: ignore[misc]
    def get_best_auth(
        self, family: int, address: bytes, dispno: int, types: tuple[bytes, ...] = (_COOKIE,)
    ) -> tuple[bytes, bytes]:
        try:
            best: tuple[bytes, bytes] = super().get_best_auth(family, address, dispno, types)
            return best
        except error.XNoAuthError:
            for kind, _, number, name, data in self.entries:
                if kind == _ANY_HOST and number in (b"", b"%d" % dispno) and name in types:
                    return name, data
            raise


def _mend_error_classes(display: Display) -> None:
    """Give the core protocol's errors their classes back.

    randr registers its three errors at the codes 0 to 2 rather than from the extension's first one
    on. They are no X errors either: BadRequest and BadValue end the program with an AttributeError.
    (0002)
    """
    # Of this connection: the dictionary of the class is broken again by the next one.
    own = {**display.display.error_classes, **error.xerror_class}
    own.pop(0, None)
    display.display.error_classes = own


def _mend_device_changed(display: Display) -> None:
    """Have DeviceChanged parsed by its own structure, rather than that of a key. (0003)"""
    display.ge_add_event_data(_opcode(display), xinput.DeviceChanged, xinput.DeviceChangedEventData)


def _opcode(display: Display) -> int:
    """The major opcode of XInput's requests and events."""
    return int(display.display.get_extension_major(xinput.extname))


class _XIQueryPointer(rq.ReplyRequest):  # type: ignore[misc]
    """XInput 2's request 40, which python-xlib does not have. (0004)"""

    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(40),
        rq.RequestLength(),
        rq.Window("window"),
        xinput.DEVICEID("deviceid"),
        rq.Pad(2),
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Pad(1),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Window("root"),
        rq.Window("child"),
        xinput.FP1616("root_x"),
        xinput.FP1616("root_y"),
        xinput.FP1616("win_x"),
        xinput.FP1616("win_y"),
        rq.Bool("same_screen"),
        rq.Pad(1),
        rq.LengthOf("buttons", 2),
        rq.Object("mods", xinput.ModifierInfo),
        rq.Object("groups", xinput.GroupInfo),
        rq.List("buttons", rq.Card32),
    )


def query_pointer(display: Display, device: int) -> tuple[float, float]:
    """Where a master pointer, or a floating slave, is on its screen, in pixels and fractions.

    Raises Xlib's XError for what is no such pointer.
    """
    reply = _XIQueryPointer(
        display=display.display,
        opcode=_opcode(display),
        window=display.screen().root,
        deviceid=device,
    )
    return reply.root_x, reply.root_y


def change_device_property(
    display: Display, device: int, name: int, kind: int, form: int, values: Iterable[int]
) -> None:
    """Replace a device's property; return when the server has done so.

    `name` and `kind` are atoms, `form` is 8, 16 or 32 bits, `values` are unsigned. Raises Xlib's
    XError if the server or the driver refuses: python-xlib's own call takes no `onerror`, so that
    the error would only be printed. (0005)
    """
    _send(
        display,
        xinput.XIChangeProperty,
        opcode=_opcode(display),
        deviceid=device,
        property=name,
        type=kind,
        mode=X.PropModeReplace,
        value=(form, list(values)),
    )


def delete_device_property(display: Display, device: int, name: int) -> None:
    """Delete a device's property; otherwise as change_device_property. (0005)"""
    _send(display, xinput.XIDeleteProperty, opcode=_opcode(display), deviceid=device, property=name)


def change_pointer_control(
    display: Display, numerator: int, denominator: int, threshold: int
) -> None:
    """Set the core pointer control, all of it. Raises Xlib's XError for values out of range.

    Xlib's Display.change_pointer_control wants the threshold as well as the ratio, although either
    is optional: without one it ends in a struct.error. (0006)
    """
    _send(
        display,
        request.ChangePointerControl,
        do_accel=1,
        do_thresh=1,
        accel_num=numerator,
        accel_denum=denominator,
        threshold=threshold,
    )


def _send(display: Display, kind: type[rq.Request], **fields: object) -> None:
    """Have the server do what a request says, or raise the error that it answers with."""
    caught = error.CatchError()
    kind(display=display.display, onerror=caught, **fields)
    display.sync()
    if refused := caught.get_error():
        raise refused


def signed(value: int, bits: int = 32) -> int:
    """A property's value as the signed number that it is.

    The type INTEGER is signed; python-xlib hands all out unsigned, which programs count on.

    >>> signed(0xFFFFFFFF), signed(7), signed(0x80, bits=8)
    (-1, 7, -128)
    """
    return value - (1 << bits) if value >> (bits - 1) else value


def unsigned(value: int, bits: int = 32) -> int:
    """The way back: python-xlib refuses negative values. (0007)

    >>> unsigned(-1), unsigned(7)
    (4294967295, 7)
    """
    return value & ((1 << bits) - 1)


def text(name: str) -> str:
    """A device's, output's or monitor's name, which is UTF-8: python-xlib takes each byte for a
    character. (0008)

    What is no UTF-8 stays as it is. Control characters, which would be orders to a terminal, are
    replaced.

    >>> text("MÃ¤use"), text("Mäuse"), text("a\\x9b1m")
    ('Mäuse', 'Mäuse', 'a�1m')
    """
    with contextlib.suppress(UnicodeError):
        name = name.encode("latin1").decode()
    return "".join("\N{REPLACEMENT CHARACTER}" if category(each) == "Cc" else each for each in name)


def screen_size(display: Display) -> tuple[int, int]:
    """Width and height of the default screen now, in pixels.

    `screen().width_in_pixels` is what it was when the display was opened, as it is with libX11.
    """
    geometry = display.screen().root.get_geometry()
    return geometry.width, geometry.height
