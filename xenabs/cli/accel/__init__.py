"""xenabs accel"""

import click

from xenabs.cli.accel.status import status
from xenabs.cli.accel.switch import off, on, toggle


@click.group()
def accel() -> None:
    """Turn pointer acceleration off, and on again as it was.

    Without acceleration a mouse that moves by 100 counts moves the pointer by 100 pixels. It is
    changed in the X server that runs, for both libinput and evdev, until that ends or the mouse is
    pulled out; --watch and --persistent make more of it. Without --device or --all it is about
    Xen's and xenabs' own pointers.

    \b
    Compare:
      xenabs accel off --device "My Mouse"
      xinput set-prop "My Mouse" "libinput Accel Profile Enabled" 0 1   (libinput)
      xinput set-prop "My Mouse" "Device Accel Profile" -1              (evdev)
      xset m 1/1 0                                         (the core pointer control: --all)
    """


accel.add_command(status)
accel.add_command(off)
accel.add_command(on)
accel.add_command(toggle)
