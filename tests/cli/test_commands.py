from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import polars as pl
import pytest
from cyclopts import CycloptsError
from rich.console import Console

import tradewind as tw
from tradewind.cli import app
from tradewind.journal import Journal, replay

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "binance-raw"
MARKET = ("--data", "synthetic:BTCUSDT=synthetic:20000", "--balance", "USDT=100000")


def test_demo(cli, snapshot, masked, folder):
    code, out, err = cli("demo", "--events", "200000", "--backtest-only")
    assert code == 0
    assert masked(out) == snapshot
    assert masked(err) == snapshot
    names = sorted(entry.name for entry in (folder / "runs" / "demo").iterdir())
    assert names == [
        "equity.parquet",
        "fills.parquet",
        "journal.sqlite",
        "manifest.json",
        "metrics.json",
        "orders.parquet",
    ]
    assert "identical" in out
    assert "synthetic market" in out


def test_demo_as_json(cli):
    code, out, _ = cli("demo", "--events", "20000", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["replay"]["verdict"] == "identical"
    assert answer["rows"] == 20_000


def test_backtest_prints_saves_and_replays(cli, snapshot, masked, folder):
    code, out, err = cli(
        "backtest", "strategy.py", *MARKET, "--param", "fast=10", "--out", "run", "--journal", "run/journal.sqlite"
    )
    assert code == 0
    assert masked(out) == snapshot
    assert masked(err) == snapshot
    orders = pl.read_parquet(folder / "run" / "orders.parquet")
    assert orders.height == json.loads((folder / "run" / "metrics.json").read_text())["orders"] > 0
    assert (
        json.loads((folder / "run" / "manifest.json").read_text())["code"]["strategies"][0]["parameters"]["fast"] == 10
    )
    code, out, _ = cli("replay", "run")
    assert code == 0
    assert masked(out) == snapshot
    (folder / "strategy.py").write_text((folder / "strategy.py").read_text().replace("> self.slow", "< self.slow"))
    code, out, _ = cli("replay", "run")
    assert code == 1
    assert masked(out) == snapshot
    code, out, _ = cli("replay", "run", "--json")
    assert code == 1
    assert json.loads(out)["divergence"]["event"] == "trade of synthetic:BTCUSDT"


def test_backtest_of_one_class_of_several_as_json(cli, folder):
    (folder / "strategy.py").write_text((folder / "strategy.py").read_text() + "\n\nclass Other(Cross):\n    pass\n")
    code, _, err = cli("backtest", "strategy.py", *MARKET)
    assert (code, "defines several strategies" in err) == (1, True)
    code, out, err = cli("backtest", "strategy.py:Other", *MARKET, "--param", "both=no", "--json")
    assert code == 0
    assert json.loads(out)["orders"] > 0
    code, _, err = cli("backtest", "strategy.py:Othre", *MARKET)
    assert (code, "there is Other" in err) == (1, True)


def test_options_reach_the_run(cli):
    options = (
        "--latency",
        "5ms",
        "--limit",
        "position=0.001",
        "--seed",
        "3",
        "--equity-interval",
        "1m",
        "--leverage",
        "2",
    )
    code, out, _ = cli("backtest", "strategy.py", *MARKET, *options)
    assert code == 0
    assert "latency 5ms" in out
    assert "leverage 2" in out
    assert "Limits(position=0.001)" in out
    assert "risk_position" in out


@pytest.fixture
def tables(folder):
    """Trades, quotes and bars of the synthetic market, as files that users have."""
    count = 400
    price = [60_000 + (i * 37 % 101) / 10 for i in range(count)]
    time_ms = [1_700_000_000_000 + i * 1_000 for i in range(count)]
    frame = pl.DataFrame({"ts": time_ms, "price": price, "amount": [0.5] * count})
    frame.write_parquet(folder / "trades.parquet")
    frame.rename({"amount": "lots"}).write_csv(folder / "trades.csv")
    pl.DataFrame({"ts": time_ms, "bid": price, "ask": [p + 0.1 for p in price]}).with_columns(
        bid_size=pl.lit(1.0), ask_size=pl.lit(1.0), ask=pl.col("ask").round(1)
    ).write_ipc(folder / "quotes.feather")
    pl.DataFrame(
        {"ts": [1_700_000_040_000 + i * 60_000 for i in range(50)], "open": [60_000.0] * 50, "high": [60_010.0] * 50}
    ).with_columns(low=pl.lit(59_990.0), close=pl.lit(60_001.0), volume=pl.lit(3.0)).write_parquet(
        folder / "bars.parquet"
    )


BINANCE = (
    "--balance",
    "USDT=100000",
    "--param",
    "instrument=binance_usdm:BTCUSDT",
    "--param",
    "slow=30",
    "--time-unit",
    "ms",
)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (["binance_usdm:BTCUSDT=trades.parquet"], []),
        (["binance_usdm:BTCUSDT=trades:trades.csv"], ["--column", "quantity=lots"]),
        (["binance_usdm:BTCUSDT=trades.parquet", "binance_usdm:BTCUSDT=quotes:quotes.feather"], []),
    ],
)
def test_tables_are_read(cli, tables, data, options):
    given = [part for one in data for part in ("--data", one)]
    code, out, err = cli("backtest", "strategy.py", *given, *BINANCE, *options)
    assert code == 0, err
    assert "binance_usdm:BTCUSDT" in out


