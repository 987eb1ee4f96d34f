"""Frames that came twice: a new connection overlaps the one that it takes over from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from tradewind.data.notes import Breaks
from tradewind.data.report import LoadReport

_REMEMBERED = 20_000
"""As many trades are known again: connections overlap for seconds."""


class Numbered(Protocol):
    """A trade with its number."""

    @property
    def t(self) -> int:
        """The number."""


class Updated(Protocol):
    """A quote with the number of its update, where its venue numbers them."""

    @property
    def u(self) -> int | None:
        """The number."""


_Trade = TypeVar("_Trade", bound=Numbered)
_Quote = TypeVar("_Quote", bound=Updated)


class TradeRepeats:
    """The newest trades: the same trade again is left out, another one of the same number is a mistake of the data."""

    def __init__(self) -> None:
        self._newest: list[Numbered] = []

    def left_out(self, places: list[int], trades: list[_Trade], report: LoadReport) -> tuple[list[int], list[_Trade]]:
        """The trades that were not met before, with their places."""
        before = self._newest
        together: list[Numbered] = [*before, *trades]
        self._newest = together[-_REMEMBERED:]
        if all(one.t < next_one.t for one, next_one in pairwise(together[max(0, len(before) - 1) :])):
            return places, trades
        known: dict[int, Numbered] = {one.t: one for one in before}
        kept: list[tuple[int, _Trade]] = []
        for at, trade in zip(places, trades, strict=True):
            if known.get(trade.t) != trade:
                known[trade.t] = trade
                kept.append((at, trade))
        report.repeated_frames += len(trades) - len(kept)
        return [at for at, _ in kept], [trade for _, trade in kept]


class QuoteRepeats:
    """The last quote's number: one that is not above it was overtaken, or came before.

    Parameters
    ----------
    breaks
        Behind these numbers may begin anew.

    """

    def __init__(self, breaks: Breaks) -> None:
        self._breaks = breaks
        self._last: int | None = None

    def left_out(
        self, places: list[int], quotes: list[_Quote], arrivals: Sequence[int], report: LoadReport
    ) -> tuple[list[int], list[_Quote]]:
        """The quotes that are newer than those before them, with their places."""
        kept = []
        for at, quote in zip(places, quotes, strict=True):
            if self._breaks.come_before(arrivals[at]):
                self._last = None
            if quote.u is None or self._last is None or quote.u > self._last:
                self._last = quote.u
                kept.append((at, quote))
        report.repeated_frames += len(quotes) - len(kept)
        return [at for at, _ in kept], [quote for _, quote in kept]
