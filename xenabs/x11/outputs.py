"""The outputs and monitors of an X screen, as RandR has them now."""

from Xlib import X
from Xlib.display import Display
from Xlib.ext import randr

from xenabs.errors import XenabsError
from xenabs.x11 import workarounds
from xenabs.x11.region import Region, parse

_CHANGES = (
    randr.RRScreenChangeNotifyMask | randr.RRCrtcChangeNotifyMask | randr.RROutputChangeNotifyMask
)


def select(display: Display) -> None:
    """Ask for an event whenever what `regions` gives may have changed."""
    root = display.screen().root
    # RandR has no event for monitors: the server tells of them by ConfigureNotify.
    root.change_attributes(event_mask=X.StructureNotifyMask)
    if display.has_extension(randr.extname):
        root.xrandr_select_input(_CHANGES)


def regions(display: Display) -> dict[str, Region]:
    """Where each active output is, and each monitor that somebody has defined, by name.

    Rotated and reflected outputs are not among them: the host shows another pixel of those than the
    one at the same place of the region.
    """
    if not display.has_extension(randr.extname):
        return {}
    root = display.screen().root
    found = {}
    resources = root.xrandr_get_screen_resources_current()
    for output in resources.outputs:
        info = display.xrandr_get_output_info(output, resources.config_timestamp)
        if info.crtc == X.NONE:
            continue
        crtc = display.xrandr_get_crtc_info(info.crtc, resources.config_timestamp)
        if crtc.mode != X.NONE and crtc.rotation == randr.Rotate_0:
            found[workarounds.text(info.name)] = Region(crtc.width, crtc.height, crtc.x, crtc.y)
    for monitor in root.xrandr_get_monitors().monitors:
        if not monitor.automatic:
            found.setdefault(
                workarounds.text(display.get_atom_name(monitor.name)),
                Region(monitor.width_in_pixels, monitor.height_in_pixels, monitor.x, monitor.y),
            )
    return found


def find(display: Display, name: str) -> Region:
    """The region of an output or monitor, or the one that WxH+X+Y names; it is on the screen.

    Raises XenabsError that says what there is.
    """
    known = regions(display)
    region = known.get(name) or parse(name)
    size = workarounds.screen_size(display)
    screen = "{}x{}".format(*size)
    if region is None:
        there = ", ".join(f"{each} ({place})" for each, place in known.items()) or "none at all"
        raise XenabsError(
            f"the X screen has no output {name} that is active and upright, but {there}: name one "
            f"of these, or a region of the screen ({screen}) as in 1280x800+0+0"
        )
    if not region.within(size):
        raise XenabsError(f"{region} is not within the X screen, which is {screen}")
    return region
