"""One thin owner for each of Xen's resources that a frontend in userspace needs.

`store` (XenStore through libxenstore), `xenbus` (a device's two ends in it), `bus` (the kernel's
own driver), `event_channel` and `grant` (/dev/xen/*), `frame` (the number by which QEMU maps a
page), `requirements` (what must be there before a device is taken). Each fails with one sentence
that names what is missing.
"""
