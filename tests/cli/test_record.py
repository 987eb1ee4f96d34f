"""``tradewind data record``, and what it refuses."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from raw_rows import imported
from session_exchange import exchange

from tradewind.cli.app import run
from tradewind.data.notes import NOTES_NAME

COMMAND = [sys.executable, "-c", "from tradewind.cli import main; main()", "data", "record"]


async def recorded(folder: Path, *more: str, interrupt: bool = False, tls: bool = False) -> tuple[int, str]:
    """Record from a sandbox; gives exit code and what was said."""
    async with exchange(tls=tls) as sandbox:
        if sandbox.authority is not None:
            folder.joinpath("authority.pem").write_bytes(sandbox.authority.certificate)
        urls = ["--rest", sandbox.rest_url, "--stream", sandbox.stream_url]
        command = [*COMMAND, "binance_spot:BTCUSDT", "--out", str(folder), *urls, *more]
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        begun = time.monotonic()
        while interrupt and not any(file.stat().st_size > 3_000 for file in folder.rglob("btc*.gz")):
            assert time.monotonic() - begun < 30 and running.poll() is None
            await asyncio.sleep(0.05)
        if interrupt:
            running.send_signal(signal.SIGINT)
        _, said = await asyncio.to_thread(running.communicate, timeout=60)
        return running.returncode, said


def test_ctrl_c_ends_a_recording_in_order(tmp_path: Path) -> None:
    code, said = asyncio.run(recorded(tmp_path, interrupt=True))
    folder = tmp_path / "binance_spot"
    assert code == 0, said
    assert f"are in {folder}" in said
    rows, report = imported(folder)
    assert {row[0] for row, _ in rows} == {2, 3, 4} and report.cut_off == ()
    assert b'"what":"end"' in (folder / NOTES_NAME).read_bytes()
    (file,) = folder.glob("btcusdt_*.gz")
    assert f"--data binance_spot:BTCUSDT=raw:{file} --stream trade --stream quote --stream book" in said


def test_a_sandbox_that_encrypts_is_recorded_by_who_trusts_its_authority(tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    code, said = asyncio.run(recorded(tmp_path, "--for", "2s", "--authority", str(authority), tls=True))
    assert code == 0, said
    rows, _ = imported(tmp_path / "binance_spot")
    assert rows
    code, said = asyncio.run(recorded(tmp_path, "--for", "2s", tls=True))
    assert code != 0 and "certificate" in said


def test_a_symbol_that_the_venue_does_not_have_is_named(tmp_path: Path) -> None:
    code, said = asyncio.run(recorded(tmp_path, "binance_spot:NOPE", "--for", "2s"))
    assert code == 1 and "[unknown_instrument] binance_spot has no instrument NOPE\n" in said and "BTCUSDT" not in said


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_refused(tmp_path: Path, text: str | None) -> None:
    authority = tmp_path / "mine.pem"
    if text is not None:
        authority.write_text(text)
    code, said = asyncio.run(recorded(tmp_path, "--for", "2s", "--authority", str(authority), tls=True))
    assert code != 0 and "[unreadable_file]" in said and "mine.pem" in said and "hint:" in said
    assert "Traceback" not in said


def test_what_is_said_reads_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = asyncio.run(recorded(tmp_path, "--for", "2s", "--streams", "trades,book"))
    assert code == 0, said
    words = said.strip().splitlines()[-1].removeprefix("read them with ").split()
    strategy = tmp_path / "still.py"
    strategy.write_text(
        "import tradewind as tw\n\n\nclass Still(tw.Strategy):\n    def on_start(self, ctx):\n"
        '        ctx.subscribe(ctx.instrument("binance_spot:BTCUSDT").trades)\n'
    )
    given = [f"{strategy}:Still", *words, "--balance", "USDT=1000", "--out", str(tmp_path / "out")]
    assert run(["backtest", *given]) == 0, capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no instrument is named"),
        (["BTCUSDT"], "'BTCUSDT' is no instrument"),
        (["bybit_linear:BTCUSDT"], "raw frames of bybit_linear cannot be read again"),
        (["binance_spot:BTCUSDT", "bybit_spot:BTCUSDT"], "one venue is recorded at a time"),
        (["binance_spot:BTCUSDT", "--streams", "trades,bars"], "--streams 'bars'"),
        (["binance_spot:BTCUSDT", "--for", "long"], "'long' is not a duration"),
    ],
)
def test_what_cannot_be_recorded(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "record", *words, "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err.replace("\n", " ")
    assert message in said and "hint:" in said


def test_two_recordings_do_not_go_into_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tradewind.journal.lock import only_one

    (tmp_path / "binance_spot").mkdir()
    with only_one(tmp_path / "binance_spot"):
        assert run(["data", "record", "binance_spot:BTCUSDT", "--out", str(tmp_path)]) == 1
    assert "goes on in another process" in capsys.readouterr().err.replace("\n", " ")


def test_a_backtest_has_no_frames_to_record_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "system.toml").write_text(
        '[venues.synthetic]\nsimulated = { preset = "typical" }\n'
        '[accounts.main]\nvenue = "synthetic"\nbalances = { USDT = "1000" }\n'
        '[strategies.cross]\nclass = "tradewind:ema_cross"\n'
        'parameters = { instrument = "synthetic:BTCUSDT", quantity = 0.001 }\n'
        '[[data]]\ninstrument = "synthetic:BTCUSDT"\nkind = "synthetic"\nevents = 2_000\n'
    )
    for words, is_told in (([], False), (["--record-raw"], True)):
        assert run(["run", "system.toml", "--mode", "backtest", *words]) == 0
        assert ("journal.record_raw holds in paper and live only" in capsys.readouterr().err) is is_told
