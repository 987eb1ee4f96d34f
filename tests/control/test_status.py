"""What a session says of itself."""

from __future__ import annotations

from typing import Any

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
            status = Observer(Like(one.session, kernel=kernel), one.ready.about).status()
            assert (status.profit, status.fees) == (None, fees) and status.rows > 0
            assert rendered(status)

    steer(work)
