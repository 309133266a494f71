"""xenabs accel"""

import click

from xenabs.cli.accel.status import status
from xenabs.cli.accel.switch import off, on, toggle


@click.group()
def accel() -> None:
    """Turn pointer acceleration off, and on again as it was.

    Without acceleration a mouse that moves by 100 counts moves the pointer by 100 pixels. These
    commands change the X server that runs, until it ends or the mouse is pulled out. `off --watch`
    keeps acceleration off, `off --persistent` has it off at each start of X. Without --device or
    --all they are about Xen's and xenabs' own pointers.

    \b
    Compare:
      xenabs accel off --device "My Mouse"
      xinput set-prop "My Mouse" "libinput Accel Profile Enabled" 0 1 0
                                  (libinput; with two profiles only: 0 1)
      xinput set-prop "My Mouse" "Device Accel Profile" -1          (evdev)
      xset m 1/1 0                         (--all: the core pointer control)
    """


accel.add_command(status)
accel.add_command(off)
accel.add_command(on)
accel.add_command(toggle)
