"""What is closed at the end of a with statement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


class Closing(ABC):
    """It lasts until `close`, or until the end of its with statement."""

    @abstractmethod
    def close(self) -> None:
        """Give back what it has."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
