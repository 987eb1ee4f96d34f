"""Connections that end as announced, or sooner: what a session sends goes on to arrive."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from rich.console import Console
from session_bench import STILL, Bench, execution_of, is_up, on_bench

from tradewind.control.status import Observer
from tradewind.control.view import rendered
from tradewind.session.report import SessionReport
from tradewind.session.run import _line


def test_orders_and_cancels_arrive_after_an_announced_end_that_the_new_connection_missed(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        async with bench.session() as ready:
            session, kernel = ready.session, ready.kernel
            await bench.until(lambda: is_up(ready) and kernel.rows > 5 and kernel.is_trading)
            btc = session.index.instrument("binance_spot:BTCUSDT")

            def buy(price: str) -> None:
                session.act(lambda: kernel.open_order(session.stamp(), "busy", btc, "buy", "0.001", price, "gtc"))

            buy("50000.00")
            await bench.until(lambda: bench.open_orders and kernel.open_orders()[0]["status"] == "open")
            # Two steps of a logon take longer than the old connection has left.
            bench.faults.on("late_logon", delay_seconds=0.75)
            bench.faults.on("announced_disconnect", kind="api", notice_seconds=0.3)
            await bench.until(lambda: not is_up(ready))
            await bench.until(lambda: is_up(ready))
            # What was left behind has logged on by now, and ended.
            await asyncio.sleep(3)
            await bench.until(lambda: is_up(ready))
            assert execution_of(ready)._ready is execution_of(ready)._link.current is not None
            session.command("cancel_all")
            await bench.until(lambda: not bench.open_orders and not kernel.open_orders())
            buy("51000.00")
            await bench.until(lambda: bench.open_orders and kernel.open_orders()[0]["status"] == "open")
            session.command("cancel_all")
            await bench.until(lambda: not bench.open_orders and not kernel.open_orders())

    on_bench(tmp_path, STILL, work)


def test_why_orders_do_not_reach_the_venue_is_said_once_and_stands_in_the_view_until_they_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(bench: Bench) -> None:
        url = bench.sandbox.api_url
        bench.path.write_text(bench.path.read_text().replace(f'api = "{url}"', 'api = "ws://127.0.0.1:9"'))
        async with bench.session() as ready:
            health, link = ready.session.health, execution_of(ready)._link
            await bench.until(lambda: health.reasons)
            # It is tried again meanwhile.
            await asyncio.sleep(2)
            assert list(health.reasons) == ["binance_spot orders"]
            said = [one.getMessage() for one in caplog.records if "orders are down" in one.getMessage()]
            assert len(said) == 1 and "ws://127.0.0.1:9" in said[0] and "cannot be reached" in said[0]
            status = Observer(ready.session, ready.about).status()
            assert status.health.reasons == health.reasons
            console = Console(file=io.StringIO(), width=400)
            console.print(rendered(status))
            assert "down: binance_spot orders (ws://127.0.0.1:9" in console.file.getvalue()  # type: ignore[attr-defined]
            # What the account holds is not known, and not nothing.
            assert (status.equity, status.unknown_accounts) == (None, ["binance_spot"])
            assert "what is held at binance_spot is not known yet" in console.file.getvalue()  # type: ignore[attr-defined]
            assert " | equity unknown | " in _line(ready.kernel, ready.session)
            report = SessionReport.of(ready)
            assert "\nequity   unknown, maximum" in str(report) and report.metrics["starting_equity"] is None
            link.url = url
            await bench.until(lambda: is_up(ready))
            assert not health.reasons
            status = Observer(ready.session, ready.about).status()
            assert status.equity is not None and not status.unknown_accounts

    on_bench(tmp_path, STILL, work)
