"""How fast the sandbox is: order round trips, orders a second, frames a second to fifty clients.

    python benchmarks/ours/sandbox.py

The exchange runs in a process of its own; its processor time is what "on one core" is measured by. Prints one JSON
line.
"""

from __future__ import annotations

import asyncio
import base64
import json
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

import tradewind as tw
from tradewind.sandbox import Limits, Sandbox

ROUND_TRIPS, BURST, WAVE, CLIENTS, SECONDS = 5_000, 20_000, 500, 50, 5


def serve(pipe: Connection) -> None:
    async def run() -> None:
        limits = Limits.raised()
        async with Sandbox(symbols=("BTCUSDT",), history_seconds=10, activity=1.0, limits=limits) as sandbox:
            keys = sandbox.new_account({"USDT": 10**8, "BTC": 1_000}, kind="ED25519")
            pipe.send((sandbox.api_url, sandbox.stream_url, keys.api_key, keys.secret))
            loop = asyncio.get_running_loop()
            loop.add_reader(pipe.fileno(), lambda: (pipe.recv(), pipe.send(time.process_time())))
            await asyncio.sleep(3_600)

    asyncio.run(run())


class Client(WSListener):
    transport: WSTransport

    def __init__(self) -> None:
        super().__init__()
        self.frames = 0
        self.answers = 0
        self.awaited = 0
        self.done: asyncio.Future[bytes] | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.frames += 1
        payload = frame.get_payload_as_bytes()
        if payload[:5] == b'{"id"':
            self.answers += 1
            if self.answers == self.awaited and self.done is not None:
                self.done.set_result(payload)

    def ask(self, number: int, requests: list[bytes]) -> asyncio.Future[bytes]:
        self.done, self.awaited = asyncio.get_running_loop().create_future(), self.answers + number
        for request in requests:
            self.transport.send(WSMsgType.TEXT, request)
        return self.done


def request(method: str, **params: Any) -> bytes:
    return msgspec.json.encode({"id": 1, "method": method, "params": params})


def dated(method: str, **params: Any) -> bytes:
    """A request in the account's name; the session is logged on, so that it needs no signature."""
    return request(method, timestamp=int(time.time() * 1_000), **params)


def order() -> bytes:
    return dated(
        "order.place", symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="IOC", price="80000.00",
        quantity="0.00100",
    )  # fmt: skip


async def measure(pipe: Connection) -> None:
    api_url, stream_url, key, secret = pipe.recv()

    def processor_time() -> float:
        pipe.send(None)
        return float(pipe.recv())

    _, client = await ws_connect(Client, api_url)
    now = int(time.time() * 1_000)
    private: Any = serialization.load_pem_private_key(secret.encode(), None)
    signature = base64.b64encode(private.sign(f"apiKey={key}&timestamp={now}".encode())).decode()
    await client.ask(1, [request("session.logon", apiKey=key, timestamp=now, signature=signature)])
    await client.ask(1, [request("userDataStream.subscribe")])
    times = []
    for _ in range(ROUND_TRIPS):
        begun = time.perf_counter()
        await client.ask(1, [order()])
        times.append((time.perf_counter() - begun) * 1e6)
    cut = statistics.quantiles(times, n=100)
    found: dict[str, Any] = {"round_trip_median_us": round(cut[49]), "round_trip_p99_us": round(cut[98])}
    begun, used = time.perf_counter(), processor_time()
    for _ in range(BURST // WAVE):
        # More at once would make a slow reader of us.
        last = await client.ask(WAVE, [order() for _ in range(WAVE)])
        assert b'"status":200,' in last, last
    wall, used = time.perf_counter() - begun, processor_time() - used
    found |= {"events": BURST, "orders": BURST, "seconds": used, "events_per_second": BURST / used}
    found["orders_per_wall_second"] = round(BURST / wall)
    listeners = [(await ws_connect(Client, f"{stream_url}/ws/btcusdt@bookTicker"))[1] for _ in range(CLIENTS)]
    begun, used = time.perf_counter(), processor_time()
    while time.perf_counter() - begun < SECONDS:
        # Each pair of requests changes the best bid twice; where it is, the other participants change, too.
        number = 10
        book = msgspec.json.decode(await client.ask(1, [request("ticker.book", symbol="BTCUSDT")]))
        at_best = book["result"]["bidPrice"]
        place = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "price": at_best, "quantity": "0.001"}
        pair = [dated("order.place", **place), dated("openOrders.cancelAll", symbol="BTCUSDT")]
        last = await client.ask(2 * number, pair * number)
        assert b'"status":200,' in last, last
    wall, used = time.perf_counter() - begun, processor_time() - used
    await asyncio.sleep(0.2)
    frames = sum(one.frames for one in listeners)
    found |= {
        "clients": CLIENTS,
        "frames_per_second": round(frames / used),
        "frames_per_wall_second": round(frames / wall),
    }
    for one in (client, *listeners):
        one.transport.disconnect()
    print(json.dumps({"id": "sandbox", **found, "version": tw.__version__}))


def main() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        asyncio.run(measure(ours))
    finally:
        process.kill()
        process.join()


if __name__ == "__main__":
    main()
