"""What differs at an account is told from what is only on its way, however much is traded meanwhile (M5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tradewind.session.differences import Differences, Look

_SETTLING = 7.0
_PERIOD = 10.0


class _Account:
    """An account that trades one size up and down, and what its venue answers."""

    def __init__(self) -> None:
        self.known = {"BTC": Decimal(0), "USDT": Decimal(1_000)}
        self.differences = Differences(0.0, self.known)
        self.past: list[Mapping[str, Decimal]] = [self.known]

    def trade(self, now: float, cost: str) -> None:
        """Buy one where there is none, otherwise sell it."""
        sign = 1 if not self.known["BTC"] else -1
        self.known = {"BTC": self.known["BTC"] + sign, "USDT": self.known["USDT"] - sign * Decimal(cost)}
        self.past.append(self.known)
        self.differences.booked(now, self.known)

    def look(
        self, asked: float, held: Mapping[str, Decimal], orders: Iterable[str] = (), doubtful: Iterable[str] = ()
    ) -> dict[str, Decimal]:
        """Judge what has settled, book what is certain, and look again; gives what was certain."""
        certain = self.differences.judge(asked, _SETTLING, frozenset(doubtful))
        if certain:
            self.known = {asset: amount + certain.get(asset, Decimal(0)) for asset, amount in self.known.items()}
            self.differences.booked(asked, self.known)
        self.differences.take(Look(asked, asked + 0.3, dict(held), frozenset(orders)))
        return certain


def _less(held: Mapping[str, Decimal], usdt: int) -> dict[str, Decimal]:
    return {**held, "USDT": held["USDT"] - usdt}


def test_an_answer_that_was_overtaken_by_a_fill_of_one_size_again_and_again_says_nothing() -> None:
    account, now = _Account(), 10.0
    for turn in range(20):
        before = account.known
        account.trade(now + 0.1, f"{900 + turn}")
        assert account.look(now, before) == {} and not account.differences.seen
        account.trade(now + 5, f"{900 - turn}")
        now += _PERIOD


def test_a_fill_that_is_booked_after_the_answer_in_which_it_is_says_nothing() -> None:
    account, now = _Account(), 10.0
    for turn in range(20):
        sign = 1 if not account.known["BTC"] else -1
        held = {"BTC": account.known["BTC"] + sign, "USDT": account.known["USDT"] - sign * (900 + turn)}
        assert account.look(now, held) == {} and not account.differences.seen
        account.trade(now + 6, f"{900 + turn}")
        assert account.known == held
        now += _PERIOD


def test_what_differs_is_found_while_trading_never_stops() -> None:
    account, now, found = _Account(), 10.0, list[dict[str, Decimal]]()
    for turn in range(60):
        account.trade(now, f"{900 + turn * turn}")
        if turn % 10 == 9:
            # As of a trade ago, and fifty are missing.
            missing = 50 if not any(found) else 0
            found.append(account.look(now + 0.5, _less(account.past[-2], missing)))
        now += 1
    assert [one for one in found if one] == [{"USDT": Decimal(-50)}] and found[2]
    assert not account.differences.seen


def test_what_may_differ_by_one_amount_or_another_is_shown_and_not_posted() -> None:
    account, now = _Account(), 10.0
    for _ in range(40):
        # Each round costs two: fifty may be missing, or forty-eight, or fifty-two.
        account.trade(now, "902" if not account.known["BTC"] else "900")
        if not now % 10:
            assert account.look(now + 0.5, _less(account.known, 51)) == {}
        now += 1
    assert account.differences.seen == {"USDT": Decimal(-51)}


def test_what_differs_at_two_looks_in_succession_is_certain() -> None:
    account = _Account()
    held = account.known
    assert account.look(10, _less(held, 5)) == {}
    assert account.look(20, _less(held, 7)) == {}
    assert account.look(30, _less(held, 7)) == {}
    assert account.look(40, _less(held, 7)) == {"USDT": Decimal(-7)}
    # That is known now; one that does not differ begins anew.
    assert account.look(50, _less(held, 9)) == {} == account.differences.seen
    assert account.look(60, _less(held, 7)) == {} != account.differences.seen
    assert account.look(70, _less(held, 9)) == {} == account.differences.seen
    assert account.look(80, _less(held, 9)) == {}
    assert account.look(90, _less(held, 9)) == {"USDT": Decimal(-2)}


def test_an_answer_about_an_order_of_unknown_fate_decides_nothing() -> None:
    account, held = _Account(), {"BTC": Decimal(2), "USDT": Decimal(1_000)}
    for now in range(10, 100, 10):
        assert account.look(now, held, ["mine", "other"], ["mine"]) == {}
    assert account.differences.seen == {"BTC": Decimal(2)}
    # Now it is known, and all that came of it is booked. Orders that were opened since have nothing to do with it.
    assert account.look(100, held, ["other"], ["later"]) == {}
    assert account.look(110, held, ["other"], ["later"]) == {"BTC": Decimal(2)}


def test_an_answer_that_may_be_older_than_what_is_remembered_decides_nothing() -> None:
    account, held = _Account(), {"BTC": Decimal(2), "USDT": Decimal(1_000)}
    # As of before the start.
    assert [account.look(now, held) for now in (1, 3, 5, 6.9)] == [{}] * 4
    assert account.look(15, account.known) == {} != account.differences.seen
    assert account.look(25, account.known) == {} == account.differences.seen


def test_what_is_judged_late_is_judged_with_all_that_was_booked_until_then() -> None:
    account = _Account()
    held = {"BTC": Decimal(1), "USDT": Decimal(100)}
    account.look(10, held)
    account.look(20, held)
    account.trade(500, "900")
    assert account.look(510, account.known) == {} == account.differences.seen
