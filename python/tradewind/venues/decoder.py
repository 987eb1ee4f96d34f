"""What reads the frames of a venue."""

from __future__ import annotations

from typing import Protocol


class Decoder(Protocol):
    """What a decoder of frames offers (`tradewind._core`)."""

    def decode(self, frame: bytes, arrival_ns: int) -> tuple[str, str, str, int, int] | None:
        """Read a frame."""

    def add(self, symbol: str, name: str) -> None:
        """Know another instrument."""

    def arrival_ns(self, symbol: str, kind: str) -> int | None:
        """When a stream's last message arrived."""

    def progress(self, symbol: str, kind: str, interval_ns: int) -> list[int]:
        """How far a stream has come."""

    def forget(self, symbol: str, kind: str) -> None:
        """Forget a stream."""

    def is_live(self, symbol: str) -> bool:
        """Whether a book is followed."""
