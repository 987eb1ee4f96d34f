"""All mistakes of a file are named at once, with their lines, and without secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import tradewind as tw
from tradewind.config import Simulated, SystemFileError
from tradewind.config.problem import place_text

TWENTY = """
[run]
name = "a b"
seed = -1
curency = "USDT"
days = 360

[venues.binance_spot]
adaptor = "binance_spot"
simulated = { latency = "20", resting = "tuch" }
urls = { rest = "http://api.binance.com", stream = "wss://me:HIDDEN@stream.binance.com" }

[accounts.main]
venue = "binance_sopt"
balances = { USDT = "lots" }
leverage = true
credentials = { key_variable = "HIDDENkey", secret = "HIDDEN" }

[instruments."binance:BTCUSDT"]

[strategies.trend]
parameters = { fast = 1 }

[risk]
order_notional = 0
order_rate = { orders = 10 }
price_collar = 5

[[data]]
instrument = "binance_spot:BTCUSDT"
kind = "trade"

[[data]]
instrument = "binance_spot:BTCUSDT"
kind = "bars"
files = []
interval = "1m"

[control]
host = "0.0.0.0"

[shutdown]
orders = "cancle"
"""


def test_twenty_mistakes_are_listed_at_once(read, snapshot):
    with pytest.raises(SystemFileError) as caught:
        read(TWENTY)
    assert str(caught.value) == snapshot
    problems = caught.value.problems
    assert len(problems) >= 20
    assert all(problem.line is not None for problem in problems)
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)
    assert "HIDDEN" not in str(caught.value) + repr(caught.value)


def test_orders_are_not_kept_where_positions_are_closed(read):
    message = 'positions = "close": does not go with orders = "keep"'
    with pytest.raises(SystemFileError, match=message) as caught:
        read('[shutdown]\norders = "keep"\npositions = "close"\n')
    (problem,) = caught.value.problems
    assert (problem.code, problem.line, problem.place) == ("bad_setting", 3, ("shutdown", "positions"))
    assert "open orders are then cancelled" in problem.hint
    with pytest.raises(SystemFileError, match=message):
        tw.config.Shutdown(orders="keep", positions="close")


SEVERAL = """
[control]
host = "0.0.0.0"
port = -1

[shutdown]
orders = "keep"
positions = "close"
timeout = "10"

[venues.binance_spot]

[accounts.main]
venue = "binance_sopt"
leverage = 0

[[accounts.main.adopt]]
strategy = "corss"
instrument = "binance_spot:BTCUSD"
quantity = "lots"

[instruments."binance_spot:BTCUSDT"]

[strategies.cross]
class = "strategy.py:Cross"

[[backtest.commands]]
word = "cancel_all"
strategy = "corss"

