"""What a session is asked to do is an input of its journal, and done."""

from __future__ import annotations

import asyncio
from typing import Any

import tradewind as tw
from tradewind.control.entries import Entry, Value

BTC = "binance_spot:BTCUSDT"


def replayed(tmp_path: Any, mode: str = "paper") -> None:
    assert tw.journal.replay(tmp_path / "runs/busy" / mode).identical


def written(tmp_path: Any, mode: str = "paper") -> list[Entry]:
    """Every entry of a run's journal."""
    from tradewind.control.entries import TYPES, typed
    from tradewind.journal import Journal
    from tradewind.journal.tables import Decoder

    with Journal(tmp_path / "runs/busy" / mode) as journal:
        decoder = Decoder(journal.manifest, tuple(TYPES))
        return [entry for block in journal.blocks() for entry in typed(decoder.decode(block))]


def test_values_go_to_the_strategies_that_named_them(steer: Any, tmp_path: Any) -> None:
    async def work(one: Any) -> None:
        done = await one.ask(lambda control: control.value("mood", 0.5))
        assert done.strategies == ["busy"] and done.sequence == one.session.audit.last
        done = await one.ask(lambda control: control.value("mood", {"rates": [1, 2.5]}))
        assert (await one.ask(lambda control: control.value("weather", "rain"))).strategies == []
        assert one.ready.about.strategies[0].moods == [0.5, {"rates": [1, 2.5]}]

    steer(work)
    values = [(one.stream, one.kind, one.number, one.text) for one in written(tmp_path) if isinstance(one, Value)]
    assert values == [
        ("mood", "number", 0.5, None),
        ("mood", "json", None, '{"rates": [1, 2.5]}'),
        ("weather", "text", None, "rain"),
    ]
    replayed(tmp_path)


def test_status(steer: Any) -> None:
    async def work(one: Any) -> None:
        await one.ask(lambda control: control.value("mood", "buy"))
        await asyncio.sleep(2)
        print(one.kernel.closed_orders(5), one.session.health, one.kernel.rows)
        status = await one.ask(lambda control: control.status())
        print(status)
        assert status.stage == "running" and status.is_trading

    steer(work)
