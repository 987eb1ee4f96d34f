"""A client's connection to the market streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from picows import WSCloseCode

from tradewind.sandbox.binance_spot.connection import Connection, framed

if TYPE_CHECKING:
    from tradewind.sandbox.server import Server


class StreamConnection(Connection):
    """Listens to streams, and changes to which.

    Parameters
    ----------
    server, address
        Who serves it, and where it is.
    names
        The streams that its address names.
    combined
        Whether its events are wrapped with the name of their stream.
    scale
        How many nanoseconds a unit of its times has.

    """

    def __init__(self, server: Server, address: str, names: list[str], combined: bool, scale: int) -> None:
        super().__init__(server, address)
        self.combined = combined
        self.scale = scale
        self.names: dict[str, None] = dict.fromkeys(names)
        self._held: bytes | None = None
        self._second = 0
        self._messages = 0

    def on_ws_connected(self, transport: Any) -> None:
        """The handshake is done."""
        super().on_ws_connected(transport)
        for name in self.names:
            self._listen(name)

    def ended(self) -> None:
        """Listen to nothing any more."""
        for name in self.names:
            self.server.hub.unsubscribe(name, self)

    def deliver(self, stream: str, frame: bytes) -> None:
        """Send an event of a stream."""
        if (self.server.faults.active or self._held is not None) and not self._pass(stream, frame):
            return
        self.send(frame)

    def _pass(self, stream: str, frame: bytes) -> bool:
        """Whether the faults that are on let an event through as it is."""
        faults = self.server.faults
        stalled = faults.active.get("stalled_stream")
        if faults.fires("silent_stall") or (stalled is not None and stalled.parameters.get("stream") == stream):
            return False
        topic = stream.partition("@")[2].partition("@")[0]
        if topic == "trade" and faults.fires("old_trades"):
            self.send(frame)
        if topic != "depth":
            return True
        if faults.fires("dropped_diff"):
            return False
        if faults.fires("duplicated_diff"):
            self.send(frame)
        if self._held is not None:
            self.send(frame)
            self.send(self._held)
            self._held = None
            return False
        if faults.fires("reordered_diffs"):
            self._held = frame
            return False
        return True

    def farewell(self) -> bytes:
        """``serverShutdown``, as it comes on streams."""
        event = {"e": "serverShutdown", "E": self.server.clock.now_ns() // self.scale}
        return msgspec.json.encode({"stream": "!serverShutdown", "data": event} if self.combined else event)

    def counted(self) -> None:
        """No more than so many messages a second, pings and pongs among them."""
        second = int(self._loop.time())
        if second != self._second:
            self._second, self._messages = second, 0
        self._messages += 1
        if self._messages > self.server.settings.limits.messages_per_second:
            self.end(WSCloseCode.POLICY_VIOLATION, "Too many requests")

    def received(self, message: bytes) -> None:
        """Carry out a request for other streams."""
        self.counted()
        if self.end_reason:
            return
        try:
            request = msgspec.json.decode(message)
        except (ValueError, RecursionError):
            self._refuse(3, "Invalid JSON: expected value at line 1 column 1", None)
            return
        if not isinstance(request, dict):
            self._refuse(2, "Invalid request: request must be an object", None)
            return
        self._carry_out(request)

    def _carry_out(self, request: dict[str, Any]) -> None:
        if unknown := request.keys() - {"method", "params", "id"}:
            self._refuse(2, f"Invalid request: unknown field `{min(map(str, unknown))}`", None)
            return
        id_ = request.get("id")
        method, params = request.get("method"), request.get("params", [])
        if isinstance(id_, bool) or not isinstance(id_, int | str | None):
            self._refuse(2, "Invalid request: request ID must be an unsigned integer or a string", None)
        elif method == "LIST_SUBSCRIPTIONS":
            self._answer(list(self.names), id_)
        elif method in ("SUBSCRIBE", "UNSUBSCRIBE"):
            self._change(method == "SUBSCRIBE", params, id_)
        elif method in ("SET_PROPERTY", "GET_PROPERTY"):
            self._property(method, params, id_)
        elif method is None:
            self._refuse(2, "Invalid request: missing field `method`", id_)
        else:
            variants = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
            self._refuse(2, f"Invalid request: unknown variant `{method}`, expected one of {variants}", id_)

    def _change(self, subscribe: bool, params: Any, id_: Any) -> None:
        if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
            self._refuse(2, "Invalid request: params must be a list of streams", id_)
            return
        wanted = {*self.names, *params} if subscribe else set(self.names)
        if len(wanted) > self.server.settings.limits.streams_per_connection:
            self._refuse(2, "Invalid request: too many streams", id_)
            return
        if subscribe and self.server.faults.fires("subscription_refused"):
            self._refuse(2, "Invalid request: the stream is not available", id_)
            return
        self._answer(None, id_)
        for name in params:
            if subscribe and name not in self.names:
                self.names[name] = None
                self._listen(name)
            elif not subscribe and name in self.names:
                del self.names[name]
                self.server.hub.unsubscribe(name, self)

    def _listen(self, name: str) -> None:
        faults = self.server.faults
        if faults.fires_at("lost_subscription", "stream", name):
            return
        self.server.hub.subscribe(name, self)
        if name.endswith("@trade") and (switch := faults.fires("old_trades")):
            self.server.hub.repeat_trades(name, self, int(switch.parameters.get("number", 20)))

    def _property(self, method: str, params: Any, id_: Any) -> None:
        if not isinstance(params, list) or not params or params[0] != "combined":
            self._refuse(0, "Unknown property", id_)
        elif method == "GET_PROPERTY":
            self._answer(self.combined, id_)
        elif len(params) != 2 or not isinstance(params[1], bool):
            self._refuse(1, "Invalid value type: expected Boolean", id_)
        else:
            self.ended()
            self.combined = params[1]
            for name in self.names:
                self.server.hub.subscribe(name, self)
            self._answer(None, id_)

    def _answer(self, result: Any, id_: Any) -> None:
        self.send(framed(msgspec.json.encode({"result": result, "id": id_})))

    def _refuse(self, code: int, message: str, id_: Any) -> None:
        body: dict[str, Any] = {"code": code, "msg": message}
        self.send(framed(msgspec.json.encode({"error": body, "id": id_} if id_ is not None else {"error": body})))
