"""A line in what we write: by it we see later whether somebody has changed the file."""

import hashlib

INSTALL, ACCEL = "xenabs install", "xenabs accel"
"""The commands that write files."""


TAG = "#compdef"
"""What zsh wants to find in the first line: there the stamp is the second one."""


def stamped(text: str, author: str = INSTALL) -> str:
    """The text with the stamp of the command that writes it."""
    first, rest = _divided(text)
    digest = hashlib.sha256(rest.encode()).hexdigest()
    comment = '.\\"' if rest.startswith(".") else "#"  # manual pages are roff
    return f"{first}{comment} Written by {author}, SHA-256 of the following lines: {digest}\n{rest}"


def unchanged(text: str, author: str = INSTALL) -> bool:
    """Whether a file's text is as that command wrote it once, whatever the version was."""
    first, rest = _divided(text)
    return text == stamped(first + rest.partition("\n")[2], author)


def _divided(text: str) -> tuple[str, str]:
    """What the stamp comes behind, and all else."""
    if not text.startswith(TAG):
        return "", text
    first, end, rest = text.partition("\n")
    return first + end, rest


def ours(text: str, shipped: str) -> bool:
    """Whether a file's text is as one of our commands wrote it, or a copy of what is shipped."""
    return text == shipped or any(unchanged(text, author) for author in (INSTALL, ACCEL))
