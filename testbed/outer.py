"""The outer QEMU: a process without KVM in which Xen and dom0 run, alive between our commands."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from testbed import cache
from testbed.errors import BedError, last_lines
from testbed.host import find_command
from testbed.images import HostImages
from testbed.monitor import Monitor
from testbed.progress import say

STATE = "bed.json"
CONSOLE = "console.log"
QEMU_OUTPUT = "qemu.log"
MONITOR = "monitor"
#: MiB of the outer machine, and of dom0 in it
OUTER_MEMORY = 4096
DOM0_MEMORY = 1024
#: in the outer QEMU's user network (10.0.2.0/24); dom0 routes to the guest
DOM0_ADDRESS = "10.0.2.15"
GUEST_ADDRESS = "10.0.2.16"
#: each forwarded from a free port of this machine's loopback
FORWARDS = {
    "dom0": (DOM0_ADDRESS, 22),
    "guest": (GUEST_ADDRESS, 22),
    "probe": (GUEST_ADDRESS, 7000),
    "vnc-5900": (DOM0_ADDRESS, 5900),
    # a guest that is migrated has two device models for a moment
    "vnc-5901": (DOM0_ADDRESS, 5901),
}
#: mitigations only cost time here: nobody attacks a guest that lives for a test
XEN_ARGUMENTS = (
    "console=com1 com1=115200,8n1 loglvl=info guest_loglvl=all noreboot spec-ctrl=no "
    f"dom0_mem={DOM0_MEMORY}M,max:{DOM0_MEMORY}M dom0_max_vcpus=1"
)
DOM0_ARGUMENTS = (
    "console=hvc0 earlyprintk=xen mitigations=off "
    "testbed.root=/dev/vda testbed.init=/usr/lib/testbed/init"
)
#: a PV dom0's memory is not where it believes it is, so it must map it for its devices
VIRTIO = "disable-legacy=on,iommu_platform=on"


@dataclass
class Running:
    """What is known about a started QEMU; kept as JSON in the bed's directory."""

    pid: int
    #: clock ticks after the machine's boot at which the process began: with the pid it is unique
    started: int
    ports: dict[str, int]
    #: see made_of
    made_of: str
    #: path of the private key that dom0 and the guest accept
    key: str
    #: what was asked of the present guest, see testbed.domain.Wanted
    guest: dict[str, object] | None = None
    #: guests' disk images that were plugged in, and their SCSI targets
    disks: dict[str, int] = field(default_factory=dict)

    def save(self, directory: Path) -> None:
        """Replace the state file in one step."""
        scratch = directory / f"{STATE}.new"
        scratch.write_text(json.dumps(asdict(self), indent=1))
        scratch.replace(directory / STATE)


def made_of(images: HostImages) -> str:
    """Return what changes when a running bed is not what would be started now."""
    files = (images.xen, images.kernel, images.disk)
    return cache.digest(*(str(path) for path in files), Path(__file__))


def _started(pid: int) -> int | None:
    """When a process began (field 22 of its stat), or None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def find(directory: Path) -> Running | None:
    """The bed that runs in ``directory``; what a crash left there is cleared away."""
    try:
        facts = json.loads((directory / STATE).read_text())
        # A bed of an older checkout can still be found, and taken down.
        facts["made_of"] = facts.pop("images", facts.get("made_of"))
        running = Running(**facts)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError):
        say(f"{directory / STATE} cannot be read; taking the bed there for gone")
        clear(directory)
        return None
    if _started(running.pid) == running.started:
        return running
    say(f"the bed in {directory} ended without being taken down; clearing what it left")
    clear(directory)
    return None


def clear(directory: Path) -> None:
    """Remove the state, and sockets that nobody listens on any more; the logs stay to be read."""
    for name in (STATE, MONITOR, "dom0.ssh", "guest.ssh", "known_hosts"):
        (directory / name).unlink(missing_ok=True)


def _free_ports() -> dict[str, int]:
    """Loopback ports that nobody listens on at this moment."""
    sockets = {name: socket.socket() for name in FORWARDS}
    for each in sockets.values():
        each.bind(("127.0.0.1", 0))
    ports = {name: each.getsockname()[1] for name, each in sockets.items()}
    for each in sockets.values():
        each.close()
    return ports


def _command(ports: dict[str, int]) -> list[str]:
    """QEMU's command line; its files are links in its working directory (see start)."""
    forwards = "".join(
        f",hostfwd=tcp:127.0.0.1:{ports[name]}-{address}:{port}"
        for name, (address, port) in FORWARDS.items()
    )
    return [
        find_command("qemu-system-x86_64") or "qemu-system-x86_64",
        *("-accel", "tcg,thread=multi"),
        # With SMAP, TCG's IRET reads the user's stack with the wrong rights: dom0 dies at once.
        # With ERMS kernels copy by what TCG does a byte at a time, five times as slowly.
        *("-cpu", "max,-smap,-erms,-fsrm"),
        *("-smp", "2", "-m", str(OUTER_MEMORY), "-M", "pc"),
        *("-nodefaults", "-no-reboot", "-display", "none"),
        *("-serial", f"file:{CONSOLE}"),
        # restrict: what is meant for a guest that is not there must not leave this machine
        *("-netdev", f"user,id=net0,restrict=on{forwards}"),
        *("-device", f"virtio-net-pci,netdev=net0,{VIRTIO}"),
        *("-kernel", "xen", "-append", XEN_ARGUMENTS),
        *("-initrd", f"vmlinux {DOM0_ARGUMENTS},dom0-initrd.img"),
        *("-drive", "file=dom0.img,format=raw,if=none,id=dom0,snapshot=on,cache=unsafe"),
        *("-device", f"virtio-blk-pci,drive=dom0,{VIRTIO}"),
        # for guests' disks, which come while it runs (see plug)
        *("-device", f"virtio-scsi-pci,id=disks,{VIRTIO}"),
        *("-qmp", f"unix:{MONITOR},server=on,wait=off"),
    ]


