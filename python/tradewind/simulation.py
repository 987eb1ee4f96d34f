"""How a venue is simulated: latencies, fills, leverage. Nothing here is guessed silently (N5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from tradewind.errors import exception
from tradewind.times import duration_ns

Duration = timedelta | float | str


@dataclass(frozen=True)
class Uniform:
    """A latency anywhere between two bounds, drawn from the run's seed."""

    low: Duration
    high: Duration


@dataclass(frozen=True)
class Exponential:
    """A latency of at least a minimum, with an exponential tail of a mean on top, drawn from the run's seed."""

    minimum: Duration
    mean: Duration


Latency = Duration | Uniform | Exponential


@dataclass(frozen=True)
class Simulated:
    """The simulated side of a venue.

    Parameters
    ----------
    latency
        From the strategy to the venue: a `timedelta`, seconds, text such as ``"5ms"``, `Uniform` or `Exponential`.
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

    """

    latency: Latency
    answer_latency: Latency | None = None
    taking_on_trades: Literal["next_trades", "next_trade_whole", "last_trade_whole"] = "next_trades"
    resting: Literal["through", "touch"] = "through"
    leverage: int | None = None
    lag: Duration | None = None

    def __repr__(self) -> str:
        leverage = "" if self.leverage is None else f", leverage {self.leverage}"
        lag = "" if self.lag is None else f", lag {self.lag}"
        answers = self.latency if self.answer_latency is None else self.answer_latency
        fills = f"{self.taking_on_trades}, {self.resting}"
        return f"Simulated(latency {self.latency}, answers {answers}, {fills}{leverage}{lag})"

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


def _latency(latency: Latency) -> tuple[str, int, int]:
    match latency:
        case Uniform(low, high):
            return "uniform", duration_ns(low), duration_ns(high)
        case Exponential(minimum, mean):
            return "exponential", duration_ns(minimum), duration_ns(mean)
        case _:
            return "constant", duration_ns(latency), 0
