"""A bed and the guest in it: what the command line, tests, demo and bench work with."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from testbed import cache, domain, host, images, lock, outer, suites
from testbed.errors import BedError, last_lines
from testbed.places import state_dir
from testbed.progress import say, step
from testbed.remote import Machine
from testbed.rfb import Rfb

#: seconds; many times what each takes on two free cores (dom0 12, a PV or PVH guest 20, HVM 50)
DOM0_DEADLINE = 180
GUEST_DEADLINE = 420
DISPLAY = ":0"
FILES_IN_DOM0 = "/var/lib/testbed"
#: says which device has the SCSI target $1; a disk that was just plugged in takes a moment
FIND_DISK = """
until name=$(ls -d /sys/bus/scsi/devices/*:0:$1:0/block/* 2>/dev/null); do sleep 0.1; done
echo "/dev/${name##*/}"
"""
#: has xl take the guest's kernel from its disk $1
CREATE = f"""
mkdir -p {domain.MOUNTED}
mount -o ro "$1" {domain.MOUNTED} || exit
xl create "$2"
status=$?
umount {domain.MOUNTED}
exit $status
"""
#: what a console says when nothing good will follow
FATAL = ("testbed: failed:", "Kernel panic", "Panic on CPU", "Domain 0 crashed")


class Guest(Machine):
    """The running guest."""

    def __init__(self, bed: Bed, wanted: domain.Wanted, running: outer.Running) -> None:
        super().__init__(
            "guest",
            running.ports["guest"],
            Path(running.key),
            bed.directory,
            {"DISPLAY": DISPLAY, "HOME": "/root"},
        )
        self.bed = bed
        self.wanted = wanted
        self._running = running

    @property
    def probe_address(self) -> tuple[str, int]:
        """Where a pointer probe that listens in the guest is reached from here."""
        return "127.0.0.1", self._running.ports["probe"]

    def console(self) -> str:
        """All that the guest's console has said since it was started."""
        log = _console_log(self.wanted.name)
        return self.bed.dom0.run(["cat", log], check=False).stdout

    def require_alive(self) -> None:
        """Fail with its last words if the guest has crashed or was shut down."""
        if self.bed.dom0.run(["xl", "domid", self.wanted.name], check=False).returncode:
            raise BedError(
                "The guest is not there any more: it has crashed or was shut down.",
                {"the guest's console": last_lines(self.console())},
            )

    def save_and_restore(self) -> None:
        """Have it written to a file and go on as a new domain; connections to it end."""
        self.disconnect()
        file = f"{FILES_IN_DOM0}/{self.wanted.name}.save"
        self.bed.dom0.run(["xl", "save", self.wanted.name, file])
        self.bed.dom0.run(["xl", "restore", file])
        self.bed.dom0.run(["rm", file])

    def migrate(self) -> None:
        """Have it go on as a new domain of the same host; connections to it end."""
        self.disconnect()
        # Without an ssh command the host's name is the receiver.
        self.bed.dom0.run(["xl", "migrate", "-s", "", self.wanted.name, "xl migrate-receive"])

    def power_off(self) -> None:
        """Ask it to shut down, and wait until it has."""
        self.disconnect()
        self.bed.dom0.run(["xl", "shutdown", "-w", self.wanted.name], timeout=GUEST_DEADLINE)

    def destroy(self) -> None:
        """Take the guest away as if its power were cut."""
        self.bed.destroy_guest()


