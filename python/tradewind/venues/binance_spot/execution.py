"""Binance Spot: orders and the account, over its WebSocket API."""

from __future__ import annotations

import asyncio
import itertools
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Set
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from tradewind.errors import TradewindError, exception
from tradewind.times import DAY_NS
from tradewind.venues.binance_spot.account import (
    AccountPosition,
    AccountReader,
    BalanceUpdate,
    ExecutionReport,
    exact,
    side_of,
    status_of,
)
from tradewind.venues.binance_spot.errors import code_of
from tradewind.venues.binance_spot.market import make_rest, server_time_ns
from tradewind.venues.binance_spot.signing import (
    Parameters,
    cancel_parameters,
    order_parameters,
    signed,
    signed_query,
)
from tradewind.venues.connection.clock import VenueClock
from tradewind.venues.connection.rest import VenueError, read_by
from tradewind.venues.connection.websocket import Channel, Link
from tradewind.venues.constants import constants
from tradewind.venues.credentials import Credentials
from tradewind.venues.interface import (
    AccountStatus,
    Balance,
    CancelRejected,
    CancelRequest,
    ClockStatus,
    Commission,
    Execution,
    Filled,
    OrderRequest,
    OrderState,
    Rejected,
    Report,
    ReportSink,
    Unknown,
)
from tradewind.venues.streaming import budget

_Answer = TypeVar("_Answer")
_VENUE = "binance_spot"
_MILLISECOND_NS = 1_000_000
_SERVER_ERROR = 500
_CLOCK_SECONDS = 60.0
_SWEEP_SECONDS = 0.5
_READ_LAG_SECONDS = 2.0
_LOGON, _SUBSCRIBE, _PLACE, _CANCEL, _QUESTION = "logon", "subscribe", "p", "c", "q"
_FITS = re.compile(r"[a-zA-Z0-9_-]{1,35}")
"""Client ids that can be told in a request's own id: 36 letters with the one before it, and fewer kinds of them."""
_OK = 200
_PAGE = 1_000
_ABOUT_NS = 300 * 1_000_000_000
"""How far the venue's time of an order may be from ours."""
_MOST_CHANGED = 50
"""So many orders are asked about that somebody may have amended."""
_NOT_FOUND = 404
_TOO_MUCH = -1003


class _Limit(Struct):
    """When a ban ends, in milliseconds since 1970."""

    retryAfter: int = 0  # noqa: N815 - Binance's name


class _Request(Struct):
    """A request over the WebSocket API."""

    id: str
    method: str
    params: Parameters | dict[str, Any]


class _Error(Struct):
    code: int = 0
    msg: str = ""
    data: _Limit | None = None


class _Message(Struct):
    """An answer has an id, an event has none."""

    id: str | int | None = None
    status: int = 0
    result: Raw = Raw(b"null")
    error: _Error | None = None
    event: Raw = Raw(b"")


class _Done(Struct):
    """What the answers to orders and cancels have in common."""

    symbol: str
    orderId: int  # noqa: N815 - Binance's name
    transactTime: int  # noqa: N815


class _Cancelled(_Done):
    """What the answer to a cancel says besides: how much was filled in all."""

    executedQty: str  # noqa: N815


class _Kind(Struct):
    e: str = ""


_read = msgspec.json.Decoder(_Message).decode
_read_done = msgspec.json.Decoder(_Done).decode
_read_cancelled = msgspec.json.Decoder(_Cancelled).decode
_read_kind = msgspec.json.Decoder(_Kind).decode
_read_execution = msgspec.json.Decoder(ExecutionReport).decode
_read_position = msgspec.json.Decoder(AccountPosition).decode
_read_transfer = msgspec.json.Decoder(BalanceUpdate).decode
_encode = msgspec.json.Encoder().encode