def test_bars_need_interval_and_label(cli, tables, folder):
    (folder / "bars.py").write_text(
        "import tradewind as tw\n\n\nclass Hold(tw.Strategy):\n    def on_start(self, ctx):\n"
        "        self.btc = ctx.instrument('binance_usdm:BTCUSDT')\n        ctx.subscribe(self.btc.bars('1m'))\n\n"
        "    def on_bar(self, ctx, bar):\n        ctx.target(self.btc, 0.01)\n"
    )
    arguments = (
        "backtest",
        "bars.py",
        "--data",
        "binance_usdm:BTCUSDT=bars:bars.parquet",
        "--balance",
        "USDT=1000",
        "--time-unit",
        "ms",
    )
    code, _, err = cli(*arguments)
    assert (code, "--interval 1m" in err) == (1, True)
    code, out, err = cli(*arguments, "--interval", "1m", "--label", "start")
    assert code == 0, err
    assert "50 market events" in out


HOLD = """
import tradewind as tw


class Hold(tw.Strategy):
    def on_start(self, ctx):
        self.btc = ctx.instrument("binance_usdm:BTCUSDT")
        ctx.subscribe(self.btc.trades)

    def on_trade(self, ctx, trade):
        ctx.target(self.btc, 0.1)
"""
PERPETUAL = (
    "--data",
    "binance_usdm:BTCUSDT=trades:trades.parquet",
    "--data",
    "binance_usdm:BTCUSDT=marks:marks.csv",
    "--data",
    "binance_usdm:BTCUSDT=funding:funding.csv",
    "--balance",
    "USDT=100000",
    "--time-unit",
    "ms",
)


@pytest.fixture
def perpetual(tables, folder):
    """Marks and funding beside the trades, with names of which one must be stated."""
    (folder / "hold.py").write_text(HOLD)
    at = [1_700_000_000_000 + place for place in (0, 100_000, 390_000)]
    prices = ["60000.12345678", "60010.5", "59990"]
    pl.DataFrame({"ts": at, "mark_price": prices}).write_csv(folder / "marks.csv")
    pl.DataFrame({"ts": [at[1] + 1], "r": ["0.0001000004"]}).write_csv(folder / "funding.csv")


def test_marks_and_funding(cli, perpetual, snapshot, masked):
    code, out, err = cli("backtest", "hold.py", *PERPETUAL, "--column", "rate=r", "--json")
    assert code == 0, err
    assert masked(err) == snapshot
    answer = json.loads(out)
    assert answer["rows"] == 404
    [one] = answer["instruments"]
    assert (one["mark"], one["mark_source"]) == (59990.0, "mark_price")
    assert one["funding"] == -round(60010.5 * 0.1 * 0.0001, 8)


def test_a_column_is_that_of_the_data_that_have_it(cli, perpetual, snapshot):
    code, _, err = cli("backtest", "hold.py", *PERPETUAL)
    assert (code, "funding.csv has no column 'rate'" in err) == (1, True)
    code, out, err = cli("backtest", "hold.py", *PERPETUAL, "--column", "rate=r", "--column", "bid=r")
    assert (code, out) == (1, "")
    assert err == snapshot


