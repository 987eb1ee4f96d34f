"""What a file says is what Python says, and what a backtest runs."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tradewind as tw
from tradewind import config, instruments
from tradewind.cli.config import described_schema
from tradewind.config.lines import Lines
from tradewind.config.writer import to_toml
from tradewind.loading import load_module, load_strategy_class

TYPICAL = {"preset": "typical"}
ROOT = Path(__file__).parents[2]


def test_a_system_runs_as_the_call_that_says_the_same(folder):
    system = tw.System.read("system.toml")
    check = load_module(Path("strategy.py"), "strategy").never_on_top
    strategy = load_strategy_class("strategy.py")(name="cross", fast=10, quantity=0.01)
    direct = tw.backtest(
        strategy,
        data={"synthetic:BTCUSDT": tw.synthetic(events=20_000, seed=5)},
        balances={"USDT": 100_000},
        venues={
            "synthetic": tw.Simulated("5ms", answer_latency=tw.Exponential("1ms", "2ms"), resting="touch", leverage=3)
        },
        risk=tw.Risk(
            by_instrument={"synthetic:BTCUSDT": tw.Limits(order_notional="600.9", position=0.015)}, checks=(check,)
        ),
        seed=3,
        commands=[tw.Command(datetime(2026, 1, 1, 0, 5, tzinfo=UTC), "trading_off")],
    )
    said = system.backtest()
    assert said.metrics["orders"] > 0
    assert (said.decisions_hash, said.state_hash) == (direct.decisions_hash, direct.state_hash)
    # Every setting counts: another one gives another run.
    for change in ({"run": {"seed": 4}}, {"risk": {}}, {"backtest": {}}):
        other = tw.System(**{**system.model_dump(by_alias=True), **change}).backtest()
        assert (other.decisions_hash, other.state_hash) != (said.decisions_hash, said.state_hash), change


def test_tables_are_read_as_by_the_readers(folder):
    count = 400
    frame = pl.DataFrame(
        {
            "ts": [1_700_000_000_000 + at * 1_000 for at in range(count)],
            "price": [60_000 + (at * 37 % 101) / 10 for at in range(count)],
            "lots": [0.5] * count,
        }
    )
    frame.write_csv("trades.csv")
    frame.rename({"lots": "amount"}).write_parquet("more.parquet")
    system = tw.System(
        venues={"binance_usdm": {"simulated": {"preset": "typical"}, "fees": {"taker": "0.0003"}}},
        accounts={"main": {"venue": "binance_usdm", "balances": {"USDT": 10_000}}},
        strategies={
            "ema_cross": {"class": "tradewind:ema_cross", "parameters": {"instrument": "binance_usdm:BTCUSDT"}}
        },
        data=[
            {
                "instrument": "binance_usdm:BTCUSDT",
                "kind": "trades",
                "files": ["trades.csv"],
                "columns": {"quantity": "lots"},
                "time_unit": "ms",
                "latency": "3ms",
            }
        ],
    )
    fields = instruments.load("binance_usdm:BTCUSDT")
    direct = tw.backtest(
        tw.ema_cross("binance_usdm:BTCUSDT"),
        data={
            "binance_usdm:BTCUSDT": tw.trades("trades.csv", {"quantity": "lots"}, time_unit="ms", latency_ns=3_000_000)
        },
        instruments=[fields.model_copy(update={"taker_fee": Decimal("0.0003")})],
        balances={"USDT": 10_000},
    )
    said = system.backtest()
    assert said.metrics["fills"] > 0
    assert said.state_hash == direct.state_hash
    own_fees = tw.System(**{**system.model_dump(by_alias=True), "venues": {"binance_usdm": {"simulated": TYPICAL}}})
    assert own_fees.backtest().state_hash != said.state_hash


MOODY = """
import tradewind as tw


class Moody(tw.Strategy):
    def on_start(self, ctx):
        self.btc = ctx.instrument("synthetic:BTCUSDT")
        ctx.subscribe(self.btc.trades, "mood")

    def on_data(self, ctx, data):
        ctx.target(self.btc, data.value)
