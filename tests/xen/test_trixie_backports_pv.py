"""Debian 13 with its backports' kernel, Linux 7, as a PV guest."""

from core import *  # noqa: F403

from testbed import Wanted

WANTED = Wanted(kind="pv", suite="trixie-backports", memory=512)
