"""The synthetic participants behind a market."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tradewind._core import Index, MatchingBook
from tradewind.sandbox.clock import MarketTime
from tradewind.sandbox.market import Market
from tradewind.sandbox.settings import Settings
from tradewind.sandbox.symbol import Symbol
from tradewind.sandbox.units import show

if TYPE_CHECKING:
    from tradewind.sandbox.server import Server

# Their smallest orders are so many times the smallest that the venue takes, so that the book has some depth.
_SIZE = 100
_SHORTEST_SLEEP_SECONDS = 0.001
_LONGEST_SLEEP_SECONDS = 1.0


class Crowd:
    """Lets the participants of a market act when their time has come.

    Parameters
    ----------
    server
        Whose market it is.
    market
        Where they trade.
    begin_ns
        When they acted last, in their time.

    """

    def __init__(self, server: Server, market: Market, begin_ns: int) -> None:
        self._server = server
        self._market = market
        self._begin_ns = begin_ns

    async def run(self) -> None:
        """Let them act, for good; their time stands still while nothing may happen in the market."""
        server, market = self._server, self._market
        time = MarketTime(self._begin_ns, server.settings.speed)
        while True:
            if is_moving := server.may_move(market):
                server.exchange.advance(market, time.now_ns, server.clock.now_ns())
            wait_seconds = time.seconds_until(market.book.next_action_ns or 1 << 62)
            await asyncio.sleep(max(_SHORTEST_SLEEP_SECONDS, min(wait_seconds, _LONGEST_SLEEP_SECONDS)))
            time.advance(is_running=is_moving)


def crowded_market(symbol: Symbol, settings: Settings, now_ns: int, start_price: int, above: int = 0) -> Market:
    """A market whose participants have traded for a while, up to now."""
    definition: dict[str, Any] = {
        "venue": "binance_spot",
        "symbol": symbol.name,
        "kind": "spot",
        "base": symbol.base,
        "quote": symbol.quote,
        "settlement": symbol.quote,
        "price_decimals": 8,
        "quantity_decimals": 8,
        "tick": show(symbol.tick),
        "lot": show(symbol.lot),
        "minimum_quantity": show(symbol.minimum_quantity),
        "minimum_notional": show(symbol.minimum_notional * _SIZE),
        "multiplier": "1",
        "maker_fee": "0",
        "taker_fee": "0",
        "liquidation_fee": "0",
        "fee_asset": "received",
        "initial_margin": None,
        "maintenance_margin": None,
    }
    instrument = Index([definition]).instrument(f"binance_spot:{symbol.name}")
    begin_ns = now_ns - int(settings.history_seconds * 1e9)
    values = {
        "seed": settings.seed,
        "start_ns": begin_ns,
        "events": 1,
        "duration_ns": None,
        "initial_price": start_price,
        "volatility": settings.volatility,
        "activity": settings.activity,
        "latency_ns": 1_000_000,
        "emit": ["trade"],
    }
    book = MatchingBook(instrument, values)
    history = book.history(now_ns)
    market = Market(symbol, book, above)
    market.last_price = start_price
    market.aggregate([market.remember(*row, (0, 0)) for row in history])
    return market
