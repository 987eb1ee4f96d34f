"""A venue of one's own in one file: market data and orders of an imaginary exchange.

The exchange "tiny" streams lines of JSON over TCP and takes orders the same way. Two classes make it a venue: what a
session, or `tradewind.venues.stream`, needs of one is in `tradewind.venues.MarketData` and `Execution`. A system file,
own_venue.toml beside this one, names the function that makes both:

    python examples/own_venue.py                          # watches three trades, and buys
    python examples/own_venue.py serve                    # the exchange alone, until Ctrl-C
    tradewind run examples/own_venue.toml --mode paper    # a session on it, from another terminal
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from urllib.parse import urlsplit

from tradewind import InstrumentFields, Strategy, TradewindError, param
from tradewind.venues import (
    Accepted,
    AccountStatus,
    Balance,
    CancelRequest,
    Commission,
    Execution,
    Filled,
    MarketData,
    MarketSink,
    OrderRequest,
    OrderState,
    Rejected,
    Report,
    StreamName,
    Unknown,
    VenueAccess,
    stream,
)

PORT = 7000
COIN = InstrumentFields(
    venue="tiny", symbol="COIN", kind="spot", base="COIN", quote="EUR", tick="0.01", lot="0.1",
    minimum_quantity="0.1", minimum_notional="1", maker_fee="0", taker_fee="0.001",
)  # fmt: skip


class TinyMarketData(MarketData):
    """Trades of the exchange."""

    venue = "tiny"
    offers = ("trades",)

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: set[StreamName] = set()
        self._task: asyncio.Task[None] | None = None

    async def instruments(self, symbols: Sequence[str] = ()) -> list[InstrumentFields]:
        return [COIN]

    async def start(self, sink: MarketSink) -> None:
        self._task = asyncio.create_task(self._keep(sink))

    def subscribe(self, streams: Sequence[StreamName]) -> None:
        self._streams.update(streams)

    def unsubscribe(self, streams: Sequence[StreamName]) -> None:
        self._streams.difference_update(streams)

    async def history(self, stream: StreamName, from_ns: int, to_ns: int, sink: MarketSink) -> None:
        """The exchange keeps none."""

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self, sink: MarketSink) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError as error:
                self._tell(sink.disconnected, str(error))
            else:
                self._tell(lambda name, _: sink.connected(name))
                reason = "the exchange closed the connection"
                try:
                    async for line in reader:
                        self._read(sink, json.loads(line))
                except (ValueError, KeyError, TradewindError) as error:
                    # What cannot be read must not end this task: nobody would hear of the streams any more.
                    reason = f"a message that cannot be read: {error!r}"
                finally:
                    writer.close()
                self._tell(sink.disconnected, reason)
            await asyncio.sleep(1)

    def _tell(self, status: Callable[[StreamName, str], None], reason: str = "") -> None:
        for name in self._streams:
            status(name, reason)

    def _read(self, sink: MarketSink, message: dict[str, str]) -> None:
        if message["what"] == "trade" and StreamName("tiny:COIN", "trades") in self._streams:
            sink.trade(
                "tiny:COIN", venue_time_ns=int(message["time_ns"]), price=message["price"],
                quantity=message["quantity"], aggressor="buy", id=int(message["id"]),
            )  # fmt: skip


class TinyExecution(Execution):
    """Orders at the exchange: it fills market orders at once, and takes no others."""

    venue = "tiny"

    def __init__(self, port: int) -> None:
        self._port = port
        self._waiting: set[str] = set()
        self._held = {"EUR": Decimal(1000), "COIN": Decimal(0)}

    async def start(self, sink: Callable[[Report], object], is_own: Callable[[str], bool]) -> None:
        self._sink = sink
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._task = asyncio.create_task(self._listen())
        sink(AccountStatus("connected"))

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        await self._writer.wait_closed()

    def place(self, order: OrderRequest) -> None:
        if order.price is not None:
            self._sink(Rejected(order.client_id, "venue_refused", "market orders only", 0))
            return
        self._waiting.add(order.client_id)
        fields = {"what": "order", "id": order.client_id, "side": order.side, "quantity": str(order.quantity)}
        self._writer.write(json.dumps(fields).encode() + b"\n")

    def cancel(self, order: CancelRequest) -> None:
        raise NotImplementedError("nothing rests at this exchange")

    async def open_orders(self) -> list[OrderState]:
        return []

    async def order(self, client_id: str, instrument: str) -> OrderState | None:
        return None

    async def fills(
        self, instrument: str, *, order_id: str = "", since_ns: int = 0, from_id: int | None = None
    ) -> list[Filled]:
        return []

    async def balances(self) -> list[Balance]:
        return [Balance(asset, free, Decimal(0), 0) for asset, free in self._held.items()]

    async def commission(self, instrument: str) -> Commission:
        return Commission(instrument, "0", "0.001")

    async def _listen(self) -> None:
        async for line in self._reader:
            message = json.loads(line)
            if message["what"] == "fill":
                client_id, time_ns = message["id"], int(message["time_ns"])
                self._waiting.discard(client_id)
                sign = 1 if message["side"] == "buy" else -1
                quantity, value = Decimal(message["quantity"]), Decimal(message["quantity"]) * Decimal(message["price"])
                self._held["COIN"] += sign * quantity
                self._held["EUR"] -= sign * value + Decimal(message["fee"])
                self._sink(Accepted(client_id, message["trade"], time_ns))
                self._sink(
                    Filled(
                        client_id,
                        message["trade"],
                        int(message["trade"]),
                        "tiny:COIN",
                        message["side"],
                        message["price"],
                        message["quantity"],
                        message["fee"],
                        "EUR",
                        False,
                        time_ns,
                    )
                )
        for client_id in self._waiting:
            self._sink(Unknown(client_id, "the connection was lost before an answer"))
        self._sink(AccountStatus("disconnected", "the exchange closed the connection"))


def tiny(access: VenueAccess) -> tuple[MarketData, Execution | None]:
    """The venue of a system: its market data, and its orders where real ones are wanted."""
    port = urlsplit(access.stream_url).port or PORT
    return TinyMarketData(port), None if access.credentials is None else TinyExecution(port)


class Swing(Strategy):
    """Holds a coin while it is cheap."""

    cheap: float = param(10.03, low=0)

    def on_start(self, ctx):
        self.coin = ctx.instrument("tiny:COIN")
        ctx.subscribe(self.coin.trades)

    def on_trade(self, ctx, trade):
        ctx.target(self.coin, 1 if trade.price < self.cheap else 0)


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The exchange itself: a trade now and then, and a fill for each order."""

    async def trades() -> None:
        for number in range(1, 100_000):
            # Each ten trades a cent more, up to five, and from the beginning.
            price = f"{10.01 + 0.01 * (number // 10 % 5):.2f}"
            trade = {"what": "trade", "time_ns": now(), "price": price, "quantity": "0.5", "id": str(number)}
            writer.write(json.dumps(trade).encode() + b"\n")
            await asyncio.sleep(0.05)

    trading = asyncio.create_task(trades())
    async for line in reader:
        order = json.loads(line)
        fill = order | {"what": "fill", "time_ns": now(), "trade": "7", "price": "10.02", "fee": "0.01"}
        writer.write(json.dumps(fill).encode() + b"\n")
    trading.cancel()
    writer.close()


def now() -> str:
    """The time, as the exchange writes it."""
    return str(time.time_ns())


async def serve() -> None:
    """The exchange alone, for sessions."""
    server = await asyncio.start_server(exchange, "127.0.0.1", PORT)
    print(f"tiny trades on 127.0.0.1:{PORT}; Ctrl-C ends it", flush=True)
    await server.serve_forever()


async def main() -> tuple[list[str], list[str]]:
    """Watch three trades, and buy."""
    server = await asyncio.start_server(exchange, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    seen: list[str] = []
    events = stream(TinyMarketData(port), trades=["COIN"])
    async for trade in events:
        seen.append(repr(trade))
        if len(seen) == 3:
            break
    await events.aclose()
    reports: list[Report] = []
    orders = TinyExecution(port)
    await orders.start(reports.append, lambda client_id: True)
    orders.place(OrderRequest("a1", "tiny:COIN", "buy", "0.5"))
    while len(reports) < 3:
        await asyncio.sleep(0.01)
    await orders.close()
    server.close()
    await asyncio.sleep(0.1)  # both ends of each connection close
    return seen, [type(report).__name__ for report in reports]


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        trades, told = asyncio.run(main())
        print(*trades, *told, sep="\n")
