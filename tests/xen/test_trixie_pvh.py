"""Debian 13 as a PVH guest."""

from core import *  # noqa: F403

from testbed import Wanted

WANTED = Wanted(kind="pvh", suite="trixie", memory=512)
