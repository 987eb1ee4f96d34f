"""What a session does while it waits busily: the way of an order, again and again, so that its code stays warm."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from tradewind import _core
from tradewind._core import Context, Indicator, Instrument, Trade
from tradewind.backtest import Settings
from tradewind.dataset import Dataset
from tradewind.indicators import Ema
from tradewind.session.waiting import while_waiting
from tradewind.simulation import TYPICAL
from tradewind.strategy import Strategy
from tradewind.venues import Execution, OrderRequest

log = logging.getLogger(__name__)
_EVERY_NS = 50_000
_RUN = "rehearse"
_PERIOD = 20


class _Rehearser(Strategy):
    """Buys a lot at every trade."""

    traded: Instrument
    average: Indicator

    def on_start(self, ctx: Context) -> None:
        self.traded = ctx.instruments[0]
        self.average = ctx.indicator(Ema(_PERIOD), self.traded.trades)

    def on_trade(self, ctx: Context, trade: Trade) -> None:
        if self.average.ready:
            ctx.buy(self.traded, self.traded.lot, trade.price, time_in_force="ioc")


class Rehearsal:
    """Goes from a trade to the request that answers it, with an engine of its own; nothing leaves.

    Code that has not run for some milliseconds takes several times as long as warm one, on a machine that others use:
    most of what lies between a tick and its order. A session that waits busily has the time to keep it warm.

    Parameters
    ----------
    data
        The instruments of the session.
    currency
        The currency of its totals.
    executions
        What sends its orders, by venue: they render requests that are thrown away.

    """

    def __init__(self, data: Dataset, currency: str | None, executions: Mapping[str, Execution]) -> None:
        index = data.index
        self._instrument = next(one for one in index.instruments if one.venue in executions)
        self._execution = executions[self._instrument.venue]
        # Its own answers come in the place of the venues': how they are simulated decides nothing.
        settings = Settings(balances={}, venues=dict.fromkeys(index.venues, TYPICAL), currency=currency)
        values = settings.run([_Rehearser(name=_RUN)], data, keep="metrics", journal=True)
        values["value_streams"], values["venues"], values["balances"] = None, [], []
        at = index.instruments.index(self._instrument)
        self._kernel = _core.Session(values, [(at, "trades")])
        self._inbox = _core.Inbox(index)
        self._last_ns = self._count = 0
        self._kernel.start(1, False)

    def __call__(self) -> None:
        """Rehearse, unless that was done just now."""
        if time.perf_counter_ns() - self._last_ns >= _EVERY_NS:
            self._rehearse()

    def _rehearse(self) -> None:
        self._count += 1
        kernel, now_ns = self._kernel, self._count + 1
        traded = self._instrument
        self._inbox.trade(traded.name, now_ns, now_ns, traded.tick, traded.lot, "buy", self._count)
        kernel.take_rows(self._inbox)
        requests = kernel.take_requests(_RUN)
        kernel.take_journal()
        for venue, _, fields in requests:
            self._execution.rehearse(OrderRequest(*fields))
            for order in kernel.open_orders():
                kernel.order(venue, now_ns, now_ns, order["order_id"], "rejected", "venue_refused")
        kernel.take_journal()
        self._last_ns = time.perf_counter_ns()


def rehearse_while_waiting(data: Dataset, currency: str | None, executions: Mapping[str, Execution]) -> None:
    """Rehearse whenever the running loop waits busily; what fails in it never ends the session, which goes without."""
    try:
        rehearsal = Rehearsal(data, currency, executions)
    except Exception:
        log.exception("nothing is rehearsed while waiting")
        return

    def rehearse() -> None:
        try:
            rehearsal()
        except Exception:
            while_waiting(None)
            log.exception("nothing is rehearsed while waiting any more")

    while_waiting(rehearse)
