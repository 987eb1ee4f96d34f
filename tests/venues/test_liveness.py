"""Streams are fresh, stale or silent, and say so."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest
from market_watcher import KINDS, Watcher, run
from patience import until

from tradewind.venues.connection.subscriptions import Subscriptions
from tradewind.venues.connection.websocket import Channel


def test_a_stalled_stream_is_noticed_although_the_socket_is_busy() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Trade"))
        watcher.box.server.faults.on("stalled_stream", stream="btcusdt@trade")
        await until(lambda: "stale" in watcher.states("trades"))
        assert "stale" not in watcher.states("quotes")
        watcher.box.server.faults.clear()
        await until(lambda: watcher.states("trades")[-1] in ("connected", "gap"))

    run(check, KINDS[:2], trades=1, quotes=1)


def test_silence_is_noticed_although_the_venues_clock_went_back() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Trade") and watcher.count("Quote"))
        watcher.clock._last_ns += 900 * 10**9
        watcher.box.server.faults.on("silent_stall")
        await until(lambda: all("stale" in watcher.states(kind) for kind in ("trades", "quotes")))

    run(check, KINDS[:2], trades=1, quotes=1)


def test_a_quiet_market_is_not_a_dead_one() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: all(watcher.count(name) for name in ("Trade", "Quote", "BookUpdate")))
        watcher.box.server.faults.on("quiet_market")
        await asyncio.sleep(6)
        assert not {"disconnected", "stale", "gap", "error"} & {one.state for one in watcher.statuses}

    run(check, KINDS[:3], trades=1, quotes=1, book=1)


def test_quiet_spells_do_not_make_a_stream_less_watched_for_good() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Quote"))
        watched = watcher.data.liveness.watched[KINDS[1]]
        for _ in range(2):
            watcher.box.server.faults.on("quiet_market")
            await until(lambda: watched.quietness > 1)
            watcher.box.server.faults.clear()
            await until(lambda: watched.quietness == 1)

    run(check, KINDS[1:2], quotes=0.5)


def test_streams_that_stall_together_are_found_together() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Trade") and watcher.count("Quote"))
        asked: list[str] = []
        latest, begun = watcher.data.latest, asyncio.get_running_loop().time()

        async def told(stream: Any) -> list[int]:
            asked.append(stream.kind)
            return await latest(stream)

        watcher.data.latest = told
        watcher.box.server.faults.on("silent_stall")
        await until(lambda: all("stale" in watcher.states(kind) for kind in ("trades", "quotes", "book")))
        # Each is asked about twice, with the grace between; one after the other, no second question comes before
        # the first answer of another stream.
        assert sorted(asked[:3]) == ["book", "quotes", "trades"], (asked, asyncio.get_running_loop().time() - begun)

    run(check, KINDS[:3], trades=1, quotes=1, book=1)


@pytest.mark.parametrize("kind", ["trades", "quotes"])
def test_after_a_break_a_stream_is_fresh_once_something_came_or_the_venue_says_that_the_last_holds(kind: str) -> None:
    name, event = (KINDS[0], "Trade") if kind == "trades" else (KINDS[1], "Quote")

    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count(event) > 2)
        watcher.box.server.faults.on("quiet_market")
        await asyncio.sleep(0.5)
        latest, answers = watcher.data.latest, [[1]]

        async def told(stream: Any) -> list[int]:
            return answers[0] or await latest(stream)

        watcher.data.latest = told
        watcher.box.server.faults.on("hard_close", kind="stream")
        await until(lambda: watcher.states(kind)[-1] == "disconnected")
        before = watcher.count(event)
        await until(lambda: name in watcher.data.liveness.awaited)
        await asyncio.sleep(2.5)
        assert (watcher.count(event), watcher.states(kind)[-1]) == (before, "disconnected"), "the venue says otherwise"
        answers[0] = []
        await until(lambda: watcher.states(kind)[-1] == "connected")
        assert watcher.count(event) == before

    run(check, [name], **{kind: 1})


WRONG = {
    "trades": ("btcusdt@trade", {"e": "trade", "E": 1, "t": 2**62, "p": "60000", "q": "1", "T": 1, "m": True}),
    "quotes": ("btcusdt@bookTicker", {"u": 2**62, "b": "60000", "B": "1", "a": "60001", "A": "1"}),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_number_that_is_too_high_does_not_silence_a_stream_for_good(kind: str) -> None:
    stream, data = WRONG[kind]
    name, event = (KINDS[0], "Trade") if kind == "trades" else (KINDS[1], "Quote")
    text = msgspec.json.encode({"stream": stream, "data": {"s": "BTCUSDT", **data}}).decode()

    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count(event) > 2)
        watcher.box.server.faults.on("nonsense_frame", text=text, kind="stream")
        await until(lambda: "stale" in watcher.states(kind))
        before = watcher.count(event)
        await until(lambda: watcher.count(event) > before + 2 and watcher.states(kind)[-1] == "connected")

    run(check, [name], **{kind: 1})


@pytest.mark.parametrize("body", ['[{"odd":1}]', "{}", "null", '{"symbol":"BTCUSDT","bidPrice":{}}'])
def test_streams_are_watched_whatever_the_venue_answers(body: str) -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Quote") > 2)
        watcher.box.server.faults.on("nonsense_body", body=body)
        watcher.box.server.faults.on("quiet_market")
        await until(lambda: "stale" in watcher.states("quotes"))
        watcher.box.server.faults.clear()
        await until(lambda: watcher.states("quotes")[-1] == "connected")

    run(check, KINDS[1:2], quotes=0.2)


def test_a_subscription_that_was_refused_is_asked_for_again() -> None:
    async def check(watcher: Watcher) -> None:
        render, refused = watcher.data.render, []

        def odd(is_wanted: bool, topics: list[str], number: int) -> bytes:
            if is_wanted and not refused:
                refused.append(number)
                return msgspec.json.encode({"method": "SUBSCRIBE", "params": "odd", "id": number})
            return render(is_wanted, topics, number)

        watcher.data.render = odd
        watcher.box.server.faults.on("hard_close", kind="stream")
        await until(lambda: "error" in watcher.states("trades"))
        before = watcher.count("Trade")
        await until(lambda: watcher.count("Trade") > before and watcher.states("trades")[-1] == "connected")

    run(check, KINDS[:1])


def test_a_subscription_that_was_acknowledged_and_not_made_is_never_fresh_and_made_again() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Quote") > 2)
        render, lost = watcher.data.render, []

        def odd(is_wanted: bool, topics: list[str], number: int) -> bytes:
            if is_wanted and not lost:
                lost.append(number)
                return render(False, topics, number)
            return render(is_wanted, topics, number)

        watcher.data.render = odd
        watcher.box.server.faults.on("hard_close", kind="stream")
        await until(lambda: lost)
        told, before = len(watcher.statuses), watcher.count("Quote")
        await until(lambda: watcher.count("Quote") > before and watcher.states("quotes")[-1] == "connected")
        states = [one.state for one in watcher.statuses[told:] if one.stream == KINDS[1]]
        assert states[0] == "stale", states

    run(check, KINDS[1:2], quotes=1)


def test_a_stream_that_stalls_is_not_fresh_because_it_was_subscribed_to_again() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Trade") and watcher.count("Quote") and watcher.count("BookUpdate"))
        watcher.box.server.faults.on("silent_stall")
        kinds = ("trades", "quotes", "book")
        await until(lambda: all("stale" in watcher.states(kind) for kind in kinds))
        await asyncio.sleep(5)
        assert all("connected" not in watcher.states(kind)[1:] for kind in kinds), watcher.statuses
        watcher.box.server.faults.clear()
        await until(lambda: all(watcher.states(kind)[-1] in ("connected", "resynced") for kind in kinds))

    run(check, KINDS[:3], trades=1, quotes=1, book=1)


def test_a_topic_that_is_left_and_subscribed_to_again_is_subscribed_to() -> None:
    sent: list[tuple[bool, list[str]]] = []

    class Recorder:
        def send(self, message: bytes) -> bool:
            sent.append(msgspec.json.decode(message, type=tuple[bool, list[str]]))
            return True

        def close(self) -> None:
            pass

    async def work() -> None:
        def render(is_wanted: bool, topics: list[str], number: int) -> bytes:
            return msgspec.json.encode((is_wanted, topics))

        subscriptions = Subscriptions(cast(Channel, Recorder()), render, lambda topics, problem: None, 10, 1_000)
        subscriptions.add(["a"])
        subscriptions.remove(["b"])
        subscriptions.add(["b"])
        subscriptions.remove(["a"])
        subscriptions.add(["a"])
        await until(lambda: sum(len(topics) for _, topics in sent) >= 4)
        subscriptions.close()

    asyncio.run(work())
    last = {topic: is_wanted for is_wanted, topics in sent for topic in topics}
    assert last == {"a": True, "b": True}, sent


def test_what_waited_while_the_process_stood_still_is_not_fresh() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Trade") and watcher.count("Quote"))
        watcher.data.liveness.beat_ns -= 10 * 10**9  # as if nothing had run for ten seconds
        told = len(watcher.statuses)
        await until(lambda: len(watcher.statuses) >= told + 2)
        assert [one.state for one in watcher.statuses[told : told + 2]] == ["stale", "stale"]
        since, before = asyncio.get_running_loop().time(), watcher.count("Trade")
        await until(lambda: all(watcher.states(kind)[-1] == "connected" for kind in ("trades", "quotes")))
        assert asyncio.get_running_loop().time() - since > 1.5
        assert watcher.count("Trade") > before, "what comes meanwhile is given to who wants it"

    run(check, KINDS[:2])


def test_a_standstill_is_seen_where_nothing_comes_behind_it() -> None:
    async def check(watcher: Watcher) -> None:
        await until(lambda: watcher.count("Trade") and watcher.count("Quote"))
        watcher.box.server.faults.on("quiet_market")
        await asyncio.sleep(0.5)
        told = len(watcher.statuses)
        watcher.data.liveness.beat_ns -= 10 * 10**9
        await until(lambda: len(watcher.statuses) >= told + 4)
        assert [one.state for one in watcher.statuses[told:]] == ["stale", "stale", "connected", "connected"]

    run(check, KINDS[:2])
