"""What a person sees of a session in a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from rich.console import Console
from rich.screen import Screen

from tradewind.control.latency import Latencies, Latency
from tradewind.control.status import HealthStatus, OrderStatus, PositionStatus, Status, StrategyStatus
from tradewind.control.view import rendered

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
FLAT = Status(
    name="demo",
    mode="paper",
    run="0a1b2c3d",
    stage="starting",
    failure=None,
    version="0.1.0",
    pid=4711,
    folder="runs/demo/paper",
    journal="runs/demo/paper",
    started=START,
    now=START + timedelta(seconds=3),
    is_trading=False,
    sequence=2,
    rows=0,
    orders=0,
    fills=0,
    currency="USDT",
    equity=None,
    profit=None,
    fees=None,
    maximum_drawdown=None,
    interval_ns=3_600 * 10**9,
    day_profit=None,
    balances={"binance_spot": {}},
    strategies=[StrategyStatus("cross", {"fast": 4, "slow": 12, "quantity": 0.01})],
    positions=[],
    open_orders=[],
    closed_orders=[],
    health=HealthStatus({"binance_spot:BTCUSDT trades": False}, 0, {}, 0, 0, 0, 0, {}),
    latency=Latencies(),
    memory_bytes=120 * 2**20,
)


def order(number: int, side: Any, status: str, reason: str | None = None, price: str | None = None) -> OrderStatus:
    return OrderStatus(
        number=number,
        strategy="cross",
        instrument="binance_spot:BTCUSDT",
        side=side,
        quantity=Decimal("0.01000"),
        filled=Decimal("0.00400") if status == "partly_filled" else Decimal(0),
        price=None if price is None else Decimal(price),
        status=status,
        reason=reason,
        note=None,
        decided=START + timedelta(minutes=number),
    )


BUSY = msgspec.structs.replace(
    FLAT,
    stage="running",
    is_trading=True,
    now=START + timedelta(days=1, hours=2, minutes=3, seconds=4),
    sequence=1_234_567,
    rows=1_000_000,
    orders=1_203,
    fills=998,
    equity=100_123.456,
    profit=123.456,
    fees=45.6,
    maximum_drawdown=-0.0123,
    day_profit=-12.5,
    balances={"binance_spot": {"BTC": Decimal("0.00999"), "USDT": Decimal("99084.16253721")}},
    positions=[
        PositionStatus(
            "cross",
            "binance_spot:BTCUSDT",
            Decimal("0.00999"),
            Decimal("899.44"),
            Decimal("-8.31"),
            Decimal("3.2"),
            Decimal("90354.085"),
            "quote",
            "USDT",
        ),
        PositionStatus(
            "other",
            "binance_spot:ETHUSDT",
            Decimal("-2"),
            Decimal("-6000"),
            Decimal("0"),
            None,
            None,
            "none",
            "USDT",
        ),
    ],
    open_orders=[order(12, "buy", "partly_filled", price="89044.63"), order(13, "sell", "cancel_in_flight")],
    closed_orders=[order(at, "buy", "rejected", "risk_order_quantity") for at in range(11, 1, -1)],
    health=HealthStatus(
        {"binance_spot:BTCUSDT trades": True, "binance_spot:BTCUSDT quotes": True, "binance_spot orders": False},
        2,
        {"[bad_message": 3},
        0,
        4,
        0,
        5,
        {"BNB": Decimal("0.0001")},
    ),
    latency=Latencies(Latency(1_000, 1_490_000, 5_250_000, 9_000_000), Latency(3, 850, 53_000, 2_000_000_000)),
)


def shown(*arguments: Any, width: int = 110, **keywords: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, no_color=True).print(rendered(*arguments, **keywords))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def test_a_session_that_starts(snapshot: Any) -> None:
    assert shown(FLAT) == snapshot


def test_a_busy_session(snapshot: Any) -> None:
    before = msgspec.structs.replace(BUSY, now=BUSY.now - timedelta(seconds=2), rows=BUSY.rows - 2_468)
    assert shown(BUSY, before=before) == snapshot


def test_a_session_that_failed(snapshot: Any) -> None:
    failed = msgspec.structs.replace(BUSY, stage="ending", is_trading=False, failure="ZeroDivisionError: mine")
    assert shown(failed) == snapshot


def test_a_days_loss_that_is_reached_is_told() -> None:
    assert "running, trading, the loss of the day is reached  since" in shown(
        msgspec.structs.replace(BUSY, is_daily_loss_reached=True), width=120
    )


@pytest.mark.parametrize("width", [60, 80, 200])
def test_nothing_is_lost_in_another_width(width: int) -> None:
    text = shown(BUSY, width=width)
    assert "+123.46" in text and all(len(line) <= width for line in text.splitlines())


def screen(status: Status, width: int, height: int) -> list[str]:
    """The lines of a terminal that has no more than these."""
    out = io.StringIO()
    Console(file=out, width=width, height=height, highlight=False, no_color=True).print(
        Screen(rendered(status, before=status, fits_screen=True))
    )
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (120, 40), (200, 60)])
def test_a_terminal_shows_all_that_is_important(width: int, height: int) -> None:
    lines = screen(BUSY, width, height)
    text = " ".join(" ".join(lines).split())
    assert len(lines) <= height and all(len(line) <= width for line in lines)
    assert "…" not in text
    for told in (
        *("running, trading", "profit +123.46 USDT after 45.60 of fees, today -12.50", "equity 100,123.46 USDT"),
        *("drawdown 1.23% (hourly samples)", "99,084.16253721 USDT", "2 up, down: binance_spot orders", "2 gaps"),
        *("BTCUSDT", "0.00999", "90,034.03", "90,354.085", "+3.20 USDT", "-8.31 USDT", "ETHUSDT", "3,000.00"),
        *("12", "0.00400", "89,044.63", "partly filled", "09:12:00Z", "cancel in flight", "09:13:00Z"),
        *("5 orders of others", "0.0001 BNB"),
    ):
        assert told in text, told


def test_a_low_terminal(snapshot: Any) -> None:
    assert "\n".join(screen(BUSY, 80, 24)) == snapshot


def test_what_a_terminal_has_no_room_for_is_counted() -> None:
    orders = [order(at, "buy", "open", price="89044.63") for at in range(1, 40)]
    lines = screen(msgspec.structs.replace(BUSY, open_orders=orders), 80, 24)
    count = sum("open" in line and "Z" in line for line in lines)
    assert f"and {39 - count} more, which tradewind ctl RUN status shows" in lines and count >= 3
    assert "more, which" not in shown(msgspec.structs.replace(BUSY, open_orders=orders))


def test_what_goes_on_in_the_next_line_is_whole() -> None:
    # 60 columns: no name is cut, wherever it is broken.
    text = "".join(shown(BUSY, width=60).split())
    assert "…" not in text and "risk_order_quantity" in text.replace("\n", "")


def test_names_are_not_taken_for_markup() -> None:
    odd = msgspec.structs.replace(BUSY, name="[red]demo", strategies=[StrategyStatus("[bold]", {"word": "[/]"})])
    assert "[red]demo" in shown(odd) and "[bold]  word = [/]" in shown(odd)
    owned = msgspec.structs.replace(BUSY.positions[0], strategy="[dim]x[/dim]")
    assert "[dim]x[/dim]" in shown(msgspec.structs.replace(BUSY, positions=[owned]), width=200)
