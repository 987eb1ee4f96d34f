"""A cancel that was asked for is sent until the order is gone, whatever became of it on its way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from session_bench import RESTING, STILL, Bench, execution_of, is_up, lose, on_bench, postings

from tradewind.journal import replay
from tradewind.session import feeds
from tradewind.venues import CancelRejected


def refuse_the_first(execution: Any, code: str, most: int = 1) -> list[Any]:
    """The venue refuses one cancel, or some, and takes those behind it."""
    send, tried = execution.cancel, list[Any]()

    def cancel(request: Any) -> None:
        tried.append(request)
        if len(tried) > most:
            send(request)
            return
        refusal = CancelRejected(request.client_id, code, "-1003", 0)
        asyncio.get_running_loop().call_soon(execution._sink, refusal)

    execution.cancel = cancel
    return tried


@pytest.mark.parametrize("how", ["disconnected", "rate_limited", "venue_refused", "trading_off", "bad_credentials"])
@pytest.mark.parametrize("what", ["loss", "command"])
def test_no_order_rests_behind_the_end_of_trading(tmp_path: Path, what: str, how: str) -> None:
    async def work(bench: Bench) -> None:
        bench.path.write_text(bench.path.read_text().replace('daily_loss = "5000"', 'daily_loss = "20"'))
        async with bench.session(ends="killed") as ready:
            session, kernel = ready.session, ready.kernel
            btc = session.index.instrument("binance_spot:BTCUSDT")
            await bench.until(lambda: is_up(ready) and kernel.rows > 5 and kernel.is_trading)
            session.act(lambda: kernel.open_order(session.stamp(), "busy", btc, "buy", "0.05", None, "gtc"))
            await bench.until(kernel.positions)
            session.act(lambda: kernel.open_order(session.stamp(), "busy", btc, "buy", "0.01", "50000.00", "gtc"))
            await bench.until(lambda: [one for one in kernel.open_orders() if one["status"] == "open"])
            tried = list[Any]()
            if how == "disconnected":
                bench.faults.on("refused_connections")
                bench.faults.on("hard_close", kind="api")
                await bench.until(lambda: not is_up(ready))
            else:
                tried = refuse_the_first(execution_of(ready), how)
            if what == "loss":
                lose(bench)
                await bench.until(lambda: kernel.outcome()["day"][1] < -20)
                # The limit looks once a second, when something happens.
                await asyncio.sleep(1.1)
                session.send("anything", 1)
            else:
                session.command("trading_off")
                session.command("cancel_all")
            if how == "disconnected":
                assert bench.open_orders
                await bench.until(
                    lambda: not [one for one in kernel.open_orders() if one["status"] == "cancel_in_flight"]
                )
                bench.faults.off("refused_connections")
            await bench.until(lambda: not bench.open_orders and not kernel.open_orders())
            # Once it is known to rest, and not again and again.
            assert len(tried) in (0, 2)
        assert postings(tmp_path)
        assert replay(tmp_path / "runs/busy/live").verdict == "unfinished"

    on_bench(tmp_path, STILL, work)


def test_a_cancel_that_a_closed_market_refuses_is_sent_again_and_not_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            # Here, too: that it was accepted is news, by which the cancel would be sent again at once.
            await bench.until(lambda: [one["status"] for one in ready.kernel.open_orders()] == ["open"])
            tried = refuse_the_first(execution_of(ready), "trading_off", most=2)
            ready.session.command("cancel_all")
            await asyncio.sleep(2)
            assert len(tried) == 1
            monkeypatch.setattr(feeds, "_HALT_SECONDS", 0.0)
            await bench.until(lambda: not bench.open_orders and not ready.kernel.open_orders())
            assert len(tried) == 3

    on_bench(tmp_path, RESTING, work)