def test_an_instrument_of_ones_own(cli, tables, folder):
    (folder / "coin.toml").write_text(
        'venue = "my"\nsymbol = "COIN"\nkind = "spot"\nbase = "COIN"\nquote = "USDT"\ntick = "0.1"\nlot = "0.001"\n'
        'minimum_quantity = "0.001"\nminimum_notional = "5"\nmaker_fee = "0.001"\ntaker_fee = "0.001"\n'
    )
    arguments = (
        "backtest",
        "strategy.py",
        "--data",
        "my:COIN=trades.parquet",
        "--time-unit",
        "ms",
        "--balance",
        "USDT=100000",
    )
    arguments += ("--param", "instrument=my:COIN", "--param", "both=no", "--param", "slow=30")
    code, _, err = cli(*arguments)
    assert (code, "--instrument FILE.toml" in err) == (1, True)
    code, _, err = cli(*arguments, "--instrument", "coin.toml")
    assert (code, "--latency 20ms" in err) == (1, True)
    code, _, err = cli(*arguments, "--instrument", "coin.toml", "--latency", "20ms")
    assert (code, "--currency" in err) == (0, False), err


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
def test_raw_frames_need_alignment(cli):
    data = f"binance_usdm:BTCUSDT={RECORDED}/usdm/btcusdt_20240808.gz"
    arguments = (
        "backtest",
        "strategy.py",
        "--data",
        data,
        "--balance",
        "USDT=100000",
        "--param",
        "instrument=binance_usdm:BTCUSDT",
    )
    code, out, err = cli(*arguments)
    assert (code, out) == (1, "")
    assert "add --align" in err
    code, out, err = cli(*arguments, "--align", "--minimum-latency", "1ms", "--journal", "run.sqlite")
    assert code == 0, err
    assert "87,402 market events" in out
    assert cli("replay", "run.sqlite")[0] == 0


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
def test_raw_spot_quotes_need_a_latency(cli):
    data = f"binance_spot:BTCUSDT={RECORDED}/spot/btcusdt_20240808.gz,{RECORDED}/spot/btcusdt_20240809.gz"
    arguments = ("backtest", "strategy.py", "--data", data, "--balance", "USDT=100000", "--align")
    arguments += ("--param", "instrument=binance_spot:BTCUSDT", "--param", "both=no")
    code, _, err = cli(*arguments)
    assert (code, "--quote-latency" in err) == (1, True)
    code, out, err = cli(*arguments, "--quote-latency", "5ms")
    assert code == 0, err
    assert "93,078 market events" in out


def test_new_makes_a_project_that_runs(cli, folder):
    code, out, _ = cli("new", "mine")
    assert (code, "python strategy.py" in out) == (0, True)
    assert "# mine" in (folder / "mine" / "README.md").read_text()
    code, _, err = cli("new", "mine")
    assert (code, "is not empty" in err) == (1, True)
    done = subprocess.run(
        [sys.executable, "strategy.py"], cwd=folder / "mine", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "synthetic market" in done.stdout
    assert cli("replay", "mine/runs", "--verify")[0] == 0
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=folder / "mine", capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stdout


def test_verify(cli):
    assert cli("backtest", "strategy.py", *MARKET, "--journal", "run.sqlite")[0] == 0
    code, out, _ = cli("replay", "run.sqlite", "--verify")
    assert code == 0
    assert "identical in" in out
    assert json.loads(cli("replay", "run.sqlite", "--verify", "--json")[1])["identical"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", "nowhere.sqlite"),
        ("backtest", "nowhere.py", *MARKET),
        ("backtest", "strategy", *MARKET),
        ("backtest", "strategy.py", *MARKET, "--param", "fast=ten"),
        ("backtest", "strategy.py", *MARKET, "--param", "fats=10"),
        ("backtest", "strategy.py", *MARKET, "--param", "fast"),
        ("backtest", "strategy.py", "--data", "BTCUSDT.parquet", "--balance", "USDT=1"),
        ("backtest", "strategy.py", "--data", "synthetic:BTCUSDT=nowhere.parquet", "--balance", "USDT=1"),
        ("backtest", "strategy.py", "--data", "synthetic:BTCUSDT=synthetic:many", "--balance", "USDT=1"),
        ("backtest", "strategy.py", "--data", "synthetic:BTCUSDT=synthetic:100", "--balance", "USDT=lots"),
        ("backtest", "strategy.py", *MARKET, "--limit", "size=2"),
        ("backtest", "strategy.py", *MARKET, "--latency", "soon"),
        ("backtest", "strategy.py", *MARKET, "--limit", "open_orders=-1"),
        ("backtest", "strategy.py", *MARKET, "--limit", "position=-1"),
    ],
)
def test_mistakes_are_explained(cli, snapshot, masked, arguments):
    code, out, err = cli(*arguments)
    assert (code, out) == (1, "")
    assert masked(err) == snapshot


@pytest.mark.parametrize(
    "arguments", [("bocktest",), ("backtest", "strategy.py"), ("demo", "--evnts", "3"), ("replay",)]
)
def test_mistakes_in_the_use_end_with_2(cli, snapshot, arguments):
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert err == snapshot


