"""Sessions over the real protocol, on a local exchange."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_SECONDS, until

import tradewind as tw
from tradewind.journal import Journal
from tradewind.session.parity import parity


def lasting(seconds: float) -> Any:
    async def wait(sandbox: Any, ready: Any) -> None:
        await asyncio.sleep(seconds)

    return wait


def equal(ours: dict[str, str], theirs: dict[str, Any]) -> bool:
    """Whether both sides hold the same, of what our instruments know."""
    return all(Decimal(amount) == theirs.get(asset, Decimal(0)) for asset, amount in ours.items())


def test_a_paper_session_is_its_backtest_and_replays(trade: Any, tmp_path: Path) -> None:
    trade("paper", lasting(4))
    folder = tmp_path / "runs/busy/paper"
    with Journal(folder) as journal:
        assert journal.ending.finished and journal.ending.fills > 3
    assert tw.journal.replay(folder).identical
    found = parity(folder)
    assert found.is_equal and found.orders > 5, str(found)


@pytest.mark.parametrize("kind", ["ED25519", "HMAC"])
def test_a_live_session_holds_what_the_exchange_says(trade: Any, tmp_path: Path, kind: str) -> None:
    ours, theirs = trade("live", lasting(4), kind)
    folder = tmp_path / "runs/busy/live"
    with Journal(folder) as journal:
        assert journal.ending.finished and journal.ending.fills > 3
    assert equal(ours, theirs), (ours, theirs)
    assert tw.journal.replay(folder).identical
    found = parity(folder)
    assert found.is_explained and found.mode == "live", str(found)


def test_keys_are_in_nothing_that_a_session_writes(trade: Any, tmp_path: Path, capfd: Any) -> None:
    trade("live", lasting(1.5), "HMAC")
    lines = (tmp_path / "keys.toml").read_text().splitlines()
    secrets = [line.split('"')[1] if '"""' not in line else line.split('"""')[1] for line in lines]
    written = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert len(written) > 0 and all(len(secret) > 30 for secret in secrets)
    out, err = capfd.readouterr()
    for secret in secrets:
        assert not any(secret.encode() in path.read_bytes() for path in written)
        assert secret not in out + err


def test_an_order_of_unknown_fate_is_asked_for_and_never_sent_again(trade: Any, tmp_path: Path) -> None:
    async def meanwhile(sandbox: Any, ready: Any) -> None:
        await asyncio.sleep(1.5)
        sandbox.server.faults.on("timeout_accepted", occasions=2)
        await asyncio.sleep(4)

    ours, theirs = trade("live", meanwhile)
    assert equal(ours, theirs), (ours, theirs)


def test_a_broken_connection_is_mended_and_nothing_is_lost(trade: Any, tmp_path: Path) -> None:
    async def meanwhile(sandbox: Any, ready: Any) -> None:
        for _ in range(3):
            await asyncio.sleep(1.2)
            sandbox.server.faults.on("hard_close")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not all(ready.session.health.connections.values()):
                await asyncio.sleep(0.05)

    ours, theirs = trade("live", meanwhile)
    assert equal(ours, theirs), (ours, theirs)
    assert tw.journal.replay(tmp_path / "runs/busy/live").identical


def test_commands_and_values_reach_the_engine(trade: Any, tmp_path: Path) -> None:
    async def meanwhile(sandbox: Any, ready: Any) -> None:
        await asyncio.sleep(1.5)
        ready.session.send("mood", 0.5)
        ready.session.send("news", {"rates": [1, 2]})
        ready.session.command("trading_off")
        ready.session.command("close_all")
        await until(lambda: not ready.kernel.is_trading and ready.kernel.positions() == [])

    trade("paper", meanwhile)
    assert tw.journal.replay(tmp_path / "runs/busy/paper").identical
    assert parity(tmp_path / "runs/busy/paper").is_equal


def test_an_exception_of_the_strategy_ends_the_session_and_cancels_its_orders(trade: Any, tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(
        "import tradewind as tw\n\n\nclass Busy(tw.Strategy):\n"
        "    seen: int = tw.state(0)\n\n"
        "    def on_start(self, ctx):\n"
        '        self.btc = ctx.instrument("binance_spot:BTCUSDT")\n        ctx.subscribe(self.btc.trades)\n\n'
        "    def on_trade(self, ctx, trade):\n        self.seen += 1\n"
        "        if self.seen == 3:\n            ctx.buy(self.btc, 0.001, round(trade.price * 0.9, 2))\n"
        "        if self.seen == 12:\n            raise ZeroDivisionError('mine')\n"
    )

    async def meanwhile(sandbox: Any, ready: Any) -> None:
        await asyncio.sleep(PATIENCE_SECONDS)

    with pytest.raises(ZeroDivisionError, match="mine"):
        trade("live", meanwhile, trader=tmp_path / "failing.py")
    with Journal(tmp_path / "runs/busy/live") as journal:
        assert "ZeroDivisionError" in journal.ending.reason and not journal.ending.finished
    assert trade.open_orders == {}


FAULTS = {
    "duplicated_fill": {},
    "push_before_answer": {},
    "timeout_not_accepted": {"occasions": 2},
    "late_order": {"occasions": 1, "seconds_later": 1},
    "cancel_races_fill": {},
    "read_lag": {"lag_seconds": 1},
    "user_stream_ends": {"account": 1},
    "dropped_diff": {},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_both_sides_hold_the_same(trade: Any, tmp_path: Path, fault: str) -> None:
    async def meanwhile(sandbox: Any, ready: Any) -> None:
        await asyncio.sleep(1.5)
        sandbox.server.faults.on(fault, **FAULTS[fault])
        await asyncio.sleep(3)
        sandbox.server.faults.off(fault) if fault in sandbox.server.faults.active else None
        await asyncio.sleep(4.5 if "order" in fault or "timeout" in fault else 1)

    ours, theirs = trade("live", meanwhile)
    assert equal(ours, theirs), (ours, theirs)
    assert trade.open_orders == {}
    assert tw.journal.replay(tmp_path / "runs/busy/live").identical


def test_an_order_that_was_given_up_and_comes_after_all_is_cancelled(trade: Any, tmp_path: Path) -> None:
    async def meanwhile(sandbox: Any, ready: Any) -> None:
        await asyncio.sleep(1.5)
        sandbox.server.faults.on("late_order", occasions=1, seconds_later=6)
        await asyncio.sleep(9)

    ours, theirs = trade("live", meanwhile)
    assert trade.open_orders == {}
    assert equal(ours, theirs), (ours, theirs)


def test_an_order_of_on_start_does_not_leave_before_the_venue_is_there(trade: Any, tmp_path: Path) -> None:
    (tmp_path / "eager.py").write_text(
        "import tradewind as tw\n\n\nclass Busy(tw.Strategy):\n"
        "    def on_start(self, ctx):\n"
        '        self.btc = ctx.instrument("binance_spot:BTCUSDT")\n        ctx.subscribe(self.btc.trades)\n'
        "        ctx.buy(self.btc, 0.001)\n"
    )
    trade("live", lasting(2), trader=tmp_path / "eager.py")
    with Journal(tmp_path / "runs/busy/live") as journal:
        assert (journal.ending.finished, journal.ending.orders, journal.ending.fills) == (True, 0, 0)
