"""A vkbd whose backend is written into XenStore by hand: it does only what a test has it do."""

from __future__ import annotations

from testbed.bed import Guest

#: device model and toolstack do not look here
KIND = "testbed-vkbd"
#: The guest takes a device for there once its state is.
ATTACH = """
set -e
xenstore-write "$2/state" 2 "$2/frontend" "$1" "$2/frontend-id" "$3" "$2/online" 1
xenstore-chmod -r "$2" n0 "r$3"
xenstore-write "$1/backend" "$2" "$1/backend-id" 0
xenstore-chmod -r "$1" "n$3" r0
xenstore-write "$1/state" 1
"""
FOLLOWS = 'until [ "$(xenstore-read "$1/state")" = "$2" ]; do sleep 0.1; done'


class SilentBackend:
    """The backend of a further vkbd of the guest; it begins at InitWait, with no features."""

    def __init__(self, guest: Guest, number: int) -> None:
        """`number` is one that no vkbd of the guest has."""
        self._dom0 = guest.bed.dom0
        domain = self._dom0.run(["xl", "domid", guest.wanted.name]).stdout.strip()
        self._frontend = f"/local/domain/{domain}/device/vkbd/{number}"
        self._path = f"/local/domain/0/backend/{KIND}/{domain}/{number}"
        self._dom0.run(["sh", "-c", ATTACH, "sh", self._frontend, self._path, domain])

    def write(self, **nodes: int) -> None:
        """Write its nodes, in their order; "feature_abs_pointer" is "feature-abs-pointer"."""
        words = [
            word
            for name, number in nodes.items()
            for word in (f"{self._path}/{name.replace('_', '-')}", str(number))
        ]
        self._dom0.run(["xenstore-write", *words])

    def frontends(self, *names: str) -> list[str]:
        """What the frontend has in nodes of these names."""
        paths = [f"{self._frontend}/{name}" for name in names]
        return self._dom0.run(["xenstore-read", *paths]).stdout.split()

    def await_frontend(self, state: int) -> None:
        """Until the frontend is at that xenbus state."""
        words = ["sh", "-c", FOLLOWS, "sh", self._frontend, str(state)]
        self._dom0.run(["timeout", "100", *words])

    def detach(self) -> None:
        """Take the device away."""
        for path in (self._frontend, self._path):
            self._dom0.run(["xenstore-rm", path])
