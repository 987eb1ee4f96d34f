"""What a system file can say about holdings that strategies adopt (M3)."""

from __future__ import annotations

import pytest

import tradewind as tw
from tradewind.config.readiness import missing

SPOT, PERPETUAL = "binance_spot:BTCUSDT", "binance_usdm:BTCUSDT"


def _problems(mode, adopted, account="main", balances=None):
    held = {"USDT": 1000} if balances is None else balances
    accounts = {"main": {"venue": "binance_spot"}, "other": {"venue": "binance_usdm"}}
    system = tw.System(
        venues={name: {"simulated": {"preset": "typical"}} for name in ("binance_spot", "binance_usdm")},
        accounts={
            name: {**one, "balances": held, "adopt": adopted if name == account else []}
            for name, one in accounts.items()
        },
        instruments={SPOT: {}, PERPETUAL: {}},
        strategies={"cross": {"class": "tradewind:ema_cross", "parameters": {"instrument": SPOT}}},
        run={"currency": "USDT"},
    )
    return [str(one) for one in missing(system, mode) if "adopt" in one.place]


def _one(instrument=SPOT, quantity="0.5", cost="30000"):
    return {"strategy": "cross", "instrument": instrument, "quantity": quantity, "cost": cost}


@pytest.mark.parametrize(
    ("mode", "adopted", "account", "words"),
    [
        ("live", _one(quantity="0.123456789"), "main", ["has more than 8 decimals", 'write "0.12345679"']),
        ("live", _one(cost="1.000000000000000001"), "main", ["cost = 1.000000000000000001 has more than"]),
        ("live", _one(PERPETUAL), "main", ["the account is at binance_spot"]),
        ("live", _one(PERPETUAL), "other", ["is not spot: only spot is adopted so far"]),
        ("paper", _one(), "main", ["0.5 BTC are adopted, and the balances hold 0", "add BTC to balances"]),
    ],
)
def test_what_cannot_be_adopted_is_told(mode, adopted, account, words):
    (problem,) = _problems(mode, [adopted], account)
    assert all(word in problem for word in words), problem


def test_of_one_asset_no_more_is_adopted_than_paper_begins_with():
    balances = {"USDT": 1000, "BTC": "0.9"}
    assert not _problems("paper", [_one()], balances=balances)
    (problem,) = _problems("paper", [_one(), _one()], balances=balances)
    assert "1.0 BTC are adopted, and the balances hold 0.9" in problem


def test_live_asks_the_venue_what_there_is_and_a_backtest_runs_without():
    assert not _problems("live", [_one(quantity="1000")])
    assert not _problems("backtest", [_one(quantity="1000")])


@pytest.mark.parametrize(("key", "value"), [("quantity", "-1"), ("quantity", "0"), ("cost", "-1")])
def test_short_positions_and_negative_costs_are_mistakes(key, value):
    with pytest.raises(tw.TradewindError, match=rf"adopt\[1\]\.{key}"):
        _problems("live", [{**_one(), key: value}])
