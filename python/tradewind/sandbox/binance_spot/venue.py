"""The venue behind all of its interfaces: who may ask for what, at which price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tradewind.sandbox.account import Account, ApiKey
from tradewind.sandbox.binance_spot import account_methods, answer, market_methods, trade_methods
from tradewind.sandbox.binance_spot.call import Call, Method
from tradewind.sandbox.binance_spot.failure import Failure, mandatory, of_refusal, unpermitted
from tradewind.sandbox.binance_spot.faulty import run_with_faults
from tradewind.sandbox.binance_spot.limits import Meter
from tradewind.sandbox.binance_spot.parameters import Parameters
from tradewind.sandbox.clock import Clock
from tradewind.sandbox.exchange import Exchange
from tradewind.sandbox.market import Market
from tradewind.sandbox.refusal import Refusal

if TYPE_CHECKING:
    from tradewind.sandbox.faults import Faults

METHODS = (*market_methods.METHODS, *trade_methods.METHODS, *account_methods.METHODS)
_SIGNED = ("timestamp", "recvWindow", "signature", "apiKey")
_AHEAD_MS = 1_000
_LARGEST_WINDOW_MS = 60_000


class Venue:
    """What REST and the WebSocket API have in common.

    Parameters
    ----------
    exchange
        What is traded.
    clock
        The venue's time.
    faults
        What goes wrong.
    meter
        Counts it.

    """

    def __init__(self, exchange: Exchange, clock: Clock, faults: Faults, meter: Meter) -> None:
        self.exchange = exchange
        self.faults = faults
        self.clock = clock
        self.meter = meter
        self.keys: dict[str, ApiKey] = {}
        self.by_route = {method.route: method for method in METHODS if method.route}
        self.by_name = {method.name: method for method in METHODS if method.name}

    def carry_out(
        self, method: Method, values: dict[str, str], address: str, scale: int, signer: Account | None
    ) -> Any:
        """Do what a request asks for; its weight was charged, the signer is known."""
        now_ns = self.clock.now_ns()
        parameters = Parameters(values)
        if method.security != "NONE":
            parameters.ignore(*_SIGNED)
        call = Call(self, parameters, now_ns, scale, signer)
        try:
            result = method.run(call) if not self.faults.active else run_with_faults(method, call)
        except Refusal as refusal:
            raise of_refusal(refusal) from None
        parameters.finish()
        if method.is_order:
            self.meter.give_back(address, method.weight_of(values), now_ns // 1_000_000)
        return result

    def key(self, name: str | None, security: str) -> ApiKey:
        """The key of this name, if it may do that."""
        if not name or len(name) != 64 or not name.isalnum():
            raise Failure(-2014, "API-key format invalid.", 401)
        key = self.keys.get(name)
        if key is None or not (key.trading if security == "TRADE" else key.reading):
            raise unpermitted()
        return key

    def check_time(self, values: Mapping[str, str]) -> None:
        """Refuse a request that is too old, or from the future."""
        text = values.get("timestamp", "")
        if not text.isdecimal() or not text.isascii() or len(text) not in (13, 16):
            raise mandatory("timestamp")
        sent_us = int(text) * (1_000 if len(text) == 13 else 1)
        window_us = _window_us(values.get("recvWindow"))
        now_us = self.clock.now_ns() // 1_000
        if sent_us >= now_us + _AHEAD_MS * 1_000:
            raise Failure(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        # A timestamp in milliseconds is compared in milliseconds.
        if now_us - sent_us - (now_us % 1_000 if len(text) == 13 else 0) > window_us:
            raise Failure(-1021, "Timestamp for this request is outside of the recvWindow.")

    def snapshot(self, market: Market, limit: int) -> dict[str, Any]:
        """The book as REST and the WebSocket API give it."""
        if self.faults.active and (old := self.faults.snapshot(market.symbol.name)) is not None:
            return {**old, "bids": old["bids"][:limit], "asks": old["asks"][:limit]}
        bids, asks = (answer.levels(market.book.levels(side, limit)) for side in (True, False))
        return {"lastUpdateId": market.update_id, "bids": bids, "asks": asks}


def _window_us(text: str | None) -> int:
    if text is None:
        return 5_000_000
    whole, _, fraction = text.partition(".")
    if not (whole + fraction).isdecimal() or not whole or len(whole) > 9:
        raise mandatory("recvWindow")
    if len(fraction) > 3:
        raise Failure(-1111, "Parameter 'recvWindow' has too much precision.")
    window_us = int(whole) * 1_000 + int(fraction.ljust(3, "0"))
    if window_us > _LARGEST_WINDOW_MS * 1_000:
        raise Failure(-1131, "'recvWindow' must be less than 60000.")
    return window_us