"""


def test_values_from_outside_are_data_of_a_system(folder):
    Path("moody.py").write_text(MOODY)
    Path("mood.csv").write_text("when,score\n2026-01-01T00:00:10,0.1\n2026-01-01T00:01:00,0\n")
    named = {"value": "score", "time": "when"}
    system = tw.System(
        venues={"synthetic": {"simulated": TYPICAL}},
        accounts={"main": {"venue": "synthetic", "balances": {"USDT": 100_000}}},
        strategies={"moody": {"class": "moody.py:Moody"}},
        data=[
            {"instrument": "synthetic:BTCUSDT", "kind": "synthetic", "events": 20_000},
            {
                "kind": "values",
                "name": "mood",
                "files": ["mood.csv"],
                "columns": named,
                "holds": "number",
                "zone": "UTC",
                "latency": "2s",
            },
        ],
    )
    mood = tw.values("mood.csv", kind="number", latency="2s", zone="UTC", **named)
    direct = tw.backtest(
        load_strategy_class("moody.py")(name="moody"),
        data={"synthetic:BTCUSDT": tw.synthetic(events=20_000), "mood": mood},
        balances={"USDT": 100_000},
    )
    said = system.backtest()
    assert said.metrics["orders"] == 2
    assert said.state_hash == direct.state_hash
    assert tomllib.loads(system.to_toml())["data"][1]["columns"] == named


def test_values_that_cannot_be_meant_are_mistakes(folder):
    twice = {"kind": "values", "name": "mood", "files": ["mood.csv"]}
    with pytest.raises(tw.TradewindError) as caught:
        tw.System(data=[twice, twice | {"columns": {"scoer": "value"}}])
    text = str(caught.value)
    assert "data[1] has these values already" in text and "scoer" in text


def test_paths_are_relative_to_the_file(folder, monkeypatch):
    monkeypatch.chdir("/")
    system = tw.System.read(folder / "system.toml")
    assert system.backtest(keep="metrics").metrics["orders"] > 0
    assert system.run_folder("live") == folder / "runs" / "test" / "live"


def test_a_file_is_written_as_it_was_read(read):
    system = tw.System.read("system.toml")
    assert read(system.to_toml()).model_dump() == system.model_dump()
    assert read(system.to_toml(defaults=True)).model_dump() == system.model_dump()


def test_a_system_of_python_equals_its_file(folder):
    stated = tw.System.read("system.toml").model_dump(by_alias=True, exclude_unset=True)
    system = tw.System(**stated)
    (folder / "written.toml").write_text(system.to_toml())
    assert tw.System.read(folder / "written.toml") == system
    assert tw.System(**stated | {"run": {"seed": 4}}) != system
    # The same words in another folder name other files.
    (folder / "other").mkdir()
    (folder / "other" / "written.toml").write_text(system.to_toml())
    assert tw.System.read("other/written.toml") != system


AMOUNTS = st.decimals(min_value=0, max_value=10**12, places=6, allow_nan=False)
TEXTS = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20)
DURATIONS = st.builds("{}{}".format, st.integers(1, 10_000), st.sampled_from(["ns", "us", "ms", "s", "m"]))
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(
    seed=st.integers(0, 2**64 - 1),
    balances=st.dictionaries(TEXTS, AMOUNTS, max_size=3),
    parameters=st.dictionaries(TEXTS, VALUES, max_size=4),
    latency=DURATIONS | st.fixed_dictionaries({"low": DURATIONS, "high": DURATIONS}),
    files=st.lists(TEXTS, min_size=1, max_size=3),
    notional=AMOUNTS.filter(bool),
    strategy=TEXTS,
)
def test_every_system_is_written_and_read(
    tmp_path_factory, seed, balances, parameters, latency, files, notional, strategy
):
    system = tw.System(
        run={"seed": seed},
        venues={"binance_spot": {"simulated": {"latency": latency}}},
        accounts={"main": {"venue": "binance_spot", "balances": balances}},
        strategies={strategy: {"class": "a.py:B", "parameters": parameters}},
        risk={"order_notional": notional, "instruments": {"binance_spot:BTCUSDT": {"open_orders": 3}}},
        data=[{"instrument": "binance_spot:BTCUSDT", "kind": "trades", "files": files}],
    )
    file = tmp_path_factory.mktemp("systems") / "system.toml"
    file.write_text(system.to_toml(), encoding="utf-8")
    assert tw.System.read(file).model_dump() == system.model_dump()
    file.write_text(system.to_toml(defaults=True), encoding="utf-8")
    assert tw.System.read(file).model_dump() == system.model_dump()


@given(st.dictionaries(TEXTS, VALUES | st.dictionaries(TEXTS, VALUES, max_size=3), max_size=5))
def test_lines_of_whatever_is_written(document):
    text = to_toml(document)
    lines = Lines(text)
    for key in document:
        line = lines.of((key,))
        assert line is not None
        assert json.dumps(key, ensure_ascii=False) in text.split("\n")[line - 1] or key in text.split("\n")[line - 1]


def test_modes_say_what_they_lack(cli, snapshot):
    code, out, _ = cli("config", "check", "system.toml")
    assert code == 0
    assert out == snapshot
    assert cli("config", "check", "system.toml", "--mode", "backtest")[0] == 0
    code, out, _ = cli("config", "check", "system.toml", "--mode", "live", "--json")
    assert code == 1
    answer = json.loads(out)
    assert (answer["problems"], answer["missing"]["backtest"]) == ([], [])
    assert {"live.place_real_orders", "risk.daily_loss", "risk.order_rate"} <= {
        one["place"] for one in answer["missing"]["live"]
    }


def test_assets_that_no_instrument_has(cli, folder):
    path = folder / "system.toml"
    text = path.read_text().replace("seed = 3", 'currency = "EUR"')
    path.write_text(text.replace('USDT = "100000"', 'USDT = "1", BTC = "1", XRP = "2"'))
    code, _, error = cli("config", "check", str(path))
    assert code != 0 and "run.currency: EUR" in error and "balances.XRP: XRP" in error and "BTC is" not in error


def test_a_proposal_makes_the_limits_whole(cli, folder):
    out = cli("config", "check", "system.toml")[1]
    proposed = config.Risk(**tomllib.loads(out.partition("mean it:\n")[2])["risk"])
    assert proposed.daily_loss == 2000
    assert proposed.instruments["synthetic:BTCUSDT"].order_quantity == 1
    assert proposed.order_rate is not None


def test_show(cli, snapshot):
    code, out, _ = cli("config", "show", "system.toml")
    assert code == 0
    assert out == snapshot


def test_run_in_the_mode_backtest(cli, folder):
    code, out, err = cli("run", "system.toml", "--mode", "backtest")
    assert code == 0, err
    assert tw.System.read("system.toml").backtest().decisions_hash[:16] in out
    names = {entry.name for entry in (folder / "runs" / "test" / "backtest").iterdir()}
    assert {"journal.sqlite", "metrics.json", "manifest.json"} <= names
    assert cli("replay", "runs/test/backtest")[0] == 0


def test_a_backtest_warms_up(folder):
    cold = tw.System.read("system.toml").backtest().orders["decided"].min()
    (folder / "system.toml").write_text(
        (folder / "system.toml").read_text() + "\n[warm_up]\ntrades = '10s'\nbars = '2m'\n"
    )
    begun = tw.System.read("system.toml").backtest()
    assert begun.orders["decided"].min() > cold
    assert "2m" in str(begun.manifest.settings["warm_up"])


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_other_modes_start_only_when_they_can(cli, snapshot, mode):
    code, out, err = cli("run", "system.toml", "--mode", mode)
    assert (code, out) == (1, "")
    assert err == snapshot


@pytest.mark.parametrize("mode", ["backtest", "paper", "live"])
def test_only_a_backtest_needs_files_of_data(cli, folder, mode):
    text = (folder / "system.toml").read_text()
    recorded = 'kind = "trades"\nfiles = ["gone.parquet"]'
    (folder / "system.toml").write_text(text.replace('kind = "synthetic"\nevents = 20_000\nseed = 5', recorded))
    code, _, err = cli("run", "system.toml", "--mode", mode)
    assert code == 1 and ("gone.parquet" in err) == (mode == "backtest")


def test_the_example_is_ready(cli):
    file = str(ROOT / "examples" / "system.toml")
    assert cli("config", "check", file, "--mode", "backtest")[0] == 0
    assert tw.System.read(file).backtest(keep="metrics").metrics["orders"] > 0


def tables(schema: dict) -> dict[str, dict]:
    return {"": schema, **schema["$defs"]}


def test_every_key_is_described_in_schema_and_docs():
    docs = (ROOT / "docs" / "system-file.md").read_text()
    for name, table in tables(described_schema()).items():
        for key, setting in table.get("properties", {}).items():
            described = setting.get("description", "")
            assert described, f"{name}.{key}"
            assert re.search(rf"`{key}`", docs), f"{name}.{key}"
            assert re.sub(r"\s+", " ", described).replace("|", "\\|") in docs, f"{name}.{key}: make the docs anew"


def test_the_schema_knows_the_example():
    """Every key of a valid file is in the schema, and an unknown one is not allowed by it."""
    schema = described_schema()

    def followed(one: dict) -> dict:
        while "$ref" in one:
            one = schema["$defs"][one["$ref"].rpartition("/")[2]]
        return one

    def fits(value: object, one: dict) -> bool:
        one = followed(one)
        members = one.get("anyOf", one.get("oneOf", []))
        if members:
            return any(fits(value, member) for member in members)
        if isinstance(value, dict):
            more = one.get("additionalProperties", True)
            known = one.get("properties", {})
            return one.get("type") == "object" and all(
                fits(part, known[key]) if key in known else (fits(part, more) if isinstance(more, dict) else more)
                for key, part in value.items()
            )
        if isinstance(value, list):
            return one.get("type") == "array" and all(fits(part, one["items"]) for part in value)
        return one.get("type") != "object"

    for text in (
        (ROOT / "examples" / "system.toml").read_text(),
        tw.System.read(ROOT / "examples" / "system.toml").to_toml(),
    ):
        document = tomllib.loads(text)
        assert fits(document, schema)
        assert not fits({**document, "rsik": {}}, schema)
        assert not fits({**document, "risk": {"positoin": 1}}, schema)
