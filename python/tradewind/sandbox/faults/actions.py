"""Faults that happen at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from tradewind.errors import exception
from tradewind.sandbox.account import Account
from tradewind.sandbox.binance_spot import answer
from tradewind.sandbox.binance_spot.api_connection import ApiConnection
from tradewind.sandbox.binance_spot.connection import Connection, framed
from tradewind.sandbox.binance_spot.stream_connection import StreamConnection
from tradewind.sandbox.market import Market
from tradewind.sandbox.order import OrderRequest
from tradewind.sandbox.refusal import Refusal
from tradewind.sandbox.units import parse

if TYPE_CHECKING:
    from tradewind.sandbox.server import Server

_KINDS: dict[str, type[Connection]] = {"stream": StreamConnection, "api": ApiConnection, "all": Connection}
_PING = b"\x89\x05flood"
_CANCELLED = "EXCHANGE_CANCELED"


# Connections


def _connections(server: Server, kind: str = "all") -> list[Connection]:
    wanted = _KINDS.get(kind)
    if wanted is None:
        raise exception("bad_setting", f"fault: kind = {kind!r}", "stream, api or all")
    return [one for one in server.connections if isinstance(one, wanted)]


def hard_close(server: Server, kind: str = "all", partial: bool = False) -> None:
    """Break connections off."""
    for one in _connections(server, kind):
        if partial:
            one.send_now(framed(b"x" * 1_000)[:200])
            one.hang_up()
        else:
            one.drop("a fault")


def half_open(server: Server, kind: str = "all") -> None:
    """Let nothing pass through connections any more."""
    for one in _connections(server, kind):
        one.cut_off()


def announced_disconnect(server: Server, kind: str = "all", notice_seconds: float = 10.0) -> None:
    """Announce the end of connections."""
    server.notice_seconds = notice_seconds
    for one in _connections(server, kind):
        one.announce_end()


def control_flood(server: Server, number: int = 100) -> None:
    """Send pings."""
    for one in _connections(server):
        for _ in range(number):
            one.send(_PING)


def large_frame(server: Server, size: int = 1_000_000) -> None:
    """Send a large event that nobody knows."""
    _tell_streams(server, {"e": "neverHeardOf", "x": "x" * size})


def unknown_event(server: Server) -> None:
    """Send an event that nobody knows."""
    _tell_streams(server, {"e": "neverHeardOf", "x": {"y": None}})


def _tell_streams(server: Server, event: dict[str, Any]) -> None:
    for one in _connections(server, "stream"):
        assert isinstance(one, StreamConnection)
        dated = event | {"E": server.clock.now_ns() // one.scale}
        one.send(framed(msgspec.json.encode({"stream": "!neverHeardOf", "data": dated} if one.combined else dated)))


def nonsense_frame(server: Server, text: str = '{"e":"trade","p":', kind: str = "all") -> None:
    """Send what is no JSON."""
    for one in _connections(server, kind):
        one.send(framed(text.encode()))


# Markets


def _markets(server: Server, symbol: str | None) -> list[Market]:
    markets = server.exchange.markets
    if symbol is None:
        return list(markets.values())
    if symbol not in markets:
        raise exception("bad_setting", f"fault: symbol = {symbol!r}", f"one of {', '.join(markets)}")
    return [markets[symbol]]


def restarted_book(server: Server, symbol: str | None = None, ahead: int = 1_000_000) -> None:
    """Let update ids begin anew; changes that were not sent are lost."""
    for market in _markets(server, symbol):
        server.hub.forget_changes(market.symbol.name)
        market.update_id += ahead


def swept_book(server: Server, symbol: str, side: str = "SELL") -> None:
    """Take one side of a book."""
    (market,) = _markets(server, symbol)
    server.exchange.sweep(market, side == "SELL", server.clock.now_ns())


def changed_symbol(server: Server, symbol: str, **rules: str) -> None:
    """Give a symbol other rules."""
    (market,) = _markets(server, symbol)
    market.symbol = msgspec.structs.replace(market.symbol, **{name: parse(text) for name, text in rules.items()})


def delisted(server: Server, symbol: str, listed: bool = False) -> None:
    """Take a symbol out of trading, and end its orders."""
    (market,) = _markets(server, symbol)
    market.is_listed = listed
    if not listed:
        _expire(server, _CANCELLED, lambda order: order.symbol == symbol)


# Orders and accounts


def expired_order(server: Server, order_id: int | None = None, reason: str = _CANCELLED) -> None:
    """End open orders."""
    _expire(server, reason, lambda order: order_id in (None, order.id))


def _expire(server: Server, reason: str, is_meant: Callable[[Any], bool]) -> None:
    now_ns = server.clock.now_ns()
    for orders in list(server.exchange.open_orders.values()):
        for order in list(orders.values()):
            if is_meant(order):
                server.exchange.expire(order, reason, now_ns)


def unknown_execution(server: Server) -> None:
    """Report on open orders in a way that nobody knows."""
    now_ns = server.clock.now_ns()
    for number, orders in server.exchange.open_orders.items():
        for order in orders.values():
            event = answer.report(order, "NEW", None, now_ns, server.next_execution_id())
            server.users.deliver(number, event | {"x": "NEVER_HEARD_OF"})


def _account(server: Server, number: int | None) -> Account:
    """An account by its number; the first where none is stated."""
    accounts = server.exchange.accounts
    if not accounts:
        raise exception("bad_setting", "fault: the exchange has no account yet", "open one first")
    if number is None:
        return accounts[min(accounts)]
    if number not in accounts:
        known = ", ".join(f"{one.number} ({one.name})" for one in accounts.values())
        raise exception("bad_setting", f"fault: account = {number!r}: there is no such account", f"one of {known}")
    return accounts[number]


def user_stream_ends(server: Server, account: int | None = None) -> None:
    """End subscriptions to user data."""
    for number in list(server.exchange.accounts) if account is None else [_account(server, account).number]:
        for one in server.users.listeners(number):
            one.terminate_account(number)


def foreign_order(
    server: Server,
    symbol: str,
    side: str = "BUY",
    quantity: str = "0.001",
    price: str | None = None,
    account: int | None = None,
) -> None:
    """Trade on an account from elsewhere."""
    exchange = server.exchange
    (market,) = _markets(server, symbol)
    request = OrderRequest(
        symbol=market.symbol.name,
        buy=side == "BUY",
        kind="LIMIT" if price else "MARKET",
        client_id=f"web_{server.next_execution_id():032x}",
        price=parse(price) if price else 0,
        quantity=parse(quantity),
    )
    try:
        exchange.submit(_account(server, account), request, server.clock.now_ns())
    except Refusal as refusal:
        raise exception("bad_setting", f"fault: foreign_order: {refusal}") from None


def transfer(server: Server, asset: str, amount: str, account: int | None = None) -> None:
    """Pay into an account, or out of it."""
    units = -parse(amount[1:]) if amount.startswith("-") else parse(amount)
    try:
        server.exchange.transfer(_account(server, account), asset, units, server.clock.now_ns())
    except Refusal as refusal:
        raise exception("bad_setting", f"fault: transfer: {refusal}") from None


def key_revoked(server: Server, api_key: str | None = None, account: int | None = None, reading: bool = False) -> None:
    """Take keys away, or what they may do but read."""
    if account is not None:
        _account(server, account)
    for key in server.venue.keys.values():
        if api_key in (None, key.key) and account in (None, key.account):
            key.trading, key.reading = False, reading
            if server.state is not None:
                server.state.write_key(key)
            if not reading:
                for one in server.users.listeners(key.account):
                    one.terminate_key(key)


# Time and limits


def clock(server: Server, seconds: float = 0.0, drift_ms: float = 0.0) -> None:
    """Set the venue's clock, and how much faster than ours it goes."""
    server.clock.set(int(seconds * 1e9), drift_ms / 60_000)


def ban(server: Server, seconds: float = 120.0) -> None:
    """Ban all addresses."""
    server.venue.meter.ban_all(server.clock.now_ns() // 1_000_000 + int(seconds * 1_000))


def changed_limits(server: Server, **limits: int) -> None:
    """Let other limits hold than those that are announced."""
    server.venue.meter.change(**limits)


RUN: dict[str, Callable[..., None]] = {
    one.__name__: one
    for one in (
        hard_close, half_open, announced_disconnect, control_flood, large_frame, unknown_event, unknown_execution,
        nonsense_frame, restarted_book, swept_book, changed_symbol, delisted, expired_order, user_stream_ends,
        foreign_order, clock, key_revoked, ban, changed_limits, transfer,
    )
}  # fmt: skip
"""What each of them does."""
