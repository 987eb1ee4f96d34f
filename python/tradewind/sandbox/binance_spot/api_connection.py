"""A client's connection to the WebSocket API."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from picows import WSCloseCode

from tradewind.sandbox.account import Account, ApiKey
from tradewind.sandbox.binance_spot import answer
from tradewind.sandbox.binance_spot.call import Method
from tradewind.sandbox.binance_spot.connection import Connection, framed
from tradewind.sandbox.binance_spot.failure import Failure, mandatory, unpermitted
from tradewind.sandbox.binance_spot.faulty import SilenceError, seconds_after, seconds_before
from tradewind.sandbox.binance_spot.signature import is_signed, sorted_payload

if TYPE_CHECKING:
    from tradewind.sandbox.server import Server

_MOST_SUBSCRIPTIONS = 1_000
_LAST_SUBSCRIPTION = 65_535
_ID = re.compile(rb'null|-?[0-9]{1,19}|"[a-zA-Z0-9\-_]{1,36}"')
_ERROR_ID_PATTERN = r"'^[a-zA-Z0-9-_]{1,36}$'"


@dataclass(frozen=True, slots=True)
class _Subscription:
    """Whose user data are sent, by which key, and whether it is that of a session."""

    key: ApiKey
    of_session: bool


class _Request(msgspec.Struct):
    id: msgspec.Raw
    method: str
    params: dict[str, msgspec.Raw] = {}


_decode = msgspec.json.Decoder(_Request).decode
_decode_text = msgspec.json.Decoder(str).decode


class ApiConnection(Connection):
    """Requests and their answers, a session, and user data."""

    def __init__(self, server: Server, address: str, scale: int, return_limits: bool) -> None:
        super().__init__(server, address)
        self.scale = scale
        self._subscriptions: dict[int, _Subscription] = {}
        self._return_limits = return_limits
        self._session: ApiKey | None = None
        self._authorized_ms = 0
        self._connected_ms = server.clock.now_ns() // 1_000_000
        self._next_subscription = 0
        self._own: dict[str, tuple[Callable[[dict[str, str]], Any], int]] = {
            "session.logon": (self._log_on, 2),
            "session.status": (self._status, 2),
            "session.logout": (self._log_out, 2),
            "session.subscriptions": (self._list_subscriptions, 2),
            "userDataStream.subscribe": (self._subscribe, 2),
            "userDataStream.subscribe.signature": (self._subscribe_signed, 2),
            "userDataStream.unsubscribe": (self._unsubscribe, 2),
        }

    def ended(self) -> None:
        """No user data any more."""
        for one in self._subscriptions.values():
            self.server.users.remove(one.key.account, self)
        self._subscriptions.clear()

    def farewell(self) -> bytes:
        """``serverShutdown``, as it comes on the WebSocket API."""
        return msgspec.json.encode({"event": {"e": "serverShutdown", "E": self.server.clock.now_ns() // self.scale}})

    def received(self, message: bytes) -> None:
        """Answer a request."""
        try:
            request = _decode(message)
            values = {name: _text(raw) for name, raw in request.params.items()}
            id_ = bytes(request.id)
            if not _ID.fullmatch(id_):
                raise ValueError("id")
        except (ValueError, RecursionError) as error:
            self._malformed(error)
            return
        name = request.method.removeprefix("v3/")
        if wait_seconds := seconds_before(self.server.faults, name):
            self._loop.call_later(wait_seconds, self._answer, id_, name, values)
        else:
            self._answer(id_, name, values)

    def _malformed(self, error: Exception) -> None:
        text = str(error)
        if text == "id":
            failure = Failure(-1100, f"Illegal characters found in parameter 'id'; legal range is {_ERROR_ID_PATTERN}.")
        elif "missing required field" in text:
            failure = mandatory("method" if "method" in text else "id")
        else:
            failure = Failure(-1135, "Invalid JSON Request")
        self._reply(b"null", 400, b"error", msgspec.json.encode(failure.body()), b"")

    def _answer(self, id_: bytes, name: str, values: dict[str, str]) -> None:
        venue, server = self.server.venue, self.server
        now_ms = venue.clock.now_ns() // 1_000_000
        method = venue.by_name.get(name)
        signer: Account | None = None
        return_limits = values.get("returnRateLimits", str(self._return_limits).lower()) != "false"
        own = self._own.get(name)
        try:
            weight = own[1] if own else method.weight_of(values) if method else 1
            venue.meter.charge(self.address, weight, now_ms, "API")
            if own is not None:
                result = own[0](values)
            elif method is None:
                raise Failure(-1000, "Unknown method.", 400)
            else:
                if method.security != "NONE":
                    signer = server.exchange.accounts[self._signed(values, method.security).account]
                # It was signed with the others.
                values.pop("returnRateLimits", None)
                result = venue.carry_out(method, values, self.address, self.scale, signer)
            status, field, body = 200, b"result", msgspec.json.encode(result)
        except Failure as failure:
            status, field, body = failure.status, b"error", msgspec.json.encode(failure.body())
        except SilenceError:
            return
        limits = self._limits(method, signer, now_ms) if return_limits else b""
        if delay_seconds := seconds_after(server.faults, name):
            self._loop.call_later(delay_seconds, self._reply, id_, status, field, body, limits)
            return
        self._reply(id_, status, field, body, limits)
        if status == 418:
            self.end(WSCloseCode.POLICY_VIOLATION, "IP banned")

    def _reply(self, id_: bytes, status: int, field: bytes, body: bytes, limits: bytes) -> None:
        rest = b',"rateLimits":' + limits + b"}" if limits else b"}"
        self.send(framed(b'{"id":%b,"status":%d,"%b":%b%b' % (id_, status, field, body, rest)))
        if self._session is not None and not self._session.reading:
            # The first request after its key was taken away ends a session, in these words.
            self._end_session()
            self._reply(b"null", 401, b"error", msgspec.json.encode(unpermitted().body()), b"")

    def _limits(self, method: Method | None, signer: Account | None, now_ms: int) -> bytes:
        meter = self.server.venue.meter
        rows = [meter.weight_row(self.address, now_ms)]
        if method is not None and method.is_placement and signer is not None:
            rows = meter.order_rows(signer.number, now_ms) + rows
        return msgspec.json.encode(rows)

    # Who asks

    def _signed(self, values: dict[str, str], security: str) -> ApiKey:
        """The key that a request is signed with, or that of the session."""
        venue = self.server.venue
        session = self._session
        if "apiKey" not in values and "signature" not in values and session is not None:
            # A session's requests need no signature, but a timestamp.
            key = venue.key(session.key, security)
            venue.check_time(values)
            return key
        if "apiKey" not in values and session is not None:
            values["apiKey"] = session.key
        key = venue.key(values.get("apiKey"), security)
        if not values.get("signature"):
            raise mandatory("signature")
        venue.check_time(values)
        if not is_signed(key, sorted_payload(values), values["signature"]):
            raise Failure(-1022, "Signature for this request is not valid.")
        return key

    def _check_logons(self) -> None:
        switch = self.server.faults.fires("logon_refused")
        if switch is not None:
            given = switch.parameters
            message = str(given.get("message", "An unknown error occurred while processing the request."))
            raise Failure(int(given.get("code", -1000)), message, int(given.get("status", 500)))

    def _log_on(self, values: dict[str, str]) -> dict[str, Any]:
        self._check_logons()
        key = self._signed(values, "USER_DATA")
        if key.kind != "ED25519":
            raise Failure(-4056, f"{'RSA' if key.kind == 'RSA' else 'HMAC_SHA256'} API key is not supported.")
        self._session = key
        self._authorized_ms = self.server.clock.now_ns() // 1_000_000
        return self._status(values)

    def _status(self, values: dict[str, str]) -> dict[str, Any]:
        scale = 1_000_000 // self.scale
        known = self._session
        return {
            "apiKey": known.key if known else None,
            "authorizedSince": self._authorized_ms * scale if known else None,
            "connectedSince": self._connected_ms * scale,
            "returnRateLimits": self._return_limits,
            "serverTime": self.server.clock.now_ns() // self.scale,
            "userDataStream": bool(self._subscriptions),
        }

    def _log_out(self, values: dict[str, str]) -> dict[str, Any]:
        self._end_session()
        return self._status(values)

    def _end_session(self) -> None:
        """Forget the key; subscriptions that were signed for themselves go on."""
        self._terminate_those(lambda one: one.of_session)
        self._session = None

    # User data

    def _list_subscriptions(self, values: dict[str, str]) -> list[dict[str, int]]:
        return [{"subscriptionId": number} for number in self._subscriptions]

    def _subscribe(self, values: dict[str, str]) -> dict[str, int]:
        if self._session is None:
            raise unpermitted()
        return self._begin(_Subscription(self.server.venue.key(self._session.key, "USER_DATA"), of_session=True))

    def _subscribe_signed(self, values: dict[str, str]) -> dict[str, int]:
        self._check_logons()
        if "apiKey" not in values:
            raise mandatory("apiKey")
        return self._begin(_Subscription(self._signed(values, "USER_DATA"), of_session=False))

    def _begin(self, wanted: _Subscription) -> dict[str, int]:
        account = wanted.key.account
        if any(one.key.account == account for one in self._subscriptions.values()):
            raise Failure(-2035, "Subscription already active on this connection.")
        if self._next_subscription > _LAST_SUBSCRIPTION or len(self._subscriptions) >= _MOST_SUBSCRIPTIONS:
            raise Failure(-2042, "Maximum subscription ID reached for this connection.")
        number = self._next_subscription
        self._next_subscription += 1
        self._subscriptions[number] = wanted
        self.server.users.add(account, self, number)
        return {"subscriptionId": number}

    def _unsubscribe(self, values: dict[str, str]) -> dict[str, Any]:
        text = values.get("subscriptionId")
        numbers = [number for number in self._subscriptions if text in (None, str(number))]
        if not numbers:
            raise Failure(-2036, "Subscription not active on this connection.")
        for number in numbers:
            self._terminate(number)
        return {}

    def terminate_account(self, account: int) -> None:
        """End the subscription of an account."""
        self._terminate_those(lambda one: one.key.account == account)

    def terminate_key(self, key: ApiKey) -> None:
        """End the subscription of a key that was taken away."""
        self._terminate_those(lambda one: one.key is key)

    def _terminate_those(self, is_meant: Callable[[_Subscription], bool]) -> None:
        for number in [number for number, one in self._subscriptions.items() if is_meant(one)]:
            self._terminate(number)

    def _terminate(self, number: int) -> None:
        self.server.users.remove(self._subscriptions.pop(number).key.account, self)
        event = {"e": "eventStreamTerminated", "E": self.server.clock.now_ns() // self.scale}
        self.send(framed(msgspec.json.encode({"subscriptionId": number, "event": event})))

    def deliver(self, number: int, event: dict[str, Any]) -> None:
        """Send a user's event."""
        body = {"subscriptionId": number, "event": answer.scaled(event, self.scale)}
        self.send(framed(msgspec.json.encode(body)))


def _text(raw: msgspec.Raw) -> str:
    """A parameter as text, as it was sent: no number passes through a float."""
    text = bytes(raw)
    if text == b"null":
        return ""
    if text[:1] == b"[":
        # A list may have spaces here, which it may not have in a query.
        text = msgspec.json.format(text, indent=-1)
    return _decode_text(text) if text[:1] == b'"' else text.decode()
