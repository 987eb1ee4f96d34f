"""Request weights and order counts, in fixed windows; who goes on after a 429 is banned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from tradewind.sandbox.account import OrderCounts
from tradewind.sandbox.binance_spot.failure import TOO_MANY_REQUESTS, Failure
from tradewind.sandbox.settings import Limits

_MINUTE_MS = 60_000
_RAW_MS = 5 * _MINUTE_MS
_ORDER_WINDOWS_MS = (10_000, 86_400_000)
_GRACE = 10
"""So many requests after a 429 lead to a ban."""

Interface = Literal["REST", "API"]


class Window:
    """Counts that start again at fixed times; who was counted before is forgotten then."""

    def __init__(self, length_ms: int, limit: int) -> None:
        self.length_ms = length_ms
        self.limit = limit
        self._place = 0
        self._counts: dict[object, int] = {}

    def count(self, of: object, now_ms: int) -> int:
        """What was counted in this window."""
        place = now_ms // self.length_ms
        if place != self._place:
            self._place = place
            self._counts.clear()
        return self._counts.get(of, 0)

    def add(self, of: object, amount: int, now_ms: int) -> int:
        """Count more (or less); gives the count."""
        count = self._counts[of] = max(self.count(of, now_ms) + amount, 0)
        return count

    def forget(self, of: object) -> None:
        """Count from nothing."""
        self._counts.pop(of, None)

    def kept(self, of: object) -> tuple[int, int]:
        """Which window this is, and what was counted in it."""
        return self._place, self._counts.get(of, 0)

    def restore(self, of: object, place: int, count: int, now_ms: int) -> None:
        """Go on with a count, unless its window is over."""
        if place == now_ms // self.length_ms:
            self.add(of, count, now_ms)

    def rest_ms(self, now_ms: int) -> int:
        """How long the window still lasts."""
        return self.length_ms - now_ms % self.length_ms


class Meter:
    """The counts of all addresses and accounts.

    Parameters
    ----------
    limits
        How much may be asked for.
    keep_orders
        Told of an account whenever its count of orders changes.

    """

    def __init__(self, limits: Limits, keep_orders: Callable[[int], None] = lambda _: None) -> None:
        self.limits = limits
        self._keep_orders = keep_orders
        self.weight = Window(_MINUTE_MS, limits.weight_per_minute)
        self.raw = Window(_RAW_MS, limits.raw_requests_per_5_minutes)
        self.connections = Window(_RAW_MS, limits.connections_per_5_minutes)
        per_window = (limits.orders_per_10_seconds, limits.orders_per_day)
        self.orders = [Window(ms, limit) for ms, limit in zip(_ORDER_WINDOWS_MS, per_window, strict=True)]
        self._refused = Window(_RAW_MS, _GRACE)
        self._banned_until_ms: dict[str, int] = {}
        self._all_banned_until_ms = 0

    def charge(self, address: str, weight: int, now_ms: int, interface: Interface) -> None:
        """Count a request before it is looked at; refuse it where too much was asked for."""
        banned_until_ms = max(self._banned_until_ms.get(address, 0), self._all_banned_until_ms)
        if now_ms < banned_until_ms:
            raise self.ban(now_ms, banned_until_ms)
        if interface == "REST":
            self.raw.add(address, 1, now_ms)
        if self.weight.add(address, weight, now_ms) > self.weight.limit:
            self._refuse(address, now_ms)
            limit = self.weight.limit
            raise self.too_many(
                now_ms,
                self.weight.rest_ms(now_ms),
                f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
                "Please use WebSocket Streams for live updates to avoid polling the API.",
            )
        if interface == "REST" and self.raw.count(address, now_ms) > self.raw.limit:
            self._refuse(address, now_ms)
            raise self.too_many(
                now_ms,
                self.raw.rest_ms(now_ms),
                f"Too many requests; current limit is {self.raw.limit} raw requests per 5 MINUTES.",
            )
        self._refused.forget(address)

    def give_back(self, address: str, weight: int, now_ms: int) -> None:
        """Take back the weight of an order that was successful."""
        self.weight.add(address, -weight, now_ms)

    def check_orders(self, account: int, now_ms: int) -> None:
        """Refuse an order where the account has sent too many that are not filled."""
        for window, words in zip(self.orders, ("10 SECOND", "1 DAY"), strict=True):
            if window.count(account, now_ms) >= window.limit:
                rest_ms = window.rest_ms(now_ms)
                data = {"serverTime": now_ms, "retryAfter": now_ms + rest_ms}
                message = f"Too many new orders; current limit is {window.limit} orders per {words}."
                raise Failure(-1015, message, 429, data)

    def count_order(self, account: int, amount: int, now_ms: int) -> None:
        """Count an order that was sent, or one less because it was filled."""
        for window in self.orders:
            window.add(account, amount, now_ms)
        self._keep_orders(account)

    def kept_orders(self, account: int) -> OrderCounts:
        """The counts of an account's orders, as `restore_orders` takes them."""
        return [window.kept(account) for window in self.orders]

    def restore_orders(self, counts: Mapping[int, OrderCounts], now_ms: int) -> None:
        """Go on with the counts of accounts."""
        for account, kept in counts.items():
            for window, (place, count) in zip(self.orders, kept, strict=True):
                window.restore(account, place, count, now_ms)

    def too_many(self, now_ms: int, rest_ms: int, message: str) -> Failure:
        """The answer to who must wait."""
        return Failure(TOO_MANY_REQUESTS, message, 429, {"serverTime": now_ms, "retryAfter": now_ms + rest_ms})

    @staticmethod
    def ban(now_ms: int, until_ms: int) -> Failure:
        """The answer to who is banned."""
        message = (
            f"Way too much request weight used; IP banned until {until_ms}. "
            "Please use WebSocket Streams for live updates to avoid bans."
        )
        return Failure(TOO_MANY_REQUESTS, message, 418, {"serverTime": now_ms, "retryAfter": until_ms})

    def ban_all(self, until_ms: int) -> None:
        """Ban every address."""
        self._all_banned_until_ms = until_ms

    def change(self, **limits: int) -> None:
        """Let other limits hold than those that are announced."""
        windows = {"weight_per_minute": self.weight, "orders_per_10_seconds": self.orders[0]}
        windows["orders_per_day"] = self.orders[1]
        for name, limit in limits.items():
            windows[name].limit = limit

    def _refuse(self, address: str, now_ms: int) -> None:
        if self._refused.add(address, 1, now_ms) > self._refused.limit:
            self._refused.forget(address)
            still = {other: until_ms for other, until_ms in self._banned_until_ms.items() if until_ms > now_ms}
            self._banned_until_ms = still | {address: now_ms + int(self.limits.ban_seconds * 1_000)}

    def order_rows(self, account: int, now_ms: int) -> list[dict[str, Any]]:
        """The order limits as Binance lists them, with what is used of them."""
        shapes = (("SECOND", 10), ("DAY", 1))
        return [
            _row("ORDERS", interval, number, window.limit, window.count(account, now_ms))
            for window, (interval, number) in zip(self.orders, shapes, strict=True)
        ]

    def weight_row(self, address: str, now_ms: int) -> dict[str, Any]:
        """The weight limit with what is used of it."""
        return _row("REQUEST_WEIGHT", "MINUTE", 1, self.weight.limit, self.weight.count(address, now_ms))

    def announced(self, interface: Interface) -> list[dict[str, Any]]:
        """The limits of an interface, as its exchangeInfo announces them: each has one of its own."""
        limits = self.limits
        own = {
            "REST": ("RAW_REQUESTS", limits.raw_requests_per_5_minutes),
            "API": ("CONNECTIONS", limits.connections_per_5_minutes),
        }
        kind, limit = own[interface]
        return [
            _row("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_per_minute, None),
            _row("ORDERS", "SECOND", 10, limits.orders_per_10_seconds, None),
            _row("ORDERS", "DAY", 1, limits.orders_per_day, None),
            _row(kind, "MINUTE", 5, limit, None),
        ]


def _row(kind: str, interval: str, number: int, limit: int, count: int | None) -> dict[str, Any]:
    row: dict[str, Any] = {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
    return row if count is None else {**row, "count": count}