def start(directory: Path, images: HostImages) -> Running:
    """Start QEMU in the background; it stays when this process ends."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = {
        "xen": images.xen,
        "vmlinux": images.kernel,
        "dom0-initrd.img": images.initrd,
        "dom0.img": images.disk,
    }
    # By links, because QEMU takes spaces and commas in these arguments for its own.
    for name, target in files.items():
        _link(directory / name, target)
    for _ in range(3):
        ports = _free_ports()
        (directory / CONSOLE).write_bytes(b"")
        with open(directory / QEMU_OUTPUT, "wb") as output:
            process = subprocess.Popen(
                _command(ports),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            break
        # Between finding a free port and using it somebody else may have taken it: try others.
        if b"host forwarding" not in (directory / QEMU_OUTPUT).read_bytes():
            break
    started = _started(process.pid)
    if started is None:
        said = (directory / QEMU_OUTPUT).read_text(errors="replace")
        raise BedError("QEMU ended as soon as it was started.", {"qemu": last_lines(said)})
    running = Running(process.pid, started, ports, made_of(images), str(images.key))
    running.save(directory)
    return running


def _link(place: Path, target: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(target)


def plug(directory: Path, running: Running, image: Path) -> int:
    """Give dom0 a guest's disk image, unless it has it; return the number of its SCSI target."""
    number = running.disks.get(str(image))
    if number is None:
        number = len(running.disks)
        name = f"guest{number}"
        _link(directory / f"{name}.img", image)
        with Monitor(directory / MONITOR) as monitor:
            monitor.add_disk(name, f"{name}.img", number)
        running.disks[str(image)] = number
        running.save(directory)
    return number


def stop(directory: Path, running: Running) -> None:
    """End QEMU, first politely, and wait until it is gone."""
    if _started(running.pid) == running.started:
        handle = os.pidfd_open(running.pid)
        try:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                signal.pidfd_send_signal(handle, sign)
                if select.select([handle], [], [], 10)[0]:
                    break
        finally:
            os.close(handle)
        with suppress(ChildProcessError):  # an earlier command's child, not ours
            os.waitpid(running.pid, 0)
    clear(directory)


class Lines:
    """The lines that get appended to a file on this machine, as they come."""

    def __init__(self, path: Path, pid: int) -> None:
        self._tail = subprocess.Popen(
            ["tail", "-n", "+1", "-F", f"--pid={pid}", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.reader = LineReader.of(self._tail)

    def close(self) -> None:
        """End the tail."""
        self._tail.kill()
        self._tail.wait()


class LineReader:
    """Lines from a descriptor, each with a deadline."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = b""

    @classmethod
    def of(cls, process: subprocess.Popen[bytes]) -> LineReader:
        """Of a process whose stdout is a pipe; the pipe stays the process's."""
        assert process.stdout is not None
        return cls(process.stdout.fileno())

    def next(self, deadline: float) -> str | None:
        """The next line, None at the end; TimeoutError once time.monotonic() is past deadline."""
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                raise TimeoutError
            data = os.read(self._descriptor, 65536)
            if not data:
                rest, self._buffer = self._buffer, b""
                return rest.decode(errors="replace") or None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")

    def until(self, words: str, seconds: float) -> None:
        """Read on until a line has these words in it; BedError if none has in time."""
        deadline = time.monotonic() + seconds
        lines: list[str] = []
        while not lines or words not in lines[-1]:
            try:
                line = self.next(deadline)
            except TimeoutError:
                line = None
            if line is None:
                raise BedError(f"No line has {words!r} in it.", {"the lines": "\n".join(lines)})
            lines.append(line)
