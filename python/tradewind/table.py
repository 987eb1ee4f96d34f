"""A result as text: the figures, and everything that decided them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from tradewind.simulation import simulated

if TYPE_CHECKING:
    from tradewind.result import Result

_NARROWEST, _WIDEST = 110, 400


def render(result: Result) -> str:
    """The text of a result."""
    metrics = result.metrics
    tables = [_instruments(metrics), _assets(metrics)]
    # As wide as the tables need: a figure that is cut short is a wrong figure.
    wanted = (Measurement.get(_console(_WIDEST), _console(_WIDEST).options, table).maximum for table in tables)
    console = _console(max(_NARROWEST, *wanted))
    currency = result.settings.resolved_currency
    title = ", ".join(strategy.name for strategy in result.strategies)
    label = " (synthetic market)" if result.data.is_synthetic else ""
    console.print(f"{title}{label}")
    for table in tables:
        console.print(table)
    for line in (_total(metrics, currency, result.settings.days), _counts(result), *_assumptions(result)):
        console.print(line, soft_wrap=True)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines())


def _console(width: int) -> Console:
    """Plain text: square brackets are ours, not markup."""
    return Console(file=io.StringIO(), width=width, color_system=None, highlight=False, markup=False)


def _instruments(metrics: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in (
        "instrument",
        "orders",
        "fills",
        "volume",
        "fees",
        "funding",
        "realised",
        "unrealised",
        "trips",
        "won",
        "profit factor",
    ):
        table.add_column(name, justify="left" if name == "instrument" else "right")
    for row in [*metrics["instruments"], {**metrics["total"], "instrument": "total"}]:
        cells = [number(row.get(key), 2) for key in ("volume", "fees", "funding", "realised", "unrealised")]
        open_mark = "+1 open" if row.get("is_open") else ""
        table.add_row(
            row["instrument"],
            f"{row.get('orders', 0):,}",
            f"{row.get('fills', 0):,}",
            *cells,
            f"{row['trips']:,}{open_mark}",
            percent(row["win_rate"]),
            number(row["profit_factor"], 2),
        )
    return table


def _assets(metrics: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("account", "asset", "deposited", "traded", "exchange fees", "liquidation fees", "funding", "wallet"):
        table.add_column(name, justify="left" if name in ("account", "asset") else "right")
    for row in metrics["assets"]:
        keys = ("deposited", "traded", "exchange_fees", "liquidation_fees", "funding", "wallet")
        table.add_row(row["account"], row["asset"], *(row[key] for key in keys))
    return table


def _total(metrics: dict[str, Any], currency: str, days: int) -> str:
    equity = f"equity {number(metrics['starting_equity'], 2)} -> {number(metrics['final_equity'], 2)} {currency}"
    parts = [
        f"{equity} ({percent(metrics['total_return'])})",
        f"maximum drawdown {percent(metrics['maximum_drawdown'])}",
        f"Sharpe {number(metrics['sharpe'], 2)}",
        f"Sortino {number(metrics['sortino'], 2)}",
        f"Calmar {number(metrics['calmar'], 2)}",
        f"daily returns, {days} days a year",
    ]
    return ", ".join(parts)


def _counts(result: Result) -> str:
    metrics = result.metrics
    rate = metrics["rows"] / result.seconds if result.seconds > 0 else 0.0
    return (
        f"{metrics['rows']:,} market events, {metrics['orders']:,} orders, {metrics['fills']:,} fills "
        f"in {result.seconds:.2f} s ({rate:,.0f} events a second)"
    )


def _assumptions(result: Result) -> list[str]:
    lines = []
    for venue in result.data.index.venues:
        settings, origin = simulated(venue, dict(result.settings.venues))
        lines.append(f"venue {venue}: {settings} [{origin}]")
    for fields in result.data.instruments:
        dated = f"{fields.date}" if fields.date else "given"
        fees = f"maker {fields.maker_fee:f}, taker {fields.taker_fee:f}"
        lines.append(f"instrument {fields.name}: {fees} [{dated}]")
    marks = {row["mark_source"] for row in result.metrics["instruments"] if row["mark_source"] != "none"}
    lines.append(
        f"marks: {', '.join(sorted(marks)) or 'none'}; risk: {result.settings.risk.limits}; seed {result.settings.seed}"
    )
    lines.append(f"decisions {result.decisions_hash[:16]}, state {result.state_hash[:16]}")
    return lines


def number(value: float | None, digits: int) -> str:
    """A number for a person; a dash for what is not known.

    Examples
    --------
    >>> number(1234.567, 2), number(None, 2)
    ('1,234.57', '-')

    """
    return "-" if value is None else f"{value:,.{digits}f}"


def percent(value: float | None) -> str:
    """A fraction as a percentage; a dash for what is not known.

    Examples
    --------
    >>> percent(0.1234), percent(None)
    ('12.34 %', '-')

    """
    return "-" if value is None else f"{value * 100:,.2f} %"
