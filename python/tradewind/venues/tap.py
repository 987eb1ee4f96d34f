"""Who takes a venue's market data as they came, beside what is read from them."""

from __future__ import annotations

from typing import Protocol

from tradewind.venues.interface import StreamName


class Tap(Protocol):
    """Told of every frame after it was acted upon, in the order of their arrival."""

    def frame(self, arrival_ns: int, frame: bytes) -> None:
        """A frame that was read."""

    def unreadable(self, arrival_ns: int, frame: bytes) -> None:
        """A frame that was left out."""

    def snapshot(self, symbol: str, arrival_ns: int, body: bytes) -> None:
        """An answer from which a book is followed."""

    def anew(self, stream: StreamName) -> None:
        """What comes next of a stream continues nothing."""
