"""Debian 13 as a PV guest: its kernel, Python, udev and X, on Debian 12's host."""

from core import *  # noqa: F403

from testbed import Wanted

WANTED = Wanted(kind="pv", suite="trixie", memory=512)
