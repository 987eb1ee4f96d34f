"""Orders and the account at Binance Spot, over the WebSocket API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import aiohttp
import msgspec

from tradewind.errors import exception
from tradewind.venues.backoff import Backoff
from tradewind.venues.binance_spot.protocol import LIMITS, MILLISECOND_NS, Urls, server_offset_ns
from tradewind.venues.credentials import Credentials
from tradewind.venues.interface import AccountSink, FillReport, NewOrder, OrderReport, OrderState

_UNKNOWN_FATE = (-1000, -1001, -1006, -1007)
"""Codes after which the order may or may not be there (errors.md); so may it be after any status of 500 and more."""
_KEY_REFUSED = (-2014, -2015)
_NO_SUCH_ORDER = -2013
_REASONS = (
    ("insufficient balance", "insufficient_funds"),
    ("immediately match", "would_take"),
    ("NOTIONAL", "below_minimum_notional"),
    ("LOT_SIZE", "off_grid"),
    ("PRICE_FILTER", "off_grid"),
    ("Market is closed", "market_halted"),
)
_STATES: Mapping[str, Literal["open", "filled", "cancelled", "expired", "rejected"]] = {
    "NEW": "open",
    "PENDING_NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "filled",
    "CANCELED": "cancelled",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}
_ENCODER = msgspec.json.Encoder()


class VenueError(Exception):
    """What the venue answered in the place of a result."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    @property
    def leaves_fate_unknown(self) -> bool:
        """Whether what was asked for may have happened all the same."""
        return self.status >= 500 or self.code in _UNKNOWN_FATE


class _DisconnectedError(Exception):
    """The connection ended before an answer came."""


