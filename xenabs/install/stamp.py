"""The first line of what we write: by it we see later whether somebody has changed the file."""

import hashlib

PREFIX = "# Written by xenabs install, SHA-256 of the following lines: "


def stamped(text: str) -> str:
    """The text with its stamp."""
    return f"{PREFIX}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def unchanged(text: str) -> bool:
    """Whether a file's text is as we wrote it once, whatever the version was."""
    return text == stamped(text.partition("\n")[2])
