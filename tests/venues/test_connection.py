"""Back-off, budgets, clocks, sockets: against servers that misbehave in one way each."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import hashlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from patience import run, until

import tradewind as tw
from tradewind.sandbox import authority
from tradewind.venues.connection.backoff import Backoff, Budget
from tradewind.venues.connection.clock import VenueClock
from tradewind.venues.connection.rest import Allowance, Rest, VenueError
from tradewind.venues.connection.websocket import Channel, Link

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def test_waits_double_and_never_collapse() -> None:
    backoff = Backoff(first=1.0, longest=8.0)
    waits = [backoff.next() for _ in range(1_000)]
    for step, wait in zip((1, 2, 4, 8), waits, strict=False):
        assert step / 2 <= wait <= step
    assert min(waits[3:]) >= 4
    assert len(set(waits)) > 900
    backoff.reset()
    assert backoff.next() <= 1


def test_a_budget_is_kept_by_all_who_share_it() -> None:
    async def whole() -> float:
        budget, loop = Budget(3, 0.2), asyncio.get_running_loop()
        start = loop.time()
        await asyncio.gather(*(budget.wait() for _ in range(7)))
        return loop.time() - start

    assert run(whole()) >= 0.4


def test_the_quickest_exchange_sets_the_clock_and_time_never_goes_back() -> None:
    now = [0]
    clock = VenueClock(monotonic=lambda: now[0], wall=lambda: 5_000)
    assert clock() == 5_000
    clock.observe(sent_ns=0, venue_ns=11_000, received_ns=2_000)
    assert (clock.offset_ns, clock.uncertainty_ns) == (10_000, 1_000)
    # A slow exchange with an uneven way back would say 12,500.
    clock.observe(sent_ns=0, venue_ns=20_000, received_ns=15_000)
    assert clock.offset_ns == 10_000
    now[0] = 100
    assert clock() == 10_100
    clock.observe(sent_ns=100, venue_ns=9_100, received_ns=102)
    assert clock() == 10_100, "it stands still until the venue's clock has come as far"
    assert clock.ahead_ns == 10_100 - clock.venue_ns > 0
    now[0] = 2_000
    assert clock() == 2_000 + clock.offset_ns
    # The venue's clock jumps: what was known before contradicts the slow exchange, which counts.
    clock.observe(sent_ns=2_000, venue_ns=30_000_000_000, received_ns=500_000)
    assert clock.offset_ns == 30_000_000_000 - 251_000


def test_a_jump_ahead_is_followed_when_it_has_lasted() -> None:
    second_ns, now = 10**9, [0]
    clock = VenueClock(monotonic=lambda: now[0], wall=lambda: 0)

    def told(at: int, ahead: int) -> tuple[int, int]:
        """Our time and its uncertainty, in seconds, where the venue's clock is so far ahead."""
        now[0] = at * second_ns
        clock.observe(now[0], now[0] + ahead * second_ns, now[0])
        return clock() // second_ns, clock.uncertainty_ns // second_ns

    assert told(1, 7) == (8, 0), "the first exchange is believed: the system's clock may be years wrong"
    assert told(2, 8) == (10, 0)
    assert told(2, 1) == (10, 0)
    assert told(3, 8) == (11, 0), "where it was before it may be again"
    assert told(3, 608) == (11, 600)
    assert (told(12, 608), clock.has_jumped) == ((20, 600), True)
    assert (told(12, 8), clock.has_jumped) == ((20, 0), False), "it came back, and time goes on"
    assert told(13, 608) == (21, 600)
    assert told(22, 609) == (30, 601)
    assert (told(23, 608), clock.has_jumped) == ((631, 0), False)
    assert told(24, 8) == (631, 0), "what has run ahead stands still"
    assert clock.ahead_ns == 599 * second_ns
    assert told(600, 8) == (631, 0)
    assert told(624, 8) == (632, 0)


