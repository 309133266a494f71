"""Opening one of Xen's device nodes, or saying what is missing."""

import os

from xenabs.errors import XenabsError


def open_node(path: str, module: str) -> int:
    """Return a descriptor of `path`, which the kernel's `module` makes.

    Raises XenabsError without the module or the right, or when the kernel refuses.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise XenabsError(f"{path} is missing: modprobe {module}") from error
    except PermissionError as error:
        raise XenabsError(f"{path} is open to root only: run xenabs as root") from error
    except OSError as error:
        # As ENODEV: a node that is left where no driver is.
        raise XenabsError(
            f"{path} cannot be opened ({error.strerror}): modprobe {module}, and see dmesg"
        ) from error
