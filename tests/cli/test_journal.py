from __future__ import annotations

import json
import re
from decimal import Decimal

import polars as pl
import pytest
from session_journals import recorded

from tradewind.journal.segments import segments

MARKET = ("--data", "synthetic:BTCUSDT=synthetic:20000", "--balance", "USDT=100000", "--latency", "5ms")
FILLS = "select sequence, time, side, price, quantity, fee from fills order by sequence limit 3"


@pytest.fixture(autouse=True)
def run(cli) -> None:
    code, _, err = cli("backtest", "strategy.py", *MARKET, "--journal", "run.sqlite")
    assert code == 0, err


@pytest.fixture
def plain(masked):
    """What a command printed, without what differs from machine to machine."""

    def plain(text: str) -> str:
        text = re.sub(r"by Tradewind .*", "by <version>", masked(text))
        return re.sub(r"\d+\.\d\d MB", "<size>", text)

    return plain


def test_info(cli, snapshot, plain):
    code, out, err = cli("journal", "info", "run.sqlite")
    assert (code, err) == (0, "")
    assert plain(out) == snapshot
    code, out, _ = cli("journal", "info", "run.sqlite", "--json")
    answer = json.loads(out)
    assert (code, answer["mode"], answer["finished"]) == (0, "backtest", True)
    assert sum(answer["inputs"].values()) + sum(answer["decisions"].values()) == answer["entries"]


@pytest.mark.parametrize(
    "sql",
    [
        FILLS,
        "select side, status, count(*) as orders, sum(filled) as filled from orders group by 1, 2 order by 1, 2",
        "select price::float as price, null as nothing, reduce_only from decisions order by sequence limit 1",
        "show tables",
    ],
    ids=["fills", "orders", "values", "tables"],
)
def test_query_as_a_table(cli, snapshot, sql):
    code, out, err = cli("journal", "query", "run.sqlite", sql)
    assert (code, err) == (0, "")
    assert out == snapshot


def test_a_long_answer_is_cut_for_a_person(cli):
    code, out, err = cli("journal", "query", "run.sqlite", "select sequence from inputs", "--rows", "5")
    assert (code, len(out.split())) == (0, 7)
    assert "the first 5 rows" in err


def test_query_as_csv_and_json(cli, snapshot):
    code, out, err = cli("journal", "query", "run.sqlite", FILLS, "--format", "csv")
    assert (code, err) == (0, "")
    assert out == snapshot
    rows = json.loads(cli("journal", "query", "run.sqlite", FILLS, "--format", "json")[1])
    header, *lines = out.splitlines()
    assert [list(map(str, row.values())) for row in rows] == [line.split(",") for line in lines]
    assert list(rows[0]) == header.split(",")
    nothing = "select price, side from fills where price < 0"
    assert cli("journal", "query", "run.sqlite", nothing, "--format", "json")[1] == "[]\n"
    assert cli("journal", "query", "run.sqlite", nothing, "--format", "csv")[1] == "price,side\n"


def test_every_row_of_a_long_answer_is_written(cli, folder):
    asked = ("journal", "query", "run.sqlite", "select * from inputs")
    whole = cli(*asked, "--format", "csv")[1]
    for name in ("inputs.csv", "inputs.json"):
        assert cli(*asked, "--out", name) == (0, "", f"wrote {name}\n")
    assert (folder / "inputs.csv").read_text() == whole
    rows = json.loads((folder / "inputs.json").read_text())
    assert whole.count("\n") == len(rows) + 1 > 20_000


def test_query_as_parquet(cli, folder):
    code, _, _ = cli("journal", "query", "run.sqlite", FILLS, "--out", "new/fills.parquet")
    assert code == 0
    frame = pl.read_parquet(folder / "new" / "fills.parquet")
    assert frame.schema["time"] == pl.Datetime("ns", "UTC")
    assert frame.schema["price"] == pl.Decimal(38, 1)
    assert isinstance(frame["fee"][0], Decimal)


@pytest.mark.parametrize(
    "arguments",
    [
        ("journal", "query", "run.sqlite", "select * from fils"),
        ("journal", "query", "run.sqlite", "select prise from fills"),
        ("journal", "query", "run.sqlite", "select price form fills"),
        ("journal", "query", "run.sqlite", "drop table fills"),
        ("journal", "query", "run.sqlite", "select 1", "--format", "parquet"),
        ("journal", "query", "nowhere.sqlite", "select 1"),
        ("journal", "info", "strategy.py"),
        ("replay", "run.sqlite", "--at", "0"),
        ("replay", "run.sqlite", "--at", "1", "--verify"),
        ("replay", "run.sqlite", "--param", "fast=3"),
        ("replay", "run.sqlite", "--strategy", "nowhere.py"),
        ("replay", "run.sqlite", "--strategy", "strategy.py", "--param", "fats=3"),
        ("replay", "run.sqlite", "--strategy", "strategy.py", "--param", "instrument=synthetic:ETHUSDT"),
    ],
)
def test_mistakes_are_explained(cli, snapshot, masked, arguments):
    code, out, err = cli(*arguments)
    assert (code, out) == (1, "")
    assert masked(err) == snapshot


def test_replay_at(cli, snapshot, masked):
    orders = cli("journal", "query", "run.sqlite", "select sequence from orders limit 1", "--format", "csv")[1]
    first = orders.split()[1]
    for sequence in (first, str(int(first) + 10)):
        code, out, err = cli("replay", "run.sqlite", "--at", sequence)
        assert (code, err) == (0, "")
        assert masked(out) == snapshot
    answer = json.loads(cli("replay", "run.sqlite", "--at", first, "--json")[1])
    assert answer["sequence"] == int(first)
    assert answer["orders"][0]["strategy"] == "Cross"


def test_replay_with_another_strategy(cli, snapshot, masked, folder):
    code, out, err = cli("replay", "run.sqlite", "--strategy", "strategy.py", "--param", "fast=50", "--out", "other")
    assert code == 0, err
    assert masked(out) == snapshot
    assert masked(err) == snapshot
    kept = pl.read_parquet(folder / "other" / "orders.parquet")
    answer = json.loads(
        cli("replay", "run.sqlite", "--strategy", "strategy.py:Cross", "--param", "fast=50", "--json")[1]
    )
    assert answer["other"]["orders"] == kept.height == answer["metrics"]["orders"]
    assert answer["session"]["orders"] != answer["other"]["orders"]


@pytest.mark.parametrize("code", ["", "0", "3"])
def test_a_strategy_that_exits_has_failed(cli, folder, code):
    exits = (folder / "strategy.py").read_text().replace("if self.slow_ema.ready:", f"raise SystemExit({code})")
    (folder / "exits.py").write_text(exits.partition("            below")[0])
    status, out, err = cli("replay", "run.sqlite", "--strategy", "exits.py")
    assert (status, out) == (1, "")
    assert "exits.py" in err and "[strategy_failed] the run ended with SystemExit" in err


def test_a_query_of_a_journal_whose_beginning_was_dropped_says_so(cli, folder):
    held = segments(recorded(folder).journal)
    for old in held[:2]:
        old.path.unlink()
    code, out, err = cli("journal", "query", "journal", "select min(sequence) as first from inputs", "--format", "csv")
    assert code == 0
    first = int(out.split()[1])
    assert first > 1 and err == f"without entries 1 to {first - 1:,}, which were dropped\n"
