"""How a venue is simulated: latencies, fills, leverage. Nothing here is guessed silently (N5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from tradewind._core import MEASURED_SHARES
from tradewind.checks import need_count
from tradewind.errors import exception
from tradewind.times import DAY_NS, duration_ns, duration_text, interval_text

Duration = timedelta | float | str
"""A `timedelta`, seconds as a number, or text with its unit such as ``"5ms"``."""


@dataclass(frozen=True)
class Uniform:
    """A latency anywhere between two bounds, drawn from the run's seed."""

    low: Duration
    high: Duration

    def __str__(self) -> str:
        return f"Uniform({_shown(self.low)} to {_shown(self.high)})"


@dataclass(frozen=True)
class Exponential:
    """A latency of at least a minimum, with an exponential tail of a mean on top, drawn from the run's seed."""

    minimum: Duration
    mean: Duration

    def __str__(self) -> str:
        return f"Exponential({_shown(self.minimum)} and {_shown(self.mean)} more in the mean)"


@dataclass(frozen=True)
class Measured:
    """A latency as it was measured, drawn from the run's seed.

    Parameters
    ----------
    quantiles_ns
        The smallest, the quantiles of every further twentieth up to 95 of 100, those of 99 of 100 and 999 of 1,000, and
        the largest: 23 in all. Between two of them all latencies are equally likely.

    """

    quantiles_ns: tuple[int, ...]

    @classmethod
    def of(cls, latencies_ns: Sequence[int]) -> Measured:
        """The distribution of what was measured.

        Examples
        --------
        >>> Measured.of([3_000_000, 1_000_000, 2_000_000])
        Measured(1ms to 3ms, median 2ms)

        """
        ordered = sorted(latencies_ns)
        return cls(tuple(_at(ordered, share * (len(ordered) - 1)) for share in MEASURED_SHARES))

    def __repr__(self) -> str:
        low, middle, high = (duration_text(self.quantiles_ns[place]) for place in (0, MEASURED_SHARES.index(0.5), -1))
        return f"Measured({low} to {high}, median {middle})"


def _at(ordered: Sequence[int], place: float) -> int:
    """The value at a place of a list that may lie between two of its values."""
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + round((place - low) * (ordered[high] - ordered[low]))


Latency = Duration | Uniform | Exponential | Measured


def _latency(latency: Latency) -> tuple[str, int, int] | tuple[str, list[int]]:
    match latency:
        case Measured(quantiles_ns):
            return "measured", list(quantiles_ns)
        case Uniform(low, high):
            return "uniform", duration_ns(low), duration_ns(high)
        case Exponential(minimum, mean):
            return "exponential", duration_ns(minimum), duration_ns(mean)
        case _:
            return "constant", duration_ns(latency), 0


def _need_latency(name: str, latency: Latency) -> None:
    """Refuse delays that cannot be, in the words in which they were stated; what was measured is the kernel's."""
    if isinstance(latency, Measured):
        return
    kind, *durations = _latency(latency)
    stated = [one for one in durations if isinstance(one, int)]
    if min(stated) < 0:
        raise exception("bad_setting", f"{name} = {latency!r} is below zero", 'write "20ms", or a number of seconds')
    if kind == "uniform" and stated[0] > stated[1]:
        raise exception("bad_setting", f"{name} = {latency!r}: the lower bound is above the higher", "swap them")
    if max(stated) > DAY_NS:
        raise exception("bad_setting", f"{name} = {latency!r} is more than a day", "a number is seconds")


def _shown(latency: Latency) -> str:
    """A latency as text, with its unit."""
    if isinstance(latency, str | Uniform | Exponential | Measured):
        return str(latency)
    return interval_text(duration_ns(latency)) if latency else "0s"


@dataclass(frozen=True)
class Simulated:
    """The simulated side of a venue.

    Parameters
    ----------
    latency
        From the strategy to the venue: a `timedelta`, text such as ``"5ms"``, `Uniform`, `Exponential` or `Measured`;
        a number is seconds, so that 5 milliseconds are ``"5ms"`` or 0.005.
    answer_latency
        From the venue back; the same as `latency` where it is not given.
    taking_on_trades
        How a market order fills where only trades are known (F2): ``"next_trades"`` takes the next trades after its
        arrival, at most their sizes; ``"next_trade_whole"`` fills whole at the next trade; ``"last_trade_whole"``
        fills whole and at once at the last trade, and is optimistic.
    resting
        When a resting limit order fills (F3): ``"through"`` or ``"touch"``, which is optimistic.
    leverage
        The account's chosen leverage; the highest that the instrument allows where it is not given.

    Examples
    --------
    >>> Simulated(latency="5ms")
    Simulated(latency 5ms, answers 5ms, next_trades, through)
    >>> Simulated(latency=5)
    Simulated(latency 5s, answers 5s, next_trades, through)

    """

    latency: Latency
    answer_latency: Latency | None = None
    taking_on_trades: Literal["next_trades", "next_trade_whole", "last_trade_whole"] = "next_trades"
    resting: Literal["through", "touch"] = "through"
    leverage: int | None = None
    lag: Duration | None = None

    def __post_init__(self) -> None:
        _need_latency("latency", self.latency)
        if self.answer_latency is not None:
            _need_latency("answer_latency", self.answer_latency)
        if self.leverage is not None:
            need_count("leverage", self.leverage, "leave it out for the highest that the instrument allows")

    def __repr__(self) -> str:
        leverage = "" if self.leverage is None else f", leverage {self.leverage}"
        lag = "" if self.lag is None else f", lag {_shown(self.lag)}"
        answers = self.latency if self.answer_latency is None else self.answer_latency
        fills = f"{self.taking_on_trades}, {self.resting}"
        return f"Simulated(latency {_shown(self.latency)}, answers {_shown(answers)}, {fills}{leverage}{lag})"

    def values(self, venue: str) -> dict[str, Any]:
        """As the kernel takes it."""
        return {
            "venue": venue,
            "request_latency": _latency(self.latency),
            "answer_latency": _latency(self.latency if self.answer_latency is None else self.answer_latency),
            "taking_on_trades": self.taking_on_trades,
            "resting": self.resting,
            "leverage": self.leverage,
            "lag_ns": None if self.lag is None else duration_ns(self.lag),
        }


TYPICAL = Simulated(latency="20ms")
"""The preset ``typical``: 20 ms each way, fills that do not flatter. Used for packaged venues where nothing is said."""

_PRESET_VENUES = ("binance_spot", "binance_usdm", "synthetic")


def simulated(venue: str, given: dict[str, Simulated]) -> tuple[Simulated, str]:
    """The settings of a venue and where they come from, or an error with the line to add."""
    if venue in given:
        return given[venue], "given"
    if venue in _PRESET_VENUES:
        return TYPICAL, "preset typical"
    raise exception(
        "missing_setting",
        f"nothing says how the venue {venue} is simulated",
        f'add venues={{"{venue}": tw.Simulated(latency="20ms")}}',
    )


def as_latency(kernel: Sequence[Any]) -> Latency:
    """A latency from what the kernel takes, as a manifest keeps it.

    Examples
    --------
    >>> as_latency(("uniform", 1_000_000, 2_500_000))
    Uniform(low='1ms', high='2.5ms')

    """
    kind, *durations = kernel
    match kind:
        case "uniform":
            return Uniform(*map(duration_text, durations))
        case "exponential":
            return Exponential(*map(duration_text, durations))
        case "measured":
            return Measured(tuple(durations[0]))
        case _:
            return duration_text(durations[0])