class Bed:
    """Xen and dom0 in an outer QEMU, and at most one guest.

    As a context manager it boots what is not up, and takes down what it booted itself. Xen and
    dom0 are of the suite ``host_suite``; guests of any suite follow one another on them.
    """

    def __init__(self, directory: Path | None = None, host_suite: str = suites.DEFAULT) -> None:
        self.directory = directory or state_dir()
        self._host_suite = host_suite
        self._running: outer.Running | None = None
        self._booted_here = False

    @classmethod
    def running(cls, directory: Path | None = None) -> Bed:
        """The bed that is up, for commands that do not boot one."""
        bed = cls(directory)
        bed._running = outer.find(bed.directory)
        if bed._running is None:
            raise BedError("No bed is up: start one with python -m testbed up.")
        return bed

    def __enter__(self) -> Bed:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        if self._booted_here:
            self.down()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Let no other process change this bed meanwhile."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock.held(self.directory / "lock", "another command is changing this bed"):
            # Another process may have changed it since we looked last.
            self._running = outer.find(self.directory)
            yield

    # ---- Xen and dom0

    def up(self) -> None:
        """Build what is missing and boot Xen with dom0, unless they are up and current."""
        host.require(host.RUN_COMMANDS)
        wanted = images.obtain_host(self._host_suite)
        with self._exclusive():
            if self._running is not None and not self._usable(wanted):
                self._stop()
            if self._running is None:
                self._boot(wanted)

    def _usable(self, wanted: images.HostImages) -> bool:
        assert self._running is not None
        if self._running.made_of != outer.made_of(wanted):
            say("the bed that is up is made of other images; booting Xen anew")
            return False
        try:
            self.dom0.run(["true"], timeout=30)
        except (BedError, subprocess.TimeoutExpired):
            say("the bed that is up does not answer; booting Xen anew")
            return False
        return True

    def _boot(self, wanted: images.HostImages) -> None:
        with step("booting Xen and dom0"):
            self._running = outer.start(self.directory, wanted)
            self._booted_here = True
            lines = outer.Lines(self.directory / outer.CONSOLE, self._running.pid)
            try:
                self._await(lines.reader, "testbed: dom0 ready", DOM0_DEADLINE, echo=False)
                self.dom0.connect()
            except BedError as error:
                evidence = {"console of Xen and dom0": last_lines(self.console())}
                self._stop()
                raise BedError(f"Xen with dom0 did not boot: {error.sentence}", evidence) from None
            finally:
                lines.close()

    @staticmethod
    def _await(reader: outer.LineReader, wanted: str, seconds: float, *, echo: bool) -> None:
        """Read a console until a line has ``wanted`` in it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = reader.next(deadline)
            except TimeoutError:
                raise BedError(f"it was not ready after {seconds:.0f} s.") from None
            if line is None:
                raise BedError("it ended while it booted.")
            if echo:
                print(line, file=sys.stderr, flush=True)
            if wanted in line:
                return
            if any(mark in line for mark in FATAL):
                raise BedError(f"its console says: {line.strip()}")

    def down(self) -> None:
        """End the guest, dom0 and Xen, and the connections to them."""
        with self._exclusive():
            if self._running is None:
                raise BedError("No bed is up.")
            self._stop()

    def _stop(self) -> None:
        assert self._running is not None
        if self._running.guest is not None:
            self._guest_machine().disconnect()
        self.dom0.disconnect()
        outer.stop(self.directory, self._running)
        self._running = None

    def _state(self) -> outer.Running:
        if self._running is None:
            raise BedError("No bed is up.")
        return self._running

    @property
    def dom0(self) -> Machine:
        """Domain 0."""
        state = self._state()
        return Machine("dom0", state.ports["dom0"], Path(state.key), self.directory)

    def console(self) -> str:
        """All that Xen and dom0 have said on the serial console."""
        path = self.directory / outer.CONSOLE
        text = path.read_text(errors="replace") if path.exists() else ""
        # Through Xen's console dom0's lines end in several carriage returns and line feeds.
        return "\n".join(line for line in text.splitlines() if line) + "\n"

    # ---- the guest

    @property
    def guest(self) -> Guest:
        """The guest that was started last."""
        if self._state().guest is None:
            raise BedError("No guest is up: start one with python -m testbed up.")
        return self._guest_machine()

    def _guest_machine(self) -> Guest:
        state = self._state()
        assert state.guest is not None
        facts = dict(state.guest)
        facts["size"] = tuple(facts["size"])
        facts["options"] = tuple(facts["options"])
        return Guest(self, domain.Wanted(**facts), state)

    def start_guest(self, wanted: domain.Wanted, *, echo_console: bool = False) -> Guest:
        """Start a guest from a pristine disk, in place of the present one; wait until it is ready.

        ``echo_console`` copies the guest's console to stderr while it boots.
        """
        found = images.obtain_guest(wanted)
        with self._exclusive():
            self._destroy()
            state = self._state()
            state.guest = asdict(wanted)
            state.save(self.directory)
            what = f"starting a {wanted.kind.upper()} guest ({wanted.suite}, {wanted.init} init)"
            try:
                with step(what):
                    self._create(wanted, found)
                    self._await_guest(wanted, echo_console)
                    guest = self._guest_machine()
                    guest.connect()
            except BedError as error:
                raise self._explained(wanted, error) from None
            return guest

    def _create(self, wanted: domain.Wanted, found: images.GuestImages) -> None:
        state = self._state()
        target = outer.plug(self.directory, state, found.disk)
        disk = self.dom0.run(["sh", "-c", FIND_DISK, "sh", str(target)]).stdout.strip()
        initrd = f"{FILES_IN_DOM0}/initrd-{cache.digest(str(found.initrd))}.img"
        if self.dom0.run(["test", "-e", initrd], check=False).returncode:
            self.dom0.put(found.initrd, initrd)
        configuration = f"{FILES_IN_DOM0}/{wanted.name}.cfg"
        text = domain.configuration(wanted, disk, initrd)
        self.dom0.run(["tee", configuration], stdin=text)
        self.dom0.run(["rm", "-f", _console_log(wanted.name)])
        create = ["sh", "-c", CREATE, "sh", disk, configuration]
        created = self.dom0.run(create, check=False)
        if created.returncode:
            raise BedError("xl did not create it.", {"xl create": created.stderr})

    def _await_guest(self, wanted: domain.Wanted, echo: bool) -> None:
        """Follow the guest's console; the tail ends with the guest's device model."""
        follow = (
            'id=$(xl domid "$1") && pid=$(xenstore-read "/local/domain/$id/image/device-model-pid")'
            ' && exec tail -n +1 -F --pid="$pid" "$2" 2>/dev/null'
        )
        tail = self.dom0.follow(["sh", "-c", follow, "sh", wanted.name, _console_log(wanted.name)])
        assert tail.stdin is not None and tail.stdout is not None
        try:
            reader = outer.LineReader(tail.stdout.fileno())
            self._await(reader, "testbed: guest ready", GUEST_DEADLINE, echo=echo)
        finally:
            tail.stdin.close()
            tail.kill()
            tail.wait()
            tail.stdout.close()

    def _explained(self, wanted: domain.Wanted, error: BedError) -> BedError:
        log = self.dom0.run(["cat", _console_log(wanted.name)], check=False, timeout=30).stdout
        evidence = {
            **error.evidence,
            "the guest's console": last_lines(log),
            "console of Xen and dom0": last_lines(self.console()),
        }
        return BedError(f"The guest did not start: {error.sentence}", evidence)

    def destroy_guest(self) -> None:
        """Take the present guest away, if there is one."""
        with self._exclusive():
            self._destroy()

    def _destroy(self) -> None:
        state = self._state()
        if state.guest is None:
            return
        guest = self._guest_machine()
        guest.disconnect()
        name = guest.wanted.name
        # One that has crashed may go by itself at this moment: what counts is that it is gone.
        destroyed = self.dom0.run(["xl", "destroy", name], check=False)
        if self.dom0.run(["xl", "domid", name], check=False).returncode == 0:
            raise BedError(f"xl cannot destroy {name}.", {"xl destroy": destroyed.stderr})
        state.guest = None
        state.save(self.directory)

    # ---- the screen

    @property
    def vnc_address(self) -> tuple[str, int]:
        """Where a VNC client finds the guest's screen."""
        # Another process may have started the guest: it is the one that xl lists last.
        domain_id = self.dom0.run(["xl", "list"]).stdout.splitlines()[-1].split()[1]
        path = f"/local/domain/{domain_id}/console/vnc-port"
        port = self.dom0.run(["xenstore-read", path]).stdout.strip()
        return "127.0.0.1", self._state().ports[f"vnc-{port}"]

    def vnc(self) -> Rfb:
        """A new VNC connection to the guest's screen."""
        return Rfb(*self.vnc_address)


def _console_log(name: str) -> str:
    """Where xenconsoled keeps what a guest says; a path in dom0."""
    return f"/var/log/xen/console/guest-{name}.log"