def test_an_exception_of_the_strategy_is_shown_as_itself(cli, folder):
    (folder / "strategy.py").write_text(
        (folder / "strategy.py").read_text() + "            raise ZeroDivisionError('mine')\n"
    )
    code, out, err = cli("backtest", "strategy.py", *MARKET, "--journal", "run.sqlite")
    assert (code, out) == (1, "")
    assert "ZeroDivisionError: mine" in err
    assert re.search(r"raised in on_trade at 2026-01-01 00:\d\d:\d\d\.\d{6} UTC \(\d{19} ns\)", err)
    assert "raise ZeroDivisionError('mine')" in err
    assert "tradewind/backtest.py" not in err
    with Journal("run.sqlite") as recorded:
        assert not recorded.ending.finished


def test_an_error_of_ours_in_a_callback_says_where_it_was_raised(cli, folder):
    line = "ctx.buy(self.traded, 1, trade.price * 1.00001)"
    source = f"{(folder / 'strategy.py').read_text()}            {line}\n"
    (folder / "strategy.py").write_text(source)
    code, _, err = cli("backtest", "strategy.py", *MARKET)
    assert code == 1 and "Traceback" not in err
    first, place, when, hint = err[err.index("error [") :].splitlines()
    assert first.startswith("error [off_grid] synthetic:BTCUSDT: price ")
    assert place.endswith(f"strategy.py:{len(source.splitlines())}, in on_trade: {line}")
    assert re.fullmatch(r"  raised in on_trade at 2026-01-01 00:\d\d:\d\d\.\d{6} UTC \(\d{19} ns\)", when)
    assert hint.startswith("hint: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("backtest", "strategy.py", *MARKET, "--out", "afile/run"),
        ("backtest", "strategy.py", *MARKET, "--out", "afile"),
        ("data", "record", "binance_spot:BTCUSDT", "--out", "afile"),
        ("run", "system.toml", "--mode", "backtest"),
    ],
)
def test_a_folder_that_cannot_be_had_is_named(cli, folder, arguments):
    (folder / "afile").write_text("")
    system = """
        run = { directory = "afile", currency = "USDT" }
        venues.synthetic.simulated = { preset = "typical" }
        accounts.main = { venue = "synthetic", balances = { USDT = "1000" } }
        instruments."synthetic:BTCUSDT" = {}
        strategies.cross = { class = "strategy.py:Cross" }
        data = [{ instrument = "synthetic:BTCUSDT", kind = "synthetic", events = 100 }]
    """
    (folder / "system.toml").write_text(dedent(system))
    code, _, err = cli(*arguments)
    assert code == 1 and "Traceback" not in err
    told = err[err.index("error [") :]
    assert told.startswith("error [bad_setting] ") and "afile" in told and "cannot be written to" in told
    assert "hint: name another folder" in told


def test_a_file_that_does_not_load_is_explained(cli, folder):
    (folder / "strategy.py").write_text("import tradewind as tw\n\nclass X(tw.Strategy)\n")
    code, _, err = cli("backtest", "strategy.py", *MARKET)
    assert (code, "line 3" in err, "SyntaxError" in err) == (1, True, True)


def test_ctrl_c_stops_cleanly(process, folder):
    (folder / "slow.py").write_text(
        (folder / "strategy.py").read_text() + "        import time\n        time.sleep(0.001)\n"
    )
    running = process(
        "backtest", "slow.py", "--data", "synthetic:BTCUSDT=synthetic:400000", *MARKET[2:], "--journal", "run.sqlite"
    )
    deadline = time.monotonic() + 30
    while not (folder / "run.sqlite").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert "stopped by Ctrl-C" in err
    report = replay(folder / "run.sqlite", [tw.ema_cross("synthetic:BTCUSDT", quantity=0.05)])
    assert not report.identical
    with Journal("run.sqlite") as recorded:
        assert recorded.ending.reason == "it was stopped"
        assert recorded.manifest.environment.hash_seed == 0


def test_lists(cli):
    code, out, _ = cli("errors")
    assert (code, "divergence" in out) == (0, True)
    assert {"code", "meaning"} == set(json.loads(cli("errors", "--json")[1])[0])
    code, out, _ = cli("instruments")
    assert (code, "binance_usdm:BTCUSDT" in out) == (0, True)
    assert json.loads(cli("instruments", "--json")[1])[0]["name"] == "binance_spot:ADAUSDT"


@pytest.mark.parametrize(
    "command",
    [(), ("demo",), ("new",), ("backtest",), ("run",), ("config",), ("replay",), ("instruments",), ("errors",)],
)
def test_help(cli, snapshot, monkeypatch, command):
    monkeypatch.setattr(app, "console", Console(width=100))
    code, out, _ = cli(*command, "--help")
    assert code == 0
    assert out == snapshot


def test_unknown_commands_are_usage_errors():
    with pytest.raises(CycloptsError):
        app(["nothing"], exit_on_error=False, print_error=False)
