"""QEMU's monitor: what is asked of the outer QEMU while it runs."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from testbed.closing import Closing
from testbed.errors import BedError

#: seconds within which QEMU answers
ANSWER = 60


class Monitor(Closing):
    """A connection to a QEMU's QMP socket (QEMU, docs/interop/qmp-spec)."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise BedError(f"The outer QEMU's monitor cannot be reached: {error}.") from None
        self._lines = self._socket.makefile("rb")
        self._next()  # its greeting
        self.execute("qmp_capabilities")

    def close(self) -> None:
        """End the connection."""
        self._lines.close()
        self._socket.close()

    def _next(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise BedError("The outer QEMU's monitor does not answer.")
        message: dict[str, Any] = json.loads(line)
        return message

    def execute(self, command: str, **arguments: Any) -> Any:
        """Run a command and return its result; raise BedError with QEMU's words if it fails."""
        question = {"execute": command, "arguments": arguments}
        self._socket.sendall(json.dumps(question).encode() + b"\n")
        while True:
            message = self._next()
            if "error" in message:
                raise BedError(f"The outer QEMU refuses {command}: {message['error']['desc']}.")
            if "return" in message:
                return message["return"]

    def add_disk(self, name: str, file: str, number: int) -> None:
        """Plug in a SCSI disk with the target ``number``; what is written to it is forgotten.

        ``file`` is a raw image relative to QEMU's directory, without a comma in its name.
        """
        drive = f"if=none,id={name},file={file},format=raw,snapshot=on,cache=unsafe"
        said = self.execute("human-monitor-command", **{"command-line": f"drive_add 0 {drive}"})
        if said.strip() != "OK":
            raise BedError(f"The outer QEMU does not take the disk {file}: {said.strip()}.")
        address = {"bus": "disks.0", "scsi-id": number, "lun": 0}
        self.execute("device_add", driver="scsi-hd", id=f"{name}-disk", drive=name, **address)
