"""How the vkbd devices of this guest fare, for people and for programs."""

import os
from typing import TYPE_CHECKING, Any

from xenabs import __version__, rundir
from xenabs.kbdif import nodes
from xenabs.xen import bus
from xenabs.xen.bus import Device

if TYPE_CHECKING:
    from xenabs.sources.ring import RingSource

OURS = "xenabs"
"""What stands for the driver of a device that no driver of the kernel has."""

FEATURES = (nodes.FEATURE_ABS_POINTER, nodes.FEATURE_RAW_POINTER)


def of_daemon(device: Device, source: "RingSource", why: str) -> dict[str, Any]:
    """The state of a device that this process is the daemon of, ready for JSON, less `of_screen`.

    `why` says why this source was chosen.
    """
    frontend = source.frontend
    return {
        "device": device.name,
        "driver": device.driver() or OURS,
        "pid": os.getpid(),
        "version": __version__,
        "source": "ring",
        "why": why,
        "frontend": {"path": frontend.path, "state": frontend.state().title},
        "backend": {
            "path": frontend.backend_path(),
            "state": frontend.backend_state().title,
            "features": [feature for feature in FEATURES if frontend.offers(feature)],
        },
        "coordinates": "raw" if source.raw else "pixels",
        "connections": source.connections,
    }


def of_screen(source: "RingSource") -> dict[str, Any]:
    """Return the screen and by what the backend scales, which events may have changed since.

    Both are pairs of pixels, None while they are not known.
    """
    return {"screen": source.screen, "scale": source.scale}


def known() -> list[dict[str, Any]]:
    """The state of every vkbd device: of its daemon, or that it has none."""
    states = []
    for device in bus.devices():
        running = rundir.DeviceLock(device.name).holder() is not None
        state = rundir.read_state(device.name) if running else None
        states.append(state or {"device": device.name, "driver": device.driver(), "source": None})
    for device in bus.lost_if_root():
        states.append({"device": device.name, "driver": None, "source": None, "lost": True})
    return states


def summary(state: dict[str, Any]) -> str:
    """Return one line about a device that has a daemon."""
    if state["driver"] != OURS:
        return f"waiting: the kernel's driver has it, backend {state['backend']['state']}"
    return f"{state['source']}, backend {state['backend']['state']}"


def describe(state: dict[str, Any]) -> list[str]:
    """The lines that a person reads about one device."""
    if state.get("lost"):
        return [
            f"{state['device']}: the kernel has dropped it, as Linux 7 does at some boots; "
            "xenabs recover brings it back"
        ]
    if state["source"] is None:
        owner = f"the kernel's driver {state['driver']}" if state["driver"] else "nobody"
        return [f"{state['device']}: {owner} has it; xenabs is not running"]
    counters = state[rundir.COUNTERS]
    if counters is None:
        counted = "root's to see"
    else:
        counted = ", ".join(f"{count} {name}" for name, count in counters.items() if count)
    screen = "{} x {} pixels".format(*state["screen"]) if state["screen"] else "of unknown size"
    if state.get("scale") not in (None, state["screen"]):
        screen += ", scaled by {} x {}".format(*state["scale"])
    backend = state["backend"]
    waits = []
    if state["driver"] != OURS:
        waits.append("  waits        the kernel's driver has it until the backend connects")
    return [
        f"{state['device']}: xenabs {state['version']}, process {state['pid']}",
        f"  source       {state['source']} ({state['why']})",
        *(
            ["  waits        the kernel's driver has it until the backend connects"]
            if waits
            else []
        ),
        f"  backend      {backend['state']}, {backend['path']}",
        f"  features     {', '.join(backend['features']) or 'none'}",
        f"  frontend     {state['frontend']['state']}, {state['frontend']['path']}",
        f"  coordinates  {state['coordinates']}, screen {screen}",
        f"  connections  {state['connections']}",
        f"  counters     {counted or 'nothing yet'}",
    ]
