"""xenabs: the pointer of a Xen guest is on the pixel the VNC client named."""

from importlib.metadata import version

__version__ = version("xenabs")
