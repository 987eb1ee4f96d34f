"""The simulated venues on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from cyclopts import Parameter

from tradewind.errors import exception
from tradewind.simulation import Simulated, simulated


@Parameter(name="*", group="Simulated venues")
@dataclass(frozen=True)
class VenueOptions:
    """How the venues of the data are simulated; packaged ones have the preset "typical".

    Parameters
    ----------
    latency
        From the strategy to the venue, and back where nothing else is said, such as 5ms.
    answer_latency
        From the venue back.
    taking_on_trades
        How a market order fills where only trades are known (F2).
    resting
        When a resting limit order fills (F3).
    leverage
        The account's leverage; the highest that the instrument allows otherwise.

    """

    latency: str | None = None
    answer_latency: str | None = None
    taking_on_trades: Literal["next_trades", "next_trade_whole", "last_trade_whole"] | None = None
    resting: Literal["through", "touch"] | None = None
    leverage: int | None = None

    def venues(self, instruments: Iterable[str]) -> dict[str, Simulated]:
        """The settings of every venue of the instruments, where anything is stated."""
        stated = {name: value for name, value in vars(self).items() if value is not None}
        if not stated:
            return {}
        names = dict.fromkeys(instrument.partition(":")[0] for instrument in instruments)
        return {name: replace(self._base(name), **stated) for name in names}

    def _base(self, venue: str) -> Simulated:
        if self.latency is not None:
            return Simulated(self.latency)
        try:
            return simulated(venue, {})[0]
        except ValueError:
            raise exception(
                "missing_setting", f"nothing says how the venue {venue} is simulated", "add --latency 20ms"
            ) from None
