"""What an account holds more or less than is known, told from what is only on its way (M5)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from decimal import Decimal

Difference = frozenset[tuple[str, Decimal]]
"""Assets, and how much more of each there is than is known; of none where nothing differs."""
_NOTHING: Difference = frozenset()
_KEPT = 4_096
"""How many of the newest bookings are kept: a look that needs older ones decides nothing."""


@dataclass(frozen=True)
class Look:
    """What a venue said that an account holds.

    Parameters
    ----------
    asked, answered
        When, in seconds of a clock that never goes back.
    held
        What it holds, by asset, of those that are known.
    orders
        The client ids of the orders that were open here when the answer came.

    """

    asked: float
    answered: float
    held: Mapping[str, Decimal]
    orders: Set[str]


class Differences:
    """Compares what an account holds with all that was known while the answer was on its way, and around it.

    An answer may be as of a settling time before it was asked for, and what is in it may be booked here a settling time
    after it came. So nothing differs where it equals what was known at any moment in between, however much was booked
    there. Where it equals none of them it differs by one of several amounts; by which is certain when two looks in
    succession have one, and only one, in common. An answer about orders of unknown fate decides nothing.

    Parameters
    ----------
    now
        The time, in seconds.
    known
        What is known to be held, by asset.

    Examples
    --------
    >>> differences = Differences(0.0, {"BTC": Decimal(1)})
    >>> for asked in (10.0, 20.0):
    ...     differences.take(Look(asked, asked + 0.1, {"BTC": Decimal(3)}, frozenset()))
    ...     differences.judge(asked + 8.0, 7.0, set())
    {}
    {'BTC': Decimal('2')}

    """

    def __init__(self, now: float, known: Mapping[str, Decimal]) -> None:
        # What was known, each since when.
        self._known = deque([(now, dict(known))], _KEPT)
        self._looks: list[Look] = []
        self._possible: Set[Difference] = frozenset()
        self.seen: Mapping[str, Decimal] = {}
        """What differed when the newest look that was judged was answered, be it certain or not."""

    def booked(self, now: float, known: Mapping[str, Decimal]) -> None:
        """Something may have been booked."""
        if known != self._known[-1][1]:
            self._known.append((now, dict(known)))

    def take(self, look: Look) -> None:
        """Take a look, which is judged when everything in it had the time to be booked."""
        self._looks.append(look)

    def judge(self, now: float, settling_seconds: float, doubtful: Set[str]) -> dict[str, Decimal]:
        """Judge the looks that have settled; gives what differs for certain, which is then to be booked.

        Parameters
        ----------
        now
            The time.
        settling_seconds
            How old an answer may be, and how late a report.
        doubtful
            The client ids of orders of which it is not known now what has become of them.

        """
        while self._looks and now - self._looks[0].answered >= settling_seconds:
            if certain := self._judge(self._looks.pop(0), settling_seconds, doubtful):
                self._looks, self._possible, self.seen = [], frozenset(), {}
                return dict(certain)
        return {}

    def _judge(self, look: Look, settling_seconds: float, doubtful: Set[str]) -> Difference:
        """What differs for certain after a look."""
        since = look.asked - settling_seconds
        around = list(self._known_since(since))
        if look.held in around:
            self.seen, self._possible = {}, frozenset()
            return _NOTHING
        first, earliest = self._known[0]
        then = next((known for begun, known in reversed(self._known) if begun <= look.answered), earliest)
        self.seen = dict(difference(look.held, then))
        if look.orders & doubtful or since < first:
            return _NOTHING
        possible = frozenset(difference(look.held, known) for known in around)
        common = possible & self._possible
        self._possible = common or possible
        return next(iter(common)) if len(common) == 1 else _NOTHING

    def _known_since(self, since: float) -> Iterator[Mapping[str, Decimal]]:
        """All that was known at a time and after it."""
        for begun, known in reversed(self._known):
            yield known
            if begun <= since:
                return


def difference(held: Mapping[str, Decimal], known: Mapping[str, Decimal]) -> Difference:
    """What is held more than is known, by asset.

    Examples
    --------
    >>> dict(difference({"BTC": Decimal(3), "USDT": Decimal(5)}, {"BTC": Decimal(1), "USDT": Decimal(5)}))
    {'BTC': Decimal('2')}

    """
    return frozenset((asset, held[asset] - amount) for asset, amount in known.items() if held[asset] != amount)