class BinanceSpotExecution(Execution):
    """Orders and the account at Binance Spot.

    Parameters
    ----------
    credentials
        Of the account. With an Ed25519 key the connection logs on once; otherwise each request is signed.
    api_url, rest_url
        Where it is; Binance itself where they are not stated.
    clock
        The venue's clock, to be shared with its market data.
    patience_seconds
        An order without an answer for so long is of unknown fate.
    receive_window_ms
        How late a request may reach the venue and still count.

    """

    venue = _VENUE

    def __init__(
        self,
        credentials: Credentials,
        *,
        api_url: str = "",
        rest_url: str = "",
        clock: VenueClock | None = None,
        patience_seconds: float = 5.0,
        receive_window_ms: int = 5_000,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        words = constants(_VENUE)
        self.clock = clock or VenueClock()
        self._credentials = credentials
        self._patience_ns = int(patience_seconds * 1e9)
        self._window = receive_window_ms
        self.fate_seconds = receive_window_ms / 1_000 + _READ_LAG_SECONDS
        self._rest = make_rest(rest_url, self.clock, sign=self._sign_query, ssl_context=ssl_context)
        self._credential_errors = frozenset(words["errors"]["credentials"])
        self._missing_errors = frozenset(words["errors"]["missing"])
        self._unknown_errors = frozenset(words["errors"]["unknown"])
        self._signature_error = words["errors"]["signature"]
        self._clock_error = words["errors"]["clock"]
        self._link = Link(
            api_url or words["urls"]["api"],
            self._opened,
            self._received,
            self._lost,
            budget(_VENUE, words["connections"]),
            lifetime_seconds=words["stream"]["lifetime_seconds"],
            ssl_context=ssl_context,
        )
        self._has_been_ready = False
        self._is_logged_on = credentials.kind == "ed25519"
        self._is_over = False
        # What was sent and not answered, and when it was.
        self._pending: dict[str, int] = {}
        # Client ids of others that no request's id can hold, by what stands in their place.
        self._others: dict[str, str] = {}
        self._logons: dict[Channel, int] = {}
        self._questions: dict[str, asyncio.Future[Any]] = {}
        self._asked = itertools.count()
        # The earlier client ids of orders that somebody may have amended.
        self._earlier: dict[tuple[str, str], Set[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sink: ReportSink
        self._reader: AccountReader

    # The interface.

    async def account(self) -> str:
        """The account's number, which all of its keys share."""
        try:
            asked = {"omitZeroBalances": "true"}
            return await self._as_own_once(lambda: self._rest.read("/api/v3/account", _account, asked, is_signed=True))
        finally:
            # What is prepared may never run; it connects anew when it does.
            await self._rest.close()

    async def start(self, sink: ReportSink, is_own: Callable[[str], bool]) -> None:
        """Connect, log on and subscribe to the account's events; the sink is told when that is done."""
        self._sink = sink
        self._reader = AccountReader(_VENUE, is_own)
        # No clock is waited for: where ours is wrong the venue refuses the logon, and is then asked for its time.
        self._link.start()
        self._start_task(self._sweep())
        self._start_task(self._compare_on())

    async def close(self) -> None:
        """Disconnect; what was not answered is of unknown fate."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._link.close()
        self._fate_unknown("the connection was closed before an answer")
        await self._rest.close()

    def place(self, order: OrderRequest) -> None:
        """Write the order to the socket now; not while the venue has banned us, which would make the ban longer."""
        if (seconds := self._rest.allowance.pause_seconds) > 0:
            reason = f"the venue takes no requests for {seconds:.0f} s; nothing was sent"
            self._sink(Rejected(order.client_id, "rate_limited", reason, self.clock()))
            return
        channel = self._ready
        number = _PLACE + order.client_id
        if channel is None or not channel.send(self._render("order.place", number, order_parameters(order))):
            reason = "there is no connection to the venue; nothing was sent"
            self._sink(Rejected(order.client_id, "unreachable", reason, self.clock()))
            return
        self._pending[number] = self.clock.monotonic_ns()

    def rehearse(self, order: OrderRequest) -> None:
        """Render the order, unless it would have to be signed, which takes too long."""
        if self._is_logged_on:
            self._render("order.place", _PLACE + order.client_id, order_parameters(order))

    def cancel(self, order: CancelRequest) -> None:
        """Write the cancel to the socket now."""
        channel = self._ready
        number = _CANCEL + self._told_as(order.client_id)
        parameters = cancel_parameters(order, self._reader.number_of(order.client_id))
        if channel is None or not channel.send(self._render("order.cancel", number, parameters)):
            reason = "there is no connection to the venue; nothing was sent"
            self._sink(CancelRejected(order.client_id, "unreachable", reason, self.clock()))
            return
        self._pending[number] = self.clock.monotonic_ns()

    async def open_orders(self) -> list[OrderState]:
        """All open orders of the account."""
        return await self._orders("/api/v3/openOrders")

    async def open_orders_quickly(self) -> list[OrderState]:
        """All open orders, over the connection on which they are cancelled, and over REST where that does not tell."""
        method = "openOrders.status"
        try:
            answer = await self._asked_on(self._ready, method, self._signed_times())
            return self._named(read_by(_states, method, answer))
        except TradewindError as error:
            self._sink(AccountStatus("error", f"asked over REST instead: {error.message}"))
        return await self.open_orders()

    async def cancel_otherwise(self, order: CancelRequest) -> None:
        """Cancel an order over REST."""
        parameters = {"symbol": order.symbol} | self._named_order(order.client_id)
        try:
            await self._as_own(lambda: self._rest.delete("/api/v3/order", parameters))
        except VenueError as error:
            if code_of(error.number, str(error)) != "order_not_open":
                raise

    async def order(self, client_id: str, instrument: str) -> OrderState | None:
        """The order of a client id; the venue may not know one yet that it took just now (F29)."""
        asked = {"symbol": _symbol(instrument)} | self._named_order(client_id)
        try:
            found = await self._ask("/api/v3/order", _state, asked)
        except VenueError as error:
            if error.number in self._missing_errors:
                return None
            raise
        # Of a cancelled order the venue names the id of the cancel.
        return msgspec.structs.replace(found, client_id=client_id)

    async def find_order(self, client_id: str, instrument: str, sent_ns: int) -> OrderState | None:
        """The order of a client id that the venue may have altered (F36), among all those of about a time.

        One that another client of the account has amended has got another id.
        """
        changed = list[OrderState]()
        async for one in self._orders_between(instrument, sent_ns - _ABOUT_NS, sent_ns + _ABOUT_NS):
            if one.client_id == client_id:
                return one
            if self._may_be_amended(one):
                changed.append(one)
        for one in changed[:_MOST_CHANGED]:
            if client_id in await self._earlier_names(one):
                self._reader.remember(client_id, _symbol(instrument), int(one.venue_order_id))
                return msgspec.structs.replace(one, client_id=client_id)
        return None

    def _may_be_amended(self, order: OrderState) -> bool:
        """Whether it is a limit order of others that was changed since it came, and did not come to nothing."""
        is_changed = order.price is not None and order.venue_time_ns != order.created_ns
        counts = order.status in ("open", "partly_filled") or exact(str(order.filled)) > 0
        return is_changed and counts and not self._reader.is_own(order.client_id)

    async def _earlier_names(self, order: OrderState) -> Set[str]:
        """The client ids that an order had before it was amended, in small letters; asked once of each."""
        key = order.instrument, order.venue_order_id
        if key not in self._earlier:
            asked = {"symbol": _symbol(order.instrument), "orderId": order.venue_order_id}
            try:
                names = await self._ask("/api/v3/order/amendments", _earlier_names, asked)
            except VenueError as error:
                if error.status != _NOT_FOUND and error.number not in self._missing_errors:
                    raise
                names = frozenset()
            self._earlier[key] = names
        return self._earlier[key]

    async def orders_since(self, instrument: str, since_ns: int) -> list[OrderState]:
        """The orders of an instrument that were placed within a day from a time on, closed ones too."""
        return [one async for one in self._orders_between(instrument, since_ns, since_ns + DAY_NS)]

    async def fills(
        self, instrument: str, *, order_id: str = "", since_ns: int = 0, from_id: int | None = None
    ) -> list[Filled]:
        """Fills of an instrument, which do not name their client ids."""
        parameters: dict[str, Any] = {"symbol": _symbol(instrument), "limit": _PAGE}
        if order_id:
            parameters["orderId"] = order_id
        elif from_id is None and since_ns:
            # The venue answers by time for a day at most; the first fill's id leads to all others.
            first = await self._first_fill(parameters, since_ns)
            if first is None:
                return []
            from_id = first
        found: list[Filled] = []
        next_id = from_id or 0
        while True:
            page = await self._trades(parameters | {"fromId": next_id})
            found += page
            if len(page) < _PAGE:
                return found
            next_id = page[-1].trade_id + 1

    async def balances(self) -> list[Balance]:
        """What the account holds: every asset, so that one that is missing is not taken for an empty one (F43)."""
        return await self._ask("/api/v3/account", _balances, {"omitZeroBalances": "false"})

    async def commission(self, instrument: str) -> Commission:
        """The account's fees."""
        return await self._ask(
            "/api/v3/account/commission",
            lambda answer: _commission(instrument, answer),
            {"symbol": _symbol(instrument)},
        )

    async def _ask(
        self, path: str, reader: Callable[[Any], _Answer], parameters: dict[str, Any] | None = None
    ) -> _Answer:
        """Ask in the account's name."""
        return await self._as_own(lambda: self._rest.read(path, reader, parameters, is_signed=True))

    async def _as_own(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Do so in the account's name; where the venue says that our clock is wrong, once more with a right one."""
        try:
            return await self._as_own_once(ask)
        except VenueError as error:
            if error.number != self._clock_error:
                raise
        await self._compare_clocks()
        return await self._as_own_once(ask)

    async def _as_own_once(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        try:
            return await ask()
        except VenueError as error:
            if error.number in self._credential_errors or error.number == self._signature_error:
                raise _refused_key(error) from None
            raise

    def _named_order(self, client_id: str) -> dict[str, Any]:
        """How an order is named: by the venue's number, where it is known."""
        number = self._reader.number_of(client_id)
        return {"origClientOrderId": client_id} if number is None else {"orderId": number}

    async def _orders(self, path: str, parameters: dict[str, Any] | None = None) -> list[OrderState]:
        return self._named(await self._ask(path, _states, parameters))

    async def _orders_between(self, instrument: str, from_ns: int, to_ns: int) -> AsyncIterator[OrderState]:
        """All orders of an instrument that were placed between two times, at most a day apart."""
        asked: dict[str, Any] = {"symbol": _symbol(instrument), "limit": _PAGE}
        first_ms, last_ms = from_ns // _MILLISECOND_NS, to_ns // _MILLISECOND_NS
        named: dict[str, Any] = {"startTime": first_ms, "endTime": last_ms}
        while True:
            try:
                page = await self._orders("/api/v3/allOrders", asked | named)
            except VenueError as error:
                if error.number in self._missing_errors:
                    return
                raise
            for one in page:
                # By which of an order's times Binance goes, its documentation does not say clearly.
                if from_ns <= (one.created_ns or 0) <= to_ns:
                    yield one
            if len(page) < _PAGE or (page[-1].created_ns or 0) > to_ns:
                return
            named = {"orderId": int(page[-1].venue_order_id) + 1}

    def _named(self, orders: list[OrderState]) -> list[OrderState]:
        return [msgspec.structs.replace(one, client_id=self._name(one)) for one in orders]

    def _name(self, order: OrderState) -> str:
        return self._reader.name_of(_symbol(order.instrument), int(order.venue_order_id), order.client_id)

    # Connection.

    @property
    def _ready(self) -> Channel | None:
        """Where requests are sent: the link knows, so that nobody can think otherwise."""
        return None if self._is_over else self._link.ready

    def _opened(self, channel: Channel) -> None:
        self._logons[channel] = self.clock.monotonic_ns()
        if self._is_logged_on:
            self._request(channel, "session.logon", _LOGON, signed(self._credentials, self._times()))
        else:
            self._request(
                channel, "userDataStream.subscribe.signature", _SUBSCRIBE, signed(self._credentials, self._times())
            )

    def _received(self, channel: Channel, data: bytes) -> None:
        try:
            message = _read(data)
            if message.event:
                self._event(channel, message.event)
            elif isinstance(message.id, str):
                self._answer(channel, message.id, message)
            elif message.error is not None:
                self._sink(AccountStatus("error", f"{message.error.code} {message.error.msg}"))
        except (msgspec.DecodeError, ArithmeticError, ValueError) as error:
            self._sink(AccountStatus("error", f"[bad_frame] {error} in {data[:120]!r}"))

    def _lost(self, channel: Channel | None, reason: str) -> None:
        if channel is not None:
            self._logons.pop(channel, None)
        self._fate_unknown(f"the connection was lost before an answer: {reason}")
        if not self._is_over:
            self._sink(AccountStatus("disconnected", reason))

    def _answer(self, channel: Channel, number: str, message: _Message) -> None:
        if number in (_LOGON, _SUBSCRIBE):
            self._logged_on(channel, number, message)
            return
        if number in self._questions:
            self._settle(self._questions[number], message)
            return
        self._pending.pop(number, None)
        client_id, is_place = self._client_id(number), number[0] == _PLACE
        if message.status != _OK:
            self._refused(client_id, is_place, message.status, message.error)
            return
        try:
            reports = self._done(client_id, is_place, message.result)
        except (msgspec.DecodeError, ArithmeticError, ValueError):
            self._sink(Unknown(client_id, "the answer cannot be read"))
            raise
        self._tell(reports)

    def _done(self, client_id: str, is_place: bool, result: Raw) -> list[Report]:
        if is_place:
            placed = _read_done(result)
            return self._reader.accepted(client_id, placed.symbol, placed.orderId, placed.transactTime)
        done = _read_cancelled(result)
        return self._reader.cancelled(client_id, done.transactTime, exact(done.executedQty))

    def _refused(self, client_id: str, is_place: bool, status: int, error: _Error | None) -> None:
        if error is None or not error.code:
            self._sink(Unknown(client_id, f"HTTP {status}, and no reason"))
            return
        code = code_of(error.code, error.msg)
        text = f"{error.code} {error.msg}"
        self._heed_ban(error)
        if error.code in self._unknown_errors or status >= _SERVER_ERROR:
            self._sink(Unknown(client_id, f"HTTP {status}: {text}"))
        elif is_place:
            self._tell(self._reader.rejected(client_id, error.code, error.msg, self.clock()))
        else:
            self._sink(CancelRejected(client_id, code, text, self.clock()))
        if error.code in self._credential_errors:
            self._credentials_lost(text)
        elif error.code == self._clock_error:
            self._start_task(self._compare_clocks())

    def _settle(self, question: asyncio.Future[Any], message: _Message) -> None:
        """Take the answer to a question, unless it was given up just now."""
        if question.done():
            return
        if message.status == _OK:
            question.set_result(msgspec.json.decode(message.result))
            return
        error = message.error or _Error()
        self._heed_ban(error)
        text = f"HTTP {message.status}: {error.code} {error.msg}"
        question.set_exception(VenueError("venue_refused", text, status=message.status, number=error.code))

    def _heed_ban(self, error: _Error) -> None:
        if error.code == _TOO_MUCH and error.data is not None:
            self._rest.allowance.pause(error.data.retryAfter / 1e3 - self.clock() / 1e9)

    def _logged_on(self, channel: Channel, number: str, message: _Message) -> None:
        if message.status == _OK and number == _LOGON:
            self._request(channel, "userDataStream.subscribe", _SUBSCRIBE, {})
            return
        self._logons.pop(channel, None)
        if message.status == _OK:
            self._has_been_ready = True
            # One that was overtaken while it logged on is about to end.
            if channel.deliver():
                self._sink(AccountStatus("connected"))
            return
        error = message.error or _Error()
        # A signature that was never right is a wrong secret; later it is the venue that errs.
        is_wrong_secret = error.code == self._signature_error and not self._has_been_ready
        if error.code in self._credential_errors or is_wrong_secret:
            self._credentials_lost(f"{error.code} {error.msg}")
            return
        self._sink(AccountStatus("error", f"{number}: {error.code} {error.msg}"))
        if error.code == self._clock_error:
            self._start_task(self._end_with_the_time(channel))
        else:
            channel.close()

    def _event(self, channel: Channel, event: Raw) -> None:
        kind = _read_kind(event).e
        if kind == "executionReport":
            self._tell(self._reader.execution(_read_execution(event)))
        elif kind == "outboundAccountPosition":
            self._tell(self._reader.position(_read_position(event)))
        elif kind == "balanceUpdate":
            self._tell(self._reader.transferred(_read_transfer(event)))
        elif kind == "serverShutdown":
            self._link.replace()
        elif kind == "eventStreamTerminated" and channel is self._link.current:  # of an overtaken one it is no news
            channel.is_delivering = False
            self._sink(AccountStatus("stream_ended", "the venue ended the account's events"))
            self._opened(channel)

    def _credentials_lost(self, reason: str) -> None:
        if not self._is_over:
            self._is_over = True
            self._sink(AccountStatus("credentials_lost", reason))
            self._start_task(self._link.close())

    # Requests.

    def _render(self, method: str, number: str, parameters: Parameters) -> bytes:
        parameters.recvWindow, parameters.timestamp = self._window, self._timestamp_ms()
        if self._is_logged_on:
            return _encode(_Request(number, method, parameters))
        return _encode(_Request(number, method, signed(self._credentials, msgspec.to_builtins(parameters))))

    def _request(self, channel: Channel, method: str, number: str, parameters: dict[str, Any]) -> None:
        channel.send(_encode(_Request(number, method, parameters)))

    async def _asked_on(self, channel: Channel | None, method: str, parameters: dict[str, Any]) -> Any:
        """Ask over a connection: it may be quick where REST is slow, or takes no more requests."""
        if channel is None:
            raise exception("unreachable", f"{method}: there is no connection to the venue")
        number = f"{_QUESTION}{next(self._asked)}"
        self._questions[number] = asyncio.get_running_loop().create_future()
        self._request(channel, method, number, parameters)
        try:
            async with asyncio.timeout(self._patience_ns / 1e9):
                return await self._questions[number]
        except TimeoutError:
            raise exception("unreachable", f"{method}: no answer within {self._patience_ns / 1e9:g} s") from None
        finally:
            del self._questions[number]

    def _timestamp_ms(self) -> int:
        # The venue's time as it is, although our clock may stand still until it has been caught up with.
        return (self.clock.monotonic_ns() + self.clock.offset_ns) // _MILLISECOND_NS

    def _times(self) -> dict[str, Any]:
        return {"recvWindow": self._window, "timestamp": self._timestamp_ms()}

    def _signed_times(self) -> dict[str, Any]:
        return self._times() if self._is_logged_on else signed(self._credentials, self._times())

    def _sign_query(self, parameters: dict[str, Any]) -> tuple[str, dict[str, str]]:
        return signed_query(self._credentials, parameters | self._times()), {"X-MBX-APIKEY": self._credentials.api_key}

    def _told_as(self, client_id: str) -> str:
        """A client id as a request's id can hold it."""
        if _FITS.fullmatch(client_id):
            return client_id
        # No client id of ours begins so.
        name = f"-{len(self._others)}"
        self._others[name] = client_id
        return name

    def _client_id(self, number: str) -> str:
        return self._others.get(number[1:], number[1:])

    def _tell(self, reports: list[Report]) -> None:
        for report in reports:
            self._sink(report)

    def _fate_unknown(self, why: str, before_ns: int | None = None) -> None:
        """What was sent and not answered may or may not have been carried out (law 7)."""
        lost = [number for number, sent_ns in self._pending.items() if before_ns is None or sent_ns < before_ns]
        for number in lost:
            del self._pending[number]
            self._sink(Unknown(self._client_id(number), why))

    # In the background.

    def _start_task(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            before_ns = self.clock.monotonic_ns() - self._patience_ns
            self._fate_unknown(f"no answer within {self._patience_ns / 1e9:g} s", before_ns)
            for channel, since_ns in list(self._logons.items()):
                if since_ns < before_ns:
                    del self._logons[channel]
                    channel.close()

    async def _compare_on(self) -> None:
        while True:
            await self._compare_clocks()
            await asyncio.sleep(_CLOCK_SECONDS)

    async def _end_with_the_time(self, channel: Channel) -> None:
        """Ask for the time where a logon was refused for ours, before the connection is made anew."""
        sent_ns = self.clock.monotonic_ns()
        try:
            venue_ns = read_by(server_time_ns, "time", await self._asked_on(channel, "time", {}))
        except TradewindError as error:
            self._sink(AccountStatus("error", f"clocks were not compared: {error.message}"))
        else:
            self.clock.observe(sent_ns, venue_ns, self.clock.monotonic_ns())
            self._tell_clock()
        channel.close()

    async def _compare_clocks(self) -> None:
        try:
            await self._rest.observe_clock("/api/v3/time", server_time_ns)
        except TradewindError as error:
            self._sink(AccountStatus("error", f"clocks were not compared: {error.message}"))
        else:
            self._tell_clock()

    def _tell_clock(self) -> None:
        self._sink(ClockStatus(_VENUE, self.clock.offset_ns, self.clock.uncertainty_ns))

    async def _first_fill(self, parameters: dict[str, Any], since_ns: int) -> int | None:
        day_ms, start, now = 86_400_000, since_ns // _MILLISECOND_NS, self.clock() // _MILLISECOND_NS
        while start <= now:
            times = {"startTime": start, "endTime": min(start + day_ms - 1, now + 1)}
            if page := await self._trades(parameters | times):
                return page[0].trade_id
            start += day_ms
        return None

    async def _trades(self, parameters: dict[str, Any]) -> list[Filled]:
        return await self._ask("/api/v3/myTrades", lambda trades: [_fill(one) for one in trades], parameters)


def _refused_key(error: VenueError) -> VenueError:
    hint = "is the secret that of the key, and may the key be used from this address?"
    return VenueError("bad_credentials", error.message, hint, status=error.status, number=error.number)


def _symbol(instrument: str) -> str:
    return instrument.partition(":")[2]


def _state(order: dict[str, Any]) -> OrderState:
    return OrderState(
        order["clientOrderId"],
        str(order["orderId"]),
        f"{_VENUE}:{order['symbol']}",
        side_of(order["side"]),
        exact(order["origQty"]),
        exact(order["executedQty"]),
        None if order["type"] == "MARKET" else exact(order["price"]),
        status_of(order["status"]),  # type: ignore[arg-type]
        order["updateTime"] * _MILLISECOND_NS,
        order["time"] * _MILLISECOND_NS,
    )


def _states(orders: list[dict[str, Any]]) -> list[OrderState]:
    return [_state(one) for one in orders]


def _earlier_names(amendments: list[dict[str, Any]]) -> Set[str]:
    return frozenset(one["origClientOrderId"].lower() for one in amendments)


def _commission(instrument: str, answer: dict[str, Any]) -> Commission:
    standard, discount = answer["standardCommission"], answer["discount"]
    is_discounted = discount["enabledForAccount"] and discount["enabledForSymbol"]
    return Commission(
        instrument, standard["maker"], standard["taker"], discount["discountAsset"] if is_discounted else None
    )


def _account(answer: dict[str, Any]) -> str:
    return str(answer.get("uid", ""))


def _balances(answer: dict[str, Any]) -> list[Balance]:
    time_ns = answer["updateTime"] * _MILLISECOND_NS
    return [
        Balance(one["asset"], exact(one["free"]) + exact(one["locked"]), exact(one["locked"]), time_ns)
        for one in answer["balances"]
    ]


def _fill(trade: dict[str, Any]) -> Filled:
    return Filled(
        "",
        str(trade["orderId"]),
        int(trade["id"]),
        f"{_VENUE}:{trade['symbol']}",
        "buy" if trade["isBuyer"] else "sell",
        exact(trade["price"]),
        exact(trade["qty"]),
        exact(trade["commission"]),
        trade["commissionAsset"],
        trade["isMaker"],
        trade["time"] * _MILLISECOND_NS,
    )
