"""Every entry of the journal reaches whoever reads along, in its order; a reader that sleeps harms nobody."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tradewind.control import Control, Replica
from tradewind.control.audit import Audit
from tradewind.control.entries import TYPES, Entry, EntryDecoder, Fill, Trade
from tradewind.control.frames import block_of
from tradewind.errors import TradewindError
from tradewind.journal import Journal

BUSY = Path(__file__).parents[1] / "session" / "trader.py"
FOLLOW = """
import asyncio, json, sys
from tradewind.control import Replica

async def follow():
    async with Replica(sys.argv[1]) as replica:
        compared = await replica.compare()
        end = await replica.follow()
        print(json.dumps([compared.sequence, end.sequence, end.state_hash, replica.inputs, replica.decisions]))

asyncio.run(follow())
"""


def test_events_are_the_entries_of_the_journal(steer: Any, tmp_path: Path) -> None:
    events: list[Entry] = []
    fills: list[Entry] = []

    async def work(one: Any) -> None:
        async def read(reader: Any, into: list[Entry]) -> None:
            async for event in reader:
                into.append(event)  # noqa: PERF401 - it is looked at meanwhile

        one.reading = [
            asyncio.create_task(read(one.session.events(), events)),
            asyncio.create_task(read(one.session.events("fills"), fills)),
        ]
        await one.until(lambda: len(fills) > 5 and len(events) > 150)
        one.session.stop()
        await one.running
        await asyncio.gather(*one.reading)

    steer(work, trader=BUSY)
    with Journal(tmp_path / "runs/busy/paper") as journal:
        decoder = EntryDecoder(journal.manifest)
        entries = [entry for block in journal.blocks() for entry in decoder.decode(block)]
    # A number for each entry, without one missing or twice.
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert events == entries[-len(events) :] and len(events) > 100
    assert fills == [entry for entry in events if isinstance(entry, Fill)] and len(fills) > 3
    found = Counter(type(entry) for entry in entries)
    assert found[Trade] > 20 and all(found[TYPES[name]] for name in ("decisions", "account", "fills", "commands"))


def test_a_table_that_there_is_not_is_an_error(steer: Any) -> None:
    async def work(one: Any) -> None:
        with pytest.raises(TradewindError, match="fils: there is no such table"):
            one.session.events("fils")

    steer(work)


def test_a_reader_that_sleeps_is_dropped_and_others_are_not() -> None:
    async def work() -> None:
        audit: Any = Audit(None)  # type: ignore[arg-type]
        sleeps, reads = audit.reader(1_000), audit.reader(1_000)
        for at in range(20):
            audit.publish((at + 1, at + 1, bytes(100)))
            assert (await reads.next()).first == at + 1
        with pytest.raises(TradewindError) as caught:
            await sleeps.next()
        assert caught.value.code == "slow_reader"
        audit.close()
        assert await reads.next() is None and await audit.reader().next() is None

    asyncio.run(work())


def test_a_replica_in_another_process_has_the_same_state(steer: Any, tmp_path: Path) -> None:
    found: list[Any] = []

    async def work(one: Any) -> None:
        await one.until(one.kernel.positions)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FOLLOW, str(one.ready.folder), stdout=asyncio.subprocess.PIPE
        )
        at = one.session.audit.last
        await one.until(lambda: one.server.readers == 1)
        await one.until(lambda: one.session.audit.last > at + 100)
        await one.ask(lambda control: control.value("mood", 1.5))
        one.session.stop()
        await one.running
        out, _ = await process.communicate()
        assert process.returncode == 0
        found.extend(json.loads(out))
        found.append(one.kernel.hashes[0])

    steer(work, trader=BUSY)
    compared, end, state_hash, inputs, decisions, expected = found
    with Journal(tmp_path / "runs/busy/paper") as journal:
        assert (end, inputs, state_hash) == (journal.ending.entries, journal.ending.inputs, journal.ending.state_hash)
    assert 0 < compared < end and state_hash == expected and decisions > 5


def test_a_replica_joins_behind_any_entry_without_a_hole(steer: Any) -> None:
    async def work(one: Any) -> None:
        joined = []
        for _ in range(5):
            replica = Replica(one.ready.folder)
            async with replica:
                agreed = await replica.compare()
                joined.append(agreed.sequence)
                assert (replica.sequence, replica.state_hash) == (agreed.sequence, agreed.state_hash)
        assert joined == sorted(joined) and joined[0] > 0

    steer(work, trader=BUSY)


def test_a_replica_that_is_cut_off_says_so(steer: Any) -> None:
    async def work(one: Any) -> None:
        async with Replica(one.ready.folder) as replica:
            agreed = await replica.compare()
            assert replica.agreed == agreed
            await anext(replica)
            assert replica.agreed is None and replica.sequence > agreed.sequence
            transport: Any = replica._socket._response.connection.transport
            transport.abort()
            with pytest.raises(TradewindError, match=r"was cut off at entry [\d,]+: .*1006") as caught:
                async for _ in replica:
                    pass
            assert caught.value.code == "unreachable"

    steer(work, trader=BUSY)


def test_a_replica_is_told_why_the_journal_cannot_be_sent(steer: Any, monkeypatch: Any) -> None:
    async def damaged(journal: Path) -> AsyncGenerator[Any, None]:
        raise TradewindError("bad_journal", "block 1 was altered")
        yield

    monkeypatch.setattr("tradewind.control.server.history", damaged)

    async def work(one: Any) -> None:
        async with Replica(one.ready.folder) as replica:
            with pytest.raises(TradewindError, match="cut off at entry 0: bad_journal: block 1 was altered"):
                async for _ in replica:
                    pass

    steer(work)


def test_a_replica_with_another_strategy_is_told(steer: Any, tmp_path: Path) -> None:
    async def work(one: Any) -> None:
        await one.until(one.kernel.positions)
        (tmp_path / "trader.py").write_text(BUSY.read_text().replace("0.01 if", "0.02 if"))
        with pytest.raises(TradewindError) as caught:
            async with Replica(one.ready.folder) as replica:
                await replica.compare()
        assert caught.value.code == "divergence" and "buy 0.02" in caught.value.message

    (tmp_path / "trader.py").write_text(BUSY.read_text())
    steer(work, trader=tmp_path / "trader.py")


def test_the_audit_goes_on_behind_an_entry(steer: Any) -> None:
    async def work(one: Any) -> None:
        await one.until(lambda: one.session.audit.last > 60)
        control = Control(one.ready.folder)
        async with (
            aiohttp.ClientSession(headers=control.headers) as client,
            client.ws_connect(f"{control.url}/audit?after=50") as socket,
        ):
            first = block_of((await socket.receive()).data)
            assert first.first <= 51 <= first.last
            await socket.send_str("nonsense")
            assert block_of((await socket.receive()).data).first == first.last + 1
        await one.until(lambda: one.server.readers == 0)

    steer(work, trader=BUSY)


def test_a_follower_that_sleeps_is_dropped_and_the_session_goes_on(steer: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("tradewind.control.audit.MOST_WAITING_BYTES", 1_000_000)

    async def work(one: Any) -> None:
        control = Control(one.ready.folder)
        async with aiohttp.ClientSession(headers=control.headers) as client:
            socket = await client.ws_connect(f"{control.url}/audit", receive_timeout=None)
            transport: Any = socket._response.connection.transport
            transport.pause_reading()
            await one.until(lambda: one.server.readers == 1)
            # What the sockets hold on the way counts, too.
            for _ in range(200):
                if one.server.readers:
                    await one.ask(lambda control: control.value("noise", "x" * 100_000))
            await one.until(lambda: one.server.readers == 0)
            transport.resume_reading()
            while (await socket.receive()).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                pass
            # It may have read so little that not even the reason got through.
            assert socket.close_code in (aiohttp.WSCloseCode.POLICY_VIOLATION, 1006)
        assert one.session.is_running

    steer(work)


def test_the_session_of_a_killed_process_says_so(tmp_path: Path) -> None:
    (tmp_path / "control.json").write_text(f'{{"url": "http://127.0.0.1:9", "token_file": "{tmp_path}/t", "pid": 1}}')
    token = tmp_path / "t"
    with os.fdopen(os.open(token, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
        out.write("x" * 40)
    with pytest.raises(TradewindError, match="nothing answers") as caught:
        Control(tmp_path).status()
    assert caught.value.code == "not_running"
