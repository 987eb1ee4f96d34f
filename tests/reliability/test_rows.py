"""A sample of the suite: the rows that matter most for money, two kills, and what the suite itself must notice."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from reliability.books import Asked, OneFill, Ours, Theirs, differences
from reliability.kills import kill_often
from reliability.rows import ROWS, combination, named
from reliability.trial import try_row
from tradewind.sandbox.faults.table import FAULTS

SAMPLE = ("hard_close", "dropped_diff, three", "timeout_accepted", "lost_push, then a new connection")


@pytest.mark.parametrize("name", SAMPLE)
def test_a_session_heals(name: str, tmp_path: Path) -> None:
    outcome = asyncio.run(try_row(named(name), tmp_path))
    assert outcome.is_good, outcome


def test_a_killed_session_goes_on_with_the_books_of_the_venue(tmp_path: Path) -> None:
    found = asyncio.run(kill_often(tmp_path, 2, 3, lambda text: None))
    assert found.kills == 2 and found.compared > 0 and found.fills > 3
    assert not found.problems, found.problems


def test_every_fault_of_the_venue_has_a_row() -> None:
    """Those that have none cannot reach a session."""
    without = FAULTS.keys() - {step.fault for row in ROWS for step in row.steps}
    assert without == {"odd_candles", "partial_replace"}


def test_a_combination_is_that_of_its_seed() -> None:
    assert combination(3) == combination(3) != combination(4)


# What the suite notices: each of these is a mistake that a session could make.

BUY = Asked("buy", Decimal("0.01"), None)
FILL = OneFill("a", 1, "buy", Decimal(90_000), Decimal("0.01"), Decimal("0.00001"), "BTC")


def books() -> tuple[Ours, Theirs]:
    """Two sides that agree on one order that was filled."""
    both = {"asked": {"a": BUY}, "filled": {"a": Decimal("0.01")}, "fills": Counter([FILL])}
    held = {"BTC": Decimal("1.00999")}
    us = Ours(**both, status={"a": "filled"}, balances=held, position=Decimal("0.00999"))  # type: ignore[arg-type]
    them = Theirs(**both, status={"a": "FILLED"}, balances=held, largest=Decimal("0.00999"))  # type: ignore[arg-type]
    return us, them


def test_books_that_agree_hold_all_invariants() -> None:
    assert differences(*books()) == []


def test_a_lost_fill_is_noticed() -> None:
    us, them = books()
    us.fills, us.position = Counter(), Decimal(0)
    assert [one[:2] for one in differences(us, them)] == ["I1", "I2"]


def test_a_fill_that_counts_twice_is_noticed() -> None:
    us, them = books()
    us.fills = Counter([FILL, FILL])
    assert [one[:2] for one in differences(us, them)] == ["I2"]


def test_an_order_that_nobody_asked_for_is_noticed() -> None:
    us, them = books()
    them.asked = {"a": BUY, "b": BUY}
    assert [one[:2] for one in differences(us, them)] == ["I3"]


def test_an_order_that_came_twice_under_two_names_is_noticed() -> None:
    us, them = books()
    them.largest = Decimal("0.02")
    assert [one[:2] for one in differences(us, them)] == ["I3"]


def test_an_order_that_is_open_on_one_side_only_is_noticed() -> None:
    us, them = books()
    us.asked = {"a": BUY, "b": BUY}
    us.status["b"], us.filled = "open", {"a": Decimal("0.01"), "b": Decimal(0)}
    us.open = {"b"}
    assert [one[:2] for one in differences(us, them)] == ["I1"]


def test_money_that_nothing_explains_is_noticed() -> None:
    us, them = books()
    us.unexplained = ["5 USDT"]
    assert [one[:2] for one in differences(us, them)] == ["I1"]
    assert differences(us, them, may_differ=True) == []