[[data]]
instrument = "binance_sopt:ETHUSDT"
kind = "trades"
columns = { prize = "p" }
"""


def test_references_and_fields_that_disagree_are_told_beside_other_mistakes(read):
    with pytest.raises(SystemFileError) as caught:
        read(SEVERAL)
    assert [(one.line, one.place[-1], one.code) for one in caught.value.problems] == [
        (3, "host", "bad_setting"),
        (4, "port", "bad_setting"),
        (8, "positions", "bad_setting"),
        (9, "timeout", "bad_setting"),
        (14, "venue", "unknown_venue"),
        (15, "leverage", "bad_setting"),
        (17, "cost", "missing_setting"),
        (18, "strategy", "bad_setting"),
        (19, "instrument", "unknown_instrument"),
        (20, "quantity", "not_a_number"),
        (27, "time", "missing_setting"),
        (29, "strategy", "bad_setting"),
        (31, "files", "missing_setting"),
        (32, "instrument", "unknown_venue"),
        (32, "instrument", "unknown_instrument"),
        (34, "prize", "bad_setting"),
    ]


def test_what_follows_from_a_mistake_is_none_of_its_own(read):
    with pytest.raises(SystemFileError) as caught:
        read('[control]\nallow_remote = "yes"\nhost = "0.0.0.0"\n[shutdown]\norders = "kep"\npositions = "close"\n')
    assert [one.place for one in caught.value.problems] == [("control", "allow_remote"), ("shutdown", "orders")]


@pytest.mark.parametrize("segment", ["1ns", "59s"])
def test_a_segment_is_no_shorter_than_a_minute(read, segment):
    with pytest.raises(SystemFileError, match=f'journal.segment = "{segment}": a segment spans at least 1m') as caught:
        read(f'[journal]\nsegment = "{segment}"\n')
    assert (caught.value.code, caught.value.problems[0].line) == ("bad_setting", 2)
    assert read('[journal]\nsegment = "1m"\n').journal.segment == "1m"


def test_a_wrong_key_of_a_file_is_on_its_line(read):
    with pytest.raises(SystemFileError) as caught:
        read('[run]\n\n# seed = 1\nseed = [\n  1,\n]\n[risk]\norder_rate = { orders = 1,  interval = "x" }\n')
    assert [(one.line, one.code) for one in caught.value.problems] == [(4, "wrong_type"), (8, "bad_setting")]


@pytest.mark.parametrize(
    "text",
    [
        'api_key = "HIDDEN"',
        '[accounts.main]\nvenue = "binance_spot"\nsecret = "HIDDEN"',
        '[accounts.main]\nvenue = "binance_spot"\ncredentials = "HIDDEN"',
        '[accounts.main]\nvenue = "binance_spot"\ncredentials = ["HIDDEN"]',
        '[accounts.main.credentials]\nsecret_variable = "HIDDEN secret"\nkey_variable = "KEY"',
        '[accounts.main.credentials]\nfile = "HIDDENHIDDENHIDDENHIDDENHIDDENHIDDENHIDDEN"',
        '[accounts.main.credentials]\nfile = "HIDDEN\\n"',
        '[control]\ntoken = "HIDDEN"',
        '[control]\ntoken_file = "HIDDEN\\u0000"',
        '[venues.binance_spot]\nurls = { api = "wss://x/?apiKey=HIDDEN" }',
    ],
)
def test_secrets_are_refused_and_never_shown(cli, folder, text):
    (folder / "system.toml").write_text(text)
    for command in (("config", "check"), ("config", "check", "--json"), ("config", "show")):
        code, out, err = cli(*command, "system.toml")
        assert code == 1
        assert "HIDDEN" not in out + err
    code, out, err = cli("run", "system.toml", "--mode", "live")
    assert (code, "HIDDEN" in out + err) == (1, False)


@pytest.mark.parametrize("key", ["api_key", "secret", "api-key", "API_SECRET", "token"])
def test_a_secret_beside_the_credentials_is_told_where_it_belongs(read, key):
    with pytest.raises(SystemFileError) as caught:
        read(f'[accounts.main]\nvenue = "binance_spot"\n{key} = "HIDDEN"\n')
    one = caught.value.problems[-1]
    assert (one.line, one.message) == (3, ": is not known (its value is not shown)")
    assert one.hint.startswith("secrets stay out of this file: accounts.NAME.credentials")


def test_credentials_that_are_a_text_are_told_how_they_are_written(read):
    with pytest.raises(SystemFileError) as caught:
        read('[accounts.main]\nvenue = "binance_spot"\ncredentials = "HIDDEN"\n')
    one = caught.value.problems[-1]
    assert one.hint.startswith("Where the keys are: { key_variable =")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe[run]", "is not UTF-8"),
        (b'[run]\nname = "\xe9"', "line 2: is not UTF-8"),
        (b"[run", "is not TOML"),
        (b"[run]\nseed = 1\nseed = 2", "is not TOML"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b"a = " + b"{a=" * 50_000, "is nested too deeply"),
        (b"a = " + b"9" * 100_000, "is not TOML"),
        (b"# " + b"x" * 300_000, "is larger than"),
        (b"risk = 1\ndata = 2\nvenues = []\n", "has 3 mistakes"),
        (b"[data]\na = 1\n", "data"),
        (b"a" + b".a" * 20_000 + b" = 1", "is nested too deeply"),
        (b"".join(b"a%d = 1\n" % at for at in range(5_000)), "mistakes"),
        (b"risk.daily_loss = nan", "is out of range"),
        (b"risk.daily_loss = 1e999999999", "is out of range"),
        (b"run.seed = 1.5", "whole number"),
        (b'run.interval = "1 hour"', 'run.interval = "1 hour": is not a duration'),
        (b"[instruments.BTCUSDT]", "instruments.BTCUSDT: is not written as it must be"),
        (b"[instruments.BTCUSDT]", 'hint: write venue:symbol, such as "binance_spot:BTCUSDT"'),
        (b'run.seed = "1"', "whole number"),
        (b"live.place_real_orders = 1", "true or false"),
        (b'live.place_real_orders = "true"', "true or false"),
    ],
)
def test_nonsense_is_explained(folder, content, words):
    (folder / "bad.toml").write_bytes(content)
    with pytest.raises(tw.TradewindError) as caught:
        tw.System.read("bad.toml")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 100_000


def test_an_array_of_which_nothing_is_right_is_not_called_empty(cli, folder):
    frames = 'instrument = "binance_spot:BTCUSDT"\nkind = "raw"\nfiles = ["nowhere.gz"]\nstreams = ["trades"]\n'
    (folder / "system.toml").write_text("[venues.binance_spot]\n[[data]]\n" + frames)
    _, _, err = cli("config", "check", "system.toml")
    assert [line.split(":")[1] for line in err.splitlines() if line.startswith("  line")] == [
        ' data[1].files[1] = "nowhere.gz"',
        ' data[1].streams[1] = "trades"',
    ]


def test_hints_are_in_the_words_of_the_file(cli, folder):
    whole = (folder / "system.toml").read_text()
    (folder / "system.toml").write_text('[instruments."synthetic:IBM"]\n' + whole)
    assert 'and name it: file = "FILE.toml"' in cli("config", "check", "system.toml")[2]
    (folder / "system.toml").write_text(whole)
    strategy = folder / "strategy.py"
    strategy.write_text(
        strategy.read_text().replace(
            "def on_start(self, ctx):", 'def on_start(self, ctx):\n        ctx.subscribe("mood")'
        )
    )
    _, _, err = cli("run", "system.toml", "--mode", "backtest")
    assert "[missing_stream]" in err and "hint: name their file in a system file" in err


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("venues.a = 5", "venues.a"),
        ("accounts.a.balances = { BTC = -1 }\naccounts.a.venue = 'v'\nvenues.v = {}", "accounts.a.balances.BTC"),
        ("risk.checks = [5]", "risk.checks[1]"),
        ("data = [5]", "data[1]"),
        ("data = 5", "data"),
        ("risk.checks = 'a.py:b'", "risk.checks"),
        ("backtest.commands = [{ word = 'trading_off', time = '2026-01-01T12:00:00' }]", "backtest.commands[1].time"),
        ("backtest.commands = [{ word = 'trading_off', time = 'noon' }]", "backtest.commands[1].time"),
        ("backtest.commands = [5]", "backtest.commands[1]"),
        ("[[data]]\nkind = 'values'\nname = 'mood'\nfiles = ['']", "data[1].files[1]"),
    ],
)
def test_each_mistake_has_a_hint(read, text, place):
    """What holds an entry says what is meant by it, and nothing is in the words of pydantic."""
    with pytest.raises(SystemFileError) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert place_text(problem.place) == place
    assert problem.hint and "nput" not in problem.message


@pytest.mark.parametrize("column", ["1.5", '""', "[1]", "true", "-1"])
def test_a_column_that_is_none_is_one_mistake_at_its_place(read, column):
    with pytest.raises(SystemFileError) as caught:
        read(f'[[data]]\nkind = "trades"\ninstrument = "a:B"\nfiles = ["b.csv"]\ncolumns = {{ price = {column} }}')
    problems = [one for one in caught.value.problems if "columns" in one.place]
    assert [place_text(one.place) for one in problems] == ["data[1].columns.price"]
    assert problems[0].hint == "write its name in quotes, or its position from zero"


def test_what_is_no_file_is_explained(folder):
    os.mkfifo(folder / "pipe")
    for path, words in (("nowhere.toml", "No such file"), (folder, "is not a file"), ("pipe", "is not a file")):
        with pytest.raises(tw.TradewindError, match=words) as caught:
            tw.System.read(path)
        assert caught.value.code == "unreadable_file"


def test_the_same_mistakes_in_python():
    with pytest.raises(SystemFileError, match=r'Simulated has one mistake(.|\n)*latency = "20"'):
        Simulated(latency="20")
    with pytest.raises(SystemFileError) as caught:
        tw.System(run={"sede": 1}, risk={"daily_loss": 0}, venues={"x": {"simulated": {}}})
    assert {one.place for one in caught.value.problems} == {
        ("run", "sede"),
        ("risk", "daily_loss"),
        ("venues", "x", "simulated"),
    }
    assert "did you mean seed?" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("fast = 10", "fast = 4"),
        ("fast = 10", "fats = 10"),
        ("strategy.py:Cross", "strategy.py:Crss"),
        ("strategy.py:Cross", "gone.py:Cross"),
        ("strategy.py:Cross", "nopackage.module:Cross"),
        ("strategy.py:never_on_top", "strategy.py:nothing"),
        ('kind = "synthetic"\nevents = 20_000\nseed = 5', 'kind = "trades"\nfiles = ["gone.parquet"]'),
    ],
)
def test_check_finds_what_cannot_be_loaded(cli, folder, snapshot, change, words):
    text = (folder / "system.toml").read_text()
    assert change in text
    (folder / "system.toml").write_text(text.replace(change, words))
    code, out, err = cli("config", "check", "system.toml")
    assert (code, out) == (1, "")
    assert err == snapshot


def test_a_daily_loss_is_in_a_currency_in_which_everything_has_a_worth(cli, folder):
    base = (folder / "system.toml").read_text().replace("[risk]\n", '[risk]\ndaily_loss = "100"\n')
    (folder / "system.toml").write_text(base)
    assert cli("config", "check", "system.toml")[0] == 0
    # Another venue, whose money has no price here.
    other = (
        '[instruments."tiny:COIN"]\nkind = "spot"\nbase = "COIN"\nquote = "EUR"\ntick = "0.01"\nlot = "0.1"\n'
        'minimum_quantity = "0.1"\nminimum_notional = "1"\nmaker_fee = "0"\ntaker_fee = "0.001"\n[venues.tiny]\n'
    )
    (folder / "system.toml").write_text(base + other)
    code, _, err = cli("config", "check", "system.toml")
    assert code == 1
    assert "risk.daily_loss: daily_loss is in USDT, and no instrument says what COIN, EUR is worth in it" in err
    assert "hint: add the instruments of these pairs, or choose another currency" in err


def test_credentials_must_be_there_and_private(cli, folder):
    base = (folder / "system.toml").read_text().replace("leverage = 3", 'credentials = { file = "keys.toml" }')
    (folder / "system.toml").write_text(base)
    keys = Path("keys.toml")
    out = cli("config", "check", "system.toml")[1]
    assert "credentials.file: cannot be read" in out and "hint: is the path right?" in out
    keys.write_text('key = "HIDDEN"')
    keys.chmod(0o644)
    out = cli("config", "check", "system.toml")[1]
    assert "credentials.file: can be read by others" in out
    assert "HIDDEN" not in out
    keys.chmod(0o600)
    assert "credentials" not in cli("config", "check", "system.toml")[1]


def test_a_mistake_in_a_parameter_is_on_its_line(cli, folder):
    more = '[strategies.other]\nclass = "strategy.py:Cross"\n[strategies.other.parameters]\nslow = 7\nfast = 3\n'
    text = (folder / "system.toml").read_text() + more
    (folder / "system.toml").write_text(text)
    code, out, err = cli("config", "check", "system.toml")
    assert code == 1
    assert f"line {text.splitlines().index('fast = 3') + 1}: strategies.other.parameters.fast: " in out + err
