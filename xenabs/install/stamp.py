"""The first line of what we write: by it we see later whether somebody has changed the file."""

import hashlib

INSTALL, ACCEL = "xenabs install", "xenabs accel"
"""The commands that write files."""


def stamped(text: str, author: str = INSTALL) -> str:
    """The text with the stamp of the command that writes it."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"# Written by {author}, SHA-256 of the following lines: {digest}\n{text}"


def unchanged(text: str, author: str = INSTALL) -> bool:
    """Whether a file's text is as that command wrote it once, whatever the version was."""
    return text == stamped(text.partition("\n")[2], author)


def ours(text: str, shipped: str) -> bool:
    """Whether a file's text is as one of our commands wrote it, or a copy of what is shipped."""
    return text == shipped or any(unchanged(text, author) for author in (INSTALL, ACCEL))