class BinanceSpotExecution:
    """Orders and the account, over one connection of the WebSocket API.

    Parameters
    ----------
    credentials
        The key; with an Ed25519 key the connection is logged on once, else every request is signed.
    urls
        Where the venue is.

    """

    def __init__(self, credentials: Credentials, urls: Urls | None = None) -> None:
        self._credentials = credentials
        self._urls = urls or Urls()
        self._offset_ms = 0
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._logged_on = False
        self._sink: AccountSink | None = None
        self._number = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._placing: dict[int, str] = {}
        self._cancelling: dict[int, str] = {}
        self._accepted: dict[str, None] = {}
        self._seen_fills: dict[tuple[str, int], None] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, sink: AccountSink) -> None:
        """Keep the connection and feed the sink until cancelled."""
        self._sink = sink
        backoff = Backoff()
        async with aiohttp.ClientSession(connector=self._urls.connector()) as client:
            while True:
                try:
                    self._offset_ms = await server_offset_ns(self._urls) // MILLISECOND_NS
                    await self._connection(client, sink, backoff)
                except VenueError as error:
                    if error.code in _KEY_REFUSED:
                        sink.credentials_lost(str(error))
                except (aiohttp.ClientError, OSError, TimeoutError, _DisconnectedError):
                    pass  # it is tried again; the sink learns that the connection is gone
                finally:
                    self._drop(sink)
                await asyncio.sleep(backoff.next_seconds())

    async def _connection(self, client: aiohttp.ClientSession, sink: AccountSink, backoff: Backoff) -> None:
        silent = aiohttp.ClientWSTimeout(ws_receive=LIMITS["silent_seconds"], ws_close=2)
        ends = time.monotonic() + LIMITS["life_seconds"]
        async with client.ws_connect(self._urls.api, timeout=silent, max_msg_size=64 * 2**20, compress=0) as socket:
            self._socket = socket
            reader = asyncio.get_running_loop().create_task(self._read(socket, ends))
            try:
                if self._credentials.is_ed25519:
                    await self._ask("session.logon", {}, signed=True)
                    self._logged_on = True
                    await self._ask("userDataStream.subscribe", {}, signed=False)
                else:
                    await self._ask("userDataStream.subscribe.signature", {}, signed=True)
                backoff.reset()
                sink.account_connected(is_connected=True)
                await reader
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, ends: float) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT or not self._take(message.data):
                return
            if time.monotonic() > ends and not self._placing:
                return

    def _drop(self, sink: AccountSink) -> None:
        """What was sent and not answered may or may not have arrived (law 7)."""
        self._socket, self._logged_on = None, False
        waiting, self._answers = self._answers, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(_DisconnectedError())
                future.exception()  # nobody may be waiting any more
        lost = [*self._placing.values(), *self._cancelling.values()]
        self._placing, self._cancelling = {}, {}
        sink.account_connected(is_connected=False)
        for client_id in dict.fromkeys(lost):
            sink.order(OrderReport(client_id, "lost", message="the connection ended before an answer"))

    def place(self, order: NewOrder) -> None:
        """Send an order at once, without waiting."""
        parameters: dict[str, Any] = {
            "symbol": order.symbol,
            "side": order.side.upper(),
            "quantity": order.quantity,
            "newClientOrderId": order.client_id,
            "newOrderRespType": "ACK",
        }
        if order.price is None:
            parameters["type"] = "MARKET"
        elif order.time_in_force == "post_only":
            parameters |= {"type": "LIMIT_MAKER", "price": order.price}
        else:
            parameters |= {"type": "LIMIT", "price": order.price, "timeInForce": order.time_in_force.upper()}
        self._send_order("order.place", order.client_id, parameters, self._placing)

    def cancel(self, client_id: str, symbol: str) -> None:
        """Ask to cancel an order at once, without waiting."""
        parameters = {"symbol": symbol, "origClientOrderId": client_id}
        self._send_order("order.cancel", client_id, parameters, self._cancelling)

    def _send_order(self, method: str, client_id: str, parameters: dict[str, Any], kept: dict[int, str]) -> None:
        loop = asyncio.get_running_loop()
        socket = self._socket
        if socket is None or socket.closed:
            kind: Literal["rejected", "cancel_rejected"] = "rejected" if kept is self._placing else "cancel_rejected"
            loop.call_soon(self._report, OrderReport(client_id, kind, "venue_disconnected"))
            return
        number = self._next()
        kept[number] = client_id
        task = loop.create_task(socket.send_str(self._frame(number, method, parameters, signed=True)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        loop.call_later(LIMITS["answer_seconds"], self._overdue, number, kept)

    def _overdue(self, number: int, kept: dict[int, str]) -> None:
        client_id = kept.pop(number, None)
        if client_id is not None:
            self._report(OrderReport(client_id, "lost", message="no answer in time"))

    def _report(self, report: OrderReport) -> None:
        if self._sink is not None:
            self._sink.order(report)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _frame(self, number: int, method: str, parameters: dict[str, Any], *, signed: bool) -> str:
        if signed:
            parameters["timestamp"] = time.time_ns() // MILLISECOND_NS + self._offset_ms
            parameters["recvWindow"] = LIMITS["receive_window_ms"]
            if not self._logged_on:
                parameters["apiKey"] = self._credentials.key
                payload = "&".join(f"{key}={parameters[key]}" for key in sorted(parameters))
                parameters["signature"] = self._credentials.sign(payload.encode())
        request = {"id": number, "method": method, "params": parameters}
        return _ENCODER.encode(request).decode()

    async def _ask(self, method: str, parameters: dict[str, Any], *, signed: bool) -> Any:
        """A request whose answer is waited for."""
        socket = self._socket
        if socket is None or socket.closed:
            raise _DisconnectedError
        number = self._next()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        try:
            await socket.send_str(self._frame(number, method, dict(parameters), signed=signed))
            return await asyncio.wait_for(future, LIMITS["answer_seconds"])
        finally:
            self._answers.pop(number, None)

    def _take(self, text: str) -> bool:
        """Take a message; false where the connection is about to end."""
        sink = self._sink
        if sink is None:
            return False
        try:
            message = msgspec.json.decode(text)
            if not isinstance(message, dict):
                raise msgspec.DecodeError("not an object")
            if isinstance(event := message.get("event"), dict):
                return self._event(event, sink)
            number = message.get("id")
            if isinstance(number, int):
                self._answer(number, message)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, ArithmeticError):
            # What cannot be read is not guessed: the state is asked for anew after a reconnect.
            return False
        return True

    def _answer(self, number: int, message: dict[str, Any]) -> None:
        status = int(message["status"])
        error = None
        if status != 200:
            error = VenueError(status, int(message["error"]["code"]), str(message["error"]["msg"]))
            if error.code in _KEY_REFUSED and self._sink is not None:
                self._sink.credentials_lost(str(error))
        if number in self._placing:
            self._placed(self._placing.pop(number), error, message.get("result") or {})
        elif number in self._cancelling:
            client_id = self._cancelling.pop(number)
            if error is not None:
                # A success is reported by the event of the order.
                kind: Literal["lost", "cancel_rejected"] = "lost" if error.leaves_fate_unknown else "cancel_rejected"
                self._report(OrderReport(client_id, kind, "order_not_open", message=str(error)))
        elif (future := self._answers.get(number)) is not None and not future.done():
            if error is None:
                future.set_result(message.get("result"))
            else:
                future.set_exception(error)

    def _placed(self, client_id: str, error: VenueError | None, result: dict[str, Any]) -> None:
        if error is None:
            self._accept(client_id, int(result["transactTime"]) * MILLISECOND_NS)
        elif error.leaves_fate_unknown:
            self._report(OrderReport(client_id, "lost", message=str(error)))
        else:
            self._report(OrderReport(client_id, "rejected", _reason(error.message), message=str(error)))

    def _accept(self, client_id: str, venue_time_ns: int) -> None:
        """Report once that the venue has the order: its event may come before the answer (F30)."""
        if client_id in self._accepted:
            return
        _remember(self._accepted, client_id)
        self._report(OrderReport(client_id, "accepted", venue_time_ns=venue_time_ns))

    def _event(self, event: dict[str, Any], sink: AccountSink) -> bool:
        match event["e"]:
            case "executionReport":
                self._execution(event, sink)
            case "outboundAccountPosition":
                sink.balances({one["a"]: Decimal(one["f"]) + Decimal(one["l"]) for one in event["B"]})
            case "serverShutdown" | "eventStreamTerminated":
                return False
        return True

    def _execution(self, event: dict[str, Any], sink: AccountSink) -> None:
        time_ns = int(event["T"]) * MILLISECOND_NS
        # On a cancel, `c` is the id of the cancel and `C` that of the order.
        client_id = event["C"] or event["c"]
        match event["x"]:
            case "NEW":
                self._accept(client_id, time_ns)
            case "TRADE":
                self._accept(client_id, time_ns)
                self._fill(
                    FillReport(
                        client_id=client_id,
                        trade_id=int(event["t"]),
                        symbol=event["s"],
                        side="buy" if event["S"] == "BUY" else "sell",
                        price=event["L"],
                        quantity=event["l"],
                        is_maker=bool(event["m"]),
                        fee=event["n"],
                        fee_asset=event["N"] or "",
                        venue_time_ns=time_ns,
                    ),
                    sink,
                )
            case "CANCELED" | "REPLACED":
                sink.order(OrderReport(client_id, "cancelled", "requested", time_ns))
            case "EXPIRED" | "TRADE_PREVENTION":
                self._accept(client_id, time_ns)
                reason = "no_liquidity" if Decimal(event["z"]) == 0 else "immediate_or_cancel"
                sink.order(OrderReport(client_id, "cancelled", reason, time_ns))
            case "REJECTED":
                sink.order(OrderReport(client_id, "rejected", "venue_rejected", time_ns, str(event["r"])))

    def _fill(self, fill: FillReport, sink: AccountSink) -> None:
        key = (fill.symbol, fill.trade_id)
        if key not in self._seen_fills:
            _remember(self._seen_fills, key)
            sink.fill(fill)

    async def order(self, client_id: str, symbol: str) -> OrderState | None:
        """What the venue knows of an order of ours; None where it does not know it."""
        try:
            found = await self._ask("order.status", {"symbol": symbol, "origClientOrderId": client_id}, signed=True)
        except VenueError as error:
            if error.code == _NO_SUCH_ORDER:
                return None
            raise _unanswered(error) from None
        except (_DisconnectedError, TimeoutError):
            raise exception("venue_disconnected", "the venue was asked for an order and did not answer") from None
        fills: tuple[FillReport, ...] = ()
        if Decimal(found["executedQty"]) > 0:
            try:
                trades = await self._ask("myTrades", {"symbol": symbol, "orderId": found["orderId"]}, signed=True)
            except VenueError as error:
                raise _unanswered(error) from None
            except (_DisconnectedError, TimeoutError):
                raise exception("venue_disconnected", "the venue was asked for fills and did not answer") from None
            fills = tuple(_past_fill(client_id, one) for one in trades)
        return OrderState(client_id, _STATES[found["status"]], fills)

    async def open_orders(self) -> list[tuple[str, str]]:
        """The client ids and symbols of the account's open orders, ours and others."""
        try:
            found = await self._ask("openOrders.status", {}, signed=True)
        except VenueError as error:
            raise _unanswered(error) from None
        except (_DisconnectedError, TimeoutError):
            raise exception("venue_disconnected", "the venue was asked for open orders and did not answer") from None
        return [(one["clientOrderId"], one["symbol"]) for one in found]

    async def balances(self) -> dict[str, Decimal]:
        """What the account holds, by asset."""
        try:
            found = await self._ask("account.status", {"omitZeroBalances": "true"}, signed=True)
        except VenueError as error:
            raise _unanswered(error) from None
        except (_DisconnectedError, TimeoutError):
            raise exception("venue_disconnected", "the venue was asked for balances and did not answer") from None
        return {one["asset"]: Decimal(one["free"]) + Decimal(one["locked"]) for one in found["balances"]}


def _past_fill(client_id: str, trade: dict[str, Any]) -> FillReport:
    return FillReport(
        client_id=client_id,
        trade_id=int(trade["id"]),
        symbol=trade["symbol"],
        side="buy" if trade["isBuyer"] else "sell",
        price=trade["price"],
        quantity=trade["qty"],
        is_maker=bool(trade["isMaker"]),
        fee=trade["commission"],
        fee_asset=trade["commissionAsset"],
        venue_time_ns=int(trade["time"]) * MILLISECOND_NS,
    )


def _reason(message: str) -> str:
    return next((reason for part, reason in _REASONS if part in message), "venue_rejected")


def _unanswered(error: VenueError) -> Exception:
    return exception("venue_disconnected", f"the venue did not answer what it was asked: {error}")


_MOST_REMEMBERED = 20_000


def _remember(kept: dict[Any, None], key: Any) -> None:
    """Keep the newest keys only: a session may last for months."""
    kept[key] = None
    if len(kept) > _MOST_REMEMBERED:
        del kept[next(iter(kept))]
