"""Instruments that a venue does not have, or has otherwise, are met at the start and not by the first order."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from session_bench import STILL, Bench, is_up, on_bench

import tradewind as tw

PLACE = '[instruments."binance_spot:BTCUSDT"]'


def changed(bench: Bench, lines: str) -> None:
    text = bench.path.read_text()
    assert PLACE in text
    bench.path.write_text(text.replace(PLACE, lines))


def test_a_symbol_that_the_venue_does_not_have_ends_a_live_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(bench: Bench) -> None:
        changed(bench, f'{PLACE}\n[instruments."binance_spot:SOLUSDT"]')
        with pytest.raises(tw.TradewindError, match="binance_spot has no instrument SOLUSDT") as caught:
            async with bench.session():
                pass
        assert caught.value.code == "unknown_instrument"
        async with bench.session("paper") as ready:
            await bench.until(lambda: ready.kernel.rows > 0)
        assert "has no instrument SOLUSDT" in caplog.text

    on_bench(tmp_path, STILL, work)


def test_another_tick_than_the_venues_ends_a_live_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(bench: Bench) -> None:
        changed(bench, f'{PLACE}\ntick = "0.1"\nlot = "0.001"')
        with pytest.raises(tw.TradewindError, match=r"tick 0\.1 here and 0\.01 there, lot 0\.001 here") as caught:
            async with bench.session():
                pass
        assert caught.value.code == "bad_specification" and 'tick = "0.01"' in caught.value.hint
        # On paper the simulated venue has what the file says.
        async with bench.session("paper") as ready:
            await bench.until(lambda: ready.kernel.rows > 0)
        assert "tick 0.1 here" in caplog.text

    on_bench(tmp_path, STILL, work)


def test_a_run_that_was_cut_off_goes_on_although_the_venue_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def found(*_: Any) -> list[tw.TradewindError]:
        return [tw.TradewindError("bad_specification", "another tick")]

    async def work(bench: Bench) -> None:
        async with bench.session(ends="killed") as ready:
            await bench.until(lambda: is_up(ready))
        monkeypatch.setattr(sys.modules["tradewind.session.run"], "misfits", found)
        async with bench.session() as ready:
            assert ready.is_recovered
        assert "another tick" in caplog.text

    on_bench(tmp_path, STILL, work)


def test_a_venue_that_cannot_be_asked_now_is_no_reason_not_to_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(bench: Bench) -> None:
        bench.faults.on("reset_request", path="/api/v3/exchangeInfo")
        async with bench.session() as ready:
            await bench.until(lambda: is_up(ready))
        assert "its specifications cannot be compared" in caplog.text

    on_bench(tmp_path, STILL, work)
