"""The protocol of xenkbd ("vkbd"), as Xen's public header xen/io/kbdif.h describes it.

`ring` reads the shared page through the compiled pump (pump.h, pump.c); `nodes` names the keys that
both ends exchange in XenStore. Nothing here knows a Xen library or uinput.
"""
