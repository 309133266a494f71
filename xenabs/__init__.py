"""xenabs: the pointer of a Xen guest is on the pixel the VNC client named."""

__version__ = "0.1.0"