def frame(data: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    head = bytes([(0x80 if fin else 0) | opcode])
    return head + (bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")) + data


async def handshake(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")).split(b": ")[1]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"


class Heard:
    """What a link was told."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.lost: list[str] = []
        self.opened = 0

    def link(self, url: str, **more: Any) -> Link:
        def on_open(channel: Channel) -> None:
            self.opened += 1

        def on_message(channel: Channel, message: bytes) -> None:
            self.messages.append(message)
            channel.deliver()

        return Link(
            url, on_open, on_message, lambda channel, reason: self.lost.append(reason), Budget(300, 300), **more
        )


def against(handler: Handler, check: Callable[[str, Heard], Awaitable[None]]) -> None:
    async def whole() -> None:
        tasks: list[asyncio.Task[None]] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.append(asyncio.current_task())  # type: ignore[arg-type]
            try:
                await handler(reader, writer)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        await check(f"ws://{host}:{port}/", Heard())
        server.close()
        await asyncio.gather(*tasks)
        await server.wait_closed()

    run(whole())


def test_data_in_the_segment_of_the_handshake_and_in_pieces() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        big = b"x" * 1_000
        first = frame(b"first") + frame(b"ping", opcode=9) + frame(b"one ", fin=False)
        writer.write(await handshake(reader) + first)
        writer.write(frame(b"message", opcode=0) + frame(big, opcode=2)[:500])
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(frame(big, opcode=2)[500:])
        await reader.read()
        writer.close()

    async def check(url: str, heard: Heard) -> None:
        link = heard.link(url)
        link.start()
        await until(lambda: len(heard.messages) == 3)
        assert heard.messages == [b"first", b"one message", b"x" * 1_000]
        await link.close()

    against(serve, check)


def test_a_lost_connection_is_told_and_made_again() -> None:
    count = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count[0] += 1
        partial = frame(b"cut off")[:4] if count[0] == 1 else frame(b"whole")
        writer.write(await handshake(reader) + partial)
        await writer.drain()
        if count[0] > 1:
            await reader.read()
        writer.transport.abort()

    async def check(url: str, heard: Heard) -> None:
        link = heard.link(url)
        link.start()
        await until(lambda: heard.messages)
        assert (heard.messages, heard.opened, len(heard.lost)) == ([b"whole"], 2, 1)
        await link.close()

    against(serve, check)


def test_a_server_that_is_not_there_is_told_with_its_address() -> None:
    async def whole() -> None:
        heard = Heard()
        link = heard.link("ws://127.0.0.1:9/")
        link.start()
        await until(lambda: len(heard.lost) > 1)
        assert "ws://127.0.0.1:9/ cannot be reached" in heard.lost[0]
        await link.close()

    run(whole())


def test_the_new_connection_delivers_before_the_old_one_ends() -> None:
    events: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len([event for event in events if event.startswith("open")])
        events.append(f"open {number}")
        writer.write(await handshake(reader))
        await asyncio.sleep(0.1)
        events.append(f"data {number}")
        writer.write(frame(b"%d" % number))
        await reader.read()
        events.append(f"close {number}")
        writer.close()

    async def check(url: str, heard: Heard) -> None:
        link = heard.link(url)
        link.start()
        await until(lambda: heard.messages)
        link.replace()
        link.replace()
        await until(lambda: "close 0" in events)
        assert events == ["open 0", "data 0", "open 1", "data 1", "close 0"]
        assert heard.lost == []
        await link.close()
        await until(lambda: "close 1" in events)

    against(serve, check)


def test_what_is_told_as_lost_is_the_connection_that_took_over() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await handshake(reader) + frame(b"data"))
        await reader.read()

    async def check(url: str, heard: Heard) -> None:
        lost: list[Channel | None] = []
        link = heard.link(url)
        link._on_lost = lambda channel, reason: lost.append(channel)
        link.start()
        await until(lambda: heard.messages)
        first = link.current
        link.replace()
        await until(lambda: link.current is not first and first is not None and first.lost.done())
        second = link.current
        assert second is not None and second._transport is not None and lost == []
        second._transport.disconnect(graceful=False)
        await until(lambda: lost)
        assert lost == [second]
        await link.close()

    against(serve, check)


class Sockets:
    """What each connection to a server does, by its number, and what became of it."""

    def __init__(self, **does: Callable[[asyncio.StreamWriter], None]) -> None:
        self._does = {int(name.removeprefix("of_")): what for name, what in does.items()}
        self.writers: list[asyncio.StreamWriter] = []
        self.ended: list[int] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer, number = await handshake(reader), len(self.writers)
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError):
            if number not in self._does:
                writer.write(answer + frame(b"data"))
            else:
                writer.write(answer)
                self._does[number](writer)
            await reader.read()
        self.ended.append(number)


def silent(writer: asyncio.StreamWriter) -> None:
    """It opens, and delivers nothing."""


def broken(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def test_a_successor_is_given_up_where_the_old_connection_is_lost_first() -> None:
    sockets = Sockets(of_1=silent)

    async def check(url: str, heard: Heard) -> None:
        link = heard.link(url)
        link.start()
        await until(lambda: link.ready)
        first = link.ready
        link.replace()
        await until(lambda: heard.opened == 2)
        sockets.writers[0].transport.abort()
        await until(lambda: 1 in sockets.ended)
        await until(lambda: link.ready)
        assert link.ready is link.current is not first
        assert (heard.opened, len(heard.lost)) == (3, 1)
        await link.close()
        assert sorted(sockets.ended) in ([0, 1], [0, 1, 2])

    against(sockets.serve, check)


def test_a_successor_that_delivers_does_not_hide_that_the_old_connection_was_lost() -> None:
    sockets = Sockets(of_1=silent)

    async def check(url: str, heard: Heard) -> None:
        link = heard.link(url)
        link.start()
        await until(lambda: link.ready)
        first = link.current
        link.replace()
        await until(lambda: heard.opened == 2)
        successor = link._successor
        assert first is not None and successor is not None and successor.is_open
        first.end("the venue hung up")
        assert link.ready is None
        assert not successor.deliver()
        await until(lambda: link.ready)
        assert link.ready is not successor
        assert (len(heard.lost), successor.is_retired, successor.send(b"order")) == (1, True, False)
        await link.close()

    against(sockets.serve, check)


def test_an_overtaken_connection_answers_and_has_no_say() -> None:
    sockets = Sockets(of_0=silent)

    async def check(url: str, heard: Heard) -> None:
        link = heard.link(url)
        link.start()
        await until(lambda: heard.opened == 1)
        first = link.current
        assert first is not None and link.ready is None
        link.replace()
        await until(lambda: link.ready)
        second = link.ready
        sockets.writers[0].write(frame(b"late answer"))
        await until(lambda: heard.messages == [b"data", b"late answer"])
        assert link.ready is link.current is second is not first
        assert not first.is_retired and not first.send(b"order")
        await until(lambda: first.is_retired)
        assert (link.ready, heard.lost) == (second, [])
        await link.close()

    against(sockets.serve, check)


def test_while_successors_fail_the_old_connection_goes_on() -> None:
    sockets = Sockets(of_1=broken, of_2=silent)

    async def check(url: str, heard: Heard) -> None:
        link = heard.link(url)
        link.start()
        await until(lambda: link.ready)
        first = link.ready
        link.replace()
        await until(lambda: len(sockets.writers) == 3)
        assert link.ready is first
        sockets.writers[2].transport.abort()
        await until(lambda: len(sockets.writers) == 4)
        await until(lambda: link.ready is not first)
        assert link.ready is not None and heard.lost == []
        await link.close()

    against(sockets.serve, check)


def test_the_loss_of_one_that_has_just_taken_over_is_told_and_ends_the_old_one() -> None:
    sockets = Sockets()

    async def check(url: str, heard: Heard) -> None:
        lost: list[tuple[Channel | None, bool]] = []
        link = heard.link(url)
        link._on_lost = lambda channel, reason: lost.append((channel, first is not None and first.is_retired))
        link.start()
        await until(lambda: link.ready)
        first = link.ready
        link.replace()
        await until(lambda: link.ready is not first)
        second = link.ready
        assert first is not None and not first.is_retired
        sockets.writers[1].transport.abort()
        await until(lambda: lost)
        assert lost == [(second, True)]
        await until(lambda: link.ready)
        await link.close()

    against(sockets.serve, check)


def test_where_there_is_no_connection_there_is_nothing_to_replace() -> None:
    async def whole() -> None:
        heard = Heard()
        link = heard.link("ws://127.0.0.1:9/")
        link.start()
        await until(lambda: heard.lost)
        link.replace()
        assert link._overtaker is None
        await link.close()

    run(whole())


def rest_against(answers: list[web.Response], check: Callable[[Rest, list[str]], Awaitable[None]]) -> None:
    async def whole() -> None:
        asked: list[str] = []

        async def handle(request: web.Request) -> web.Response:
            asked.append(request.path_qs)
            return answers[min(len(asked), len(answers)) - 1]

        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        rest = Rest(f"http://{host}:{port}", VenueClock(), weight_header="X-W")
        try:
            await check(rest, asked)
        finally:
            await rest.close()
            await runner.cleanup()

    run(whole())


def test_a_question_is_asked_again_after_a_failure_of_the_server() -> None:
    async def check(rest: Rest, asked: list[str]) -> None:
        assert await rest.get("/a", {"x": "1 2"}) == {"fine": True}
        assert asked == ["/a?x=1%202"] * 2

    good = web.json_response({"fine": True})
    rest_against([web.Response(status=502, text="<html>"), good], check)


def test_a_refusal_is_not_asked_again() -> None:
    async def check(rest: Rest, asked: list[str]) -> None:
        with pytest.raises(VenueError, match=r"venue_refused.*-1121 Invalid symbol") as raised:
            await rest.get("/a")
        assert raised.value.number == -1121
        assert len(asked) == 1

    rest_against([web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)], check)


def test_too_many_requests_wait_as_long_as_they_are_told() -> None:
    async def check(rest: Rest, asked: list[str]) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        assert await rest.get("/a") == []
        assert loop.time() - start >= 1
        assert rest.used_weight == 77

    limited = web.Response(status=429, headers={"Retry-After": "1"}, text="{}")
    rest_against([limited, web.json_response([], headers={"X-W": "77"})], check)


def test_what_can_wait_leaves_room_for_what_cannot() -> None:
    async def check() -> None:
        allowance = Allowance(100)
        for _ in range(2):
            await allowance.wait(25, lambda: 0, 0.5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(allowance.wait(25, lambda: 0, 0.5), 0.1)
        await allowance.wait(50, lambda: 0)
        assert allowance.used_weight == 100

    asyncio.run(check())


def test_a_ban_is_not_tried_against() -> None:
    async def check(rest: Rest, asked: list[str]) -> None:
        with pytest.raises(VenueError, match="rate_limited"):
            await rest.get("/a")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rest.get("/b"), 0.3)
        assert asked == ["/a"]

    rest_against([web.Response(status=418, headers={"Retry-After": "120"}, text="{}")], check)


def test_a_ban_is_waited_out_for_no_longer_than_bans_last() -> None:
    async def check(rest: Rest, asked: list[str]) -> None:
        with pytest.raises(VenueError, match="nothing is asked for 259200 s"):
            await rest.get("/a")
        assert rest.allowance.pause_seconds <= 3 * 86_400

    rest_against([web.Response(status=418, headers={"Retry-After": "9" * 400}, text="{}")], check)


@pytest.mark.parametrize(
    ("trouble", "told", "hint"),
    [
        ("unknown authority", "unable to get local issuer certificate", "authority_file"),
        ("other address", "IP address mismatch", "a name that the certificate is for"),
        ("expired", "certificate has expired", "is this machine's clock right?"),
        ("plain", "it does not speak TLS", "http://"),
    ],
)
def test_what_is_wrong_with_tls_is_told_and_not_tried_again(
    trouble: str, told: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trouble == "expired":
        day = datetime.timedelta(days=1)
        now = datetime.datetime.now(datetime.UTC)
        monkeypatch.setattr(
            authority,
            "_builder",
            lambda subject, issuer, key: (
                x509.CertificateBuilder()
                .subject_name(subject)
                .issuer_name(issuer)
                .public_key(key)
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - 2 * day)
                .not_valid_after(now - day)
            ),
        )

    async def whole() -> None:
        issued = authority.Authority.new()
        context = None
        if trouble != "unknown authority":
            context = ssl.create_default_context(cadata=issued.certificate.decode())
        address = "127.0.0.2" if trouble == "other address" else "127.0.0.1"

        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(hang_up, address, 0, ssl=None if trouble == "plain" else issued.context())
        host = f"{address}:{server.sockets[0].getsockname()[1]}"
        rest, tries = Rest(f"https://{host}", VenueClock(), ssl_context=context), list[str]()
        once = rest._once

        async def counted(verb: str, *given: Any) -> bytes:
            tries.append(verb)
            return await once(verb, *given)

        monkeypatch.setattr(rest, "_once", counted)
        with pytest.raises(tw.TradewindError) as caught:
            await rest.get("/a")
        assert caught.value.code == "unreachable" and told in caught.value.message and hint in caught.value.hint
        assert caught.value.message.startswith(f"https://{host}/a: ") and "ssl:" not in caught.value.message
        assert len(tries) == 1
        heard = Heard()
        link = heard.link(f"wss://{host}/", ssl_context=context)
        link.start()
        await until(lambda: heard.lost)
        assert told in heard.lost[0] and hint in heard.lost[0]
        await link.close()
        await rest.close()
        server.close()

    run(whole())


def test_a_page_instead_of_json_is_an_error() -> None:
    async def check(rest: Rest, asked: list[str]) -> None:
        with pytest.raises(tw.TradewindError, match=r"bad_frame.*<html>"):
            await rest.get("/a")

    rest_against([web.Response(text="<html>")], check)


def test_an_answer_in_pieces_is_read_whole() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\n" + b'{"a":1')
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(b',"b":22}')
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    async def ask() -> object:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            rest = Rest(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", VenueClock())
            try:
                return await rest.get("/x")
            finally:
                await rest.close()

    assert asyncio.run(ask()) == {"a": 1, "b": 22}


def test_a_redirection_is_not_followed() -> None:
    async def check(rest: Rest, asked: list[str]) -> None:
        with pytest.raises(VenueError) as refused:
            await rest.get("/x")
        assert (refused.value.code, refused.value.status, len(asked)) == ("venue_refused", 302, 1)

    rest_against([web.Response(status=302, headers={"Location": "/elsewhere"})], check)


@pytest.mark.parametrize("answer", ["{}", "[]", "null", '{"serverTime": "soon"}'])
def test_an_answer_without_what_is_read_in_it_is_an_error_of_the_venue(answer: str) -> None:
    async def check(rest: Rest, asked: list[str]) -> None:
        with pytest.raises(tw.errors.TradewindError, match="bad_frame"):
            await rest.read("/x", lambda found: int(found["serverTime"]))

    rest_against([web.Response(text=answer)], check)


def test_clients_of_one_address_wait_together() -> None:
    async def check(rest: Rest, asked: list[str]) -> None:
        other = Rest(rest._url, VenueClock())
        with pytest.raises(VenueError):
            await rest.get("/x")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await other.get("/x")
        assert len(asked) == 1
        await other.close()

    rest_against([web.Response(status=418, headers={"Retry-After": "60"})], check)


def test_one_wrong_time_of_the_venue_does_not_move_the_clock() -> None:
    async def check(rest: Rest, asked: list[str]) -> None:
        await rest.observe_clock("/time", lambda answer: int(answer["serverTime"]))
        assert 0 <= rest._clock() - 1_000 * 10**9 < 60 * 10**9

    right, wrong = (web.json_response({"serverTime": seconds * 10**9}) for seconds in (1_000, 4_000_000_000))

    async def whole() -> None:
        answers, served = [right, right, wrong, right, wrong], list[str]()

        async def handle(request: web.Request) -> web.Response:
            served.append(request.path)
            return web.Response(body=answers[len(served) - 1].body)

        application = web.Application()
        application.router.add_get("/time", handle)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        rest = Rest(f"http://127.0.0.1:{runner.addresses[0][1]}", VenueClock())
        try:
            await check(rest, served)
        finally:
            await rest.close()
            await runner.cleanup()

    run(whole())


@pytest.mark.parametrize("answers", [False, True])
def test_a_connection_that_breaks_off_during_the_handshake_is_made_again(answers: bool) -> None:
    count = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count[0] += 1
        answer = await handshake(reader)
        if count[0] > 2:
            writer.write(answer + frame(b"whole"))
            await writer.drain()
            await reader.read()
        elif answers:
            writer.write(answer[:20])
            await writer.drain()
        writer.transport.abort()

    async def check(url: str, heard: Heard) -> None:
        link = heard.link(url)
        link.start()
        await until(lambda: heard.messages)
        assert (heard.messages, heard.opened, len(heard.lost)) == ([b"whole"], 1, 2)
        await link.close()

    against(serve, check)
