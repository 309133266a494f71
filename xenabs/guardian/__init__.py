"""The guardian: a process that outlives the daemon, and keeps the descriptors of what it shares.

A page whose last descriptor is closed goes back to the kernel, even by kill -9, even while the
backend writes to it: that corrupts the guest. So a daemon shares nothing that its guardian does not
keep, and a next daemon asks the guardian first and goes on with what it finds. When none comes the
guardian removes the virtual devices, leads the backend to Closing itself, gives the device back,
and ends.

    protocol    what the two say to each other, over a socket that a device's next daemon finds
    client      the daemon's end
    keeper      the guardian's end
    __main__    the process; under systemd a unit of its own, whose descriptor store outlives it
"""
