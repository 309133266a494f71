"""What can happen to the backend of a guest's vkbd: detached, attached, its process killed."""

from __future__ import annotations

from testbed.bed import Guest

#: keeps a device model's command line where the next one finds it
COMMAND = "/run/testbed-device-model"
#: the process with what xl gave it; its backends begin at Initialising, as the toolstack has them
KILL = f"""
set -e
id=$(xl domid "$1")
pid=$(xenstore-read "/local/domain/$id/image/device-model-pid")
cp "/proc/$pid/cmdline" {COMMAND}
kill -9 "$pid"
while [ -e "/proc/$pid/fd" ]; do sleep 0.1; done
"""
START = f"""
set -e
id=$(xl domid "$1")
for device in vkbd vfb; do
    for number in $(xenstore-list "/local/domain/0/backend/$device/$id"); do
        xenstore-write "/local/domain/0/backend/$device/$id/$number/state" 1
    done
done
state=/local/domain/0/device-model/$id/state
xenstore-rm "$state"
xargs -0 setsid -f <{COMMAND} >>"/var/log/xen/qemu-dm-$1.log" 2>&1
until [ "$(xenstore-read "$state" 2>/dev/null)" = running ]; do sleep 0.1; done
pid=$(pgrep -f "^[^ ]*qemu[^ ]* -xen-domid $id ")
xenstore-write "/local/domain/$id/image/device-model-pid" "$pid"
"""


def stop(guest: Guest) -> None:
    """Stop the device model, and with it the backends, until `go_on`."""
    _signal(guest, "STOP")


def go_on(guest: Guest) -> None:
    """Let the device model run again."""
    _signal(guest, "CONT")


def _signal(guest: Guest, name: str) -> None:
    words = 'kill "-$2" "$(xenstore-read "/local/domain/$(xl domid "$1")/image/device-model-pid")"'
    guest.bed.dom0.run(["sh", "-c", words, "sh", guest.wanted.name, name])


def detach(guest: Guest, number: int = 0) -> None:
    """Take a vkbd away; returns when both ends have closed."""
    guest.bed.dom0.run(["xl", "vkb-detach", guest.wanted.name, str(number)])


def attach(guest: Guest) -> None:
    """Give it another vkbd, of the lowest free number."""
    guest.bed.dom0.run(["xl", "vkb-attach", guest.wanted.name, "backend-type=qemu"])


def kill(guest: Guest) -> None:
    """Kill the device model, and with it the backends; VNC connections end."""
    guest.bed.dom0.run(["sh", "-c", KILL, "sh", guest.wanted.name])


def start(guest: Guest) -> None:
    """Start the device model again."""
    guest.bed.dom0.run(["sh", "-c", START, "sh", guest.wanted.name])
