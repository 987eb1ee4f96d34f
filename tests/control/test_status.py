"""What a session says of itself."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

from rich.console import Console

from tradewind.control import Control
from tradewind.control.status import Observer
from tradewind.control.view import rendered


class Like:
    """Something with parts that differ."""

    def __init__(self, whole: Any, **parts: Any) -> None:
        self.whole = whole
        self.__dict__.update(parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)


UNKNOWN: list[tuple[dict[str, Any], float | None]] = [
    ({}, None),
    ({"net_realised": None, "unrealised": 2.0, "fees": None}, None),
    ({"net_realised": 1.0, "unrealised": None, "fees": 0.5}, 0.5),
]


def test_what_has_no_price_makes_the_profit_unknown_and_nothing_else(steer: Any) -> None:
    async def work(one: Any) -> None:
        for total, fees in UNKNOWN:
            kernel = Like(one.kernel, outcome=lambda total=total: one.kernel.outcome() | {"total": total})
            session: Any = Like(one.session, kernel=kernel)
            status = Observer(session, one.ready.about).status()
            assert (status.profit, status.fees) == (None, fees) and status.rows > 0
            assert rendered(status)

    steer(work)


def test_slow_writes_are_in_the_health(steer: Any) -> None:
    async def work(one: Any) -> None:
        one.session._writer.slow_writes = 3
        await one.until(lambda: one.session.health.slow_writes)
        status = await one.ask(Control.status)
        assert status.health.slow_writes == 3
        console = Console(file=io.StringIO(), width=120)
        console.print(rendered(status))
        assert "3 slow writes" in console.file.getvalue()  # type: ignore[attr-defined]

    steer(work)


def test_a_difference_of_balances_that_is_not_posted_is_in_the_health(steer: Any) -> None:
    async def work(one: Any) -> None:
        one.session.health.unposted |= {"elsewhere": {"USDT": Decimal("-50.5")}, "other": {}}
        status = await one.ask(Control.status)
        assert status.health.unposted == {"elsewhere": {"USDT": Decimal("-50.5")}}
        console = Console(file=io.StringIO(), width=160)
        console.print(rendered(status))
        assert "elsewhere differs by -50.5 USDT" in console.file.getvalue()  # type: ignore[attr-defined]

    steer(work)
