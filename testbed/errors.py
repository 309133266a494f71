"""What the test bed says when something expected goes wrong."""

from __future__ import annotations


class BedError(Exception):
    """One clear sentence for people, and optionally text that shows the cause.

    ``evidence`` maps a heading (such as "guest console") to the text below it; the command line
    prints it after the sentence, a test failure shows it as part of the message.
    """

    def __init__(self, sentence: str, evidence: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.evidence = evidence or {}

    def __str__(self) -> str:
        parts = [self.sentence]
        for heading, text in self.evidence.items():
            parts.append(f"--- {heading} ---\n{text.rstrip()}")
        return "\n".join(parts)


def last_lines(text: str, count: int = 30) -> str:
    """The end of a log: its last ``count`` lines, each cut to a readable length."""
    return "\n".join(line[:400] for line in text.splitlines()[-count:])
