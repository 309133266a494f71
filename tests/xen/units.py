"""xenabs' unit in a guest with systemd."""

from pointing import until

from testbed import Guest
from testbed.service import UNIT


def shown(guest: Guest, name: str, unit: str = UNIT) -> str:
    """Return a property of a unit."""
    return guest.run(["systemctl", "show", "-P", name, unit]).stdout.strip()


def until_another_is_ready(guest: Guest, pid: str) -> None:
    """Wait until the unit's process is not `pid` any more, and ready."""
    until(
        guest,
        f'pid=$(systemctl show -P MainPID {UNIT}) && [ "$pid" != {pid} ] && [ "$pid" != 0 ] && '
        f"systemctl is-active -q {UNIT}",
    )
