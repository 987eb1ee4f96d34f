"""The order book of a symbol, from a snapshot and the differences after it.

Rules: binance-spot-api-docs, web-socket-streams.md, "How to manage a local order book correctly", 2025-11-12.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Literal

import msgspec


class Depth(msgspec.Struct):
    """A difference of the book: absolute quantities, zero where a level is gone."""

    E: int
    s: str
    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class Snapshot(msgspec.Struct):
    """The book as REST tells it."""

    lastUpdateId: int  # noqa: N815 - the venue's name
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


Verdict = Literal["apply", "old", "gap", "wait"]
MOST_WAITING = 5_000
"""How many differences are kept for a snapshot; a venue that sends no snapshot must not fill the memory."""


@dataclass
class BookSequence:
    """Says of each difference whether it follows the one before.

    Examples
    --------
    >>> book = BookSequence()
    >>> book.take(Depth(E=1, s="X", U=5, u=6, b=[], a=[]))
    'wait'
    >>> [one.u for one in book.begin(Snapshot(lastUpdateId=5, bids=[], asks=[])) or []]
    [6]
    >>> book.take(Depth(E=1, s="X", U=7, u=7, b=[], a=[])), book.take(Depth(E=1, s="X", U=9, u=9, b=[], a=[]))
    ('apply', 'gap')

    """

    last: int | None = None
    waiting: list[Depth] = field(default_factory=list)

    def take(self, depth: Depth) -> Verdict:
        """What to do with a difference."""
        if self.last is None:
            if len(self.waiting) < MOST_WAITING:
                self.waiting.append(depth)
            else:
                self.waiting = [depth]
            return "wait"
        if depth.u <= self.last:
            return "old"
        if self.last + 1 < depth.U:
            self.last, self.waiting = None, [depth]
            return "gap"
        self.last = depth.u
        return "apply"

    def begin(self, snapshot: Snapshot) -> list[Depth] | None:
        """The differences that follow a snapshot; None where it is older than the first of them: fetch another."""
        last = snapshot.lastUpdateId
        later = [depth for depth in self.waiting if depth.u > last]
        if later and last + 1 < later[0].U:
            return None
        for before, after in itertools.pairwise(later):
            if before.u + 1 < after.U:
                # A hole among those that waited: what is before it is of no use.
                self.waiting = later[later.index(after) :]
                return None
        self.waiting = []
        self.last = later[-1].u if later else last
        return later

    def lose(self) -> None:
        """Start anew, as after a disconnect."""
        self.last, self.waiting = None, []
