"""A result as text: the figures, and everything that decided them."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from tradewind.risk import Limits
from tradewind.simulation import simulated
from tradewind.times import DAY_NS, duration_ns, from_ns, instant_text, interval_text

if TYPE_CHECKING:
    from tradewind.backtest import Amount, Balances, Command
    from tradewind.dataset import Dataset
    from tradewind.instruments import InstrumentFields
    from tradewind.result import Result
    from tradewind.risk import Risk

_WIDTH = 110
_WIDEST = 250
_Row = Mapping[str, Any]


def render(result: Result) -> str:
    """The text of a result."""
    metrics = result.metrics
    title = ", ".join(strategy.name for strategy in result.strategies)
    market = " over a synthetic market" if result.data.is_synthetic else ""
    parts = [
        f"{title}{market}{span_text(metrics)}",
        figures(metrics, [("run", _counts(result))]),
        labelled(_assumptions(result)),
    ]
    return "\n\n".join(parts)


def figures(metrics: _Row, more: Sequence[tuple[str, str]]) -> str:
    """The figures of a run: by instrument and by asset, in total, and what else is said under them."""
    return "\n\n".join(
        [
            table_text(_instruments(metrics, metrics["currency"])),
            table_text(_assets(metrics["assets"])),
            labelled([*_total(metrics), *_reasons(metrics), *more]),
        ]
    )


def sampling_text(interval_ns: int) -> str:
    """What a drawdown is of: the samples of the equity curve, and not each of its moments.

    Examples
    --------
    >>> sampling_text(3_600_000_000_000), sampling_text(900_000_000_000)
    ('hourly samples', 'samples every 15m')

    """
    every = interval_text(interval_ns)
    return {"1h": "hourly samples", "1d": "daily samples"}.get(every, f"samples every {every}")


def span_text(metrics: _Row) -> str:
    """From when to when a run lasted, to be added to its title."""
    if not metrics["span_ns"]:
        return ""
    first, last = (from_ns(time_ns).strftime("%Y-%m-%d %H:%M:%S") for time_ns in metrics["span_ns"])
    return f", {first} to {last} UTC"


def table_text(table: Table) -> str:
    """A table as wide as it needs to be: no name is cut."""
    console = Console(file=io.StringIO(), width=_WIDEST, color_system=None, highlight=False, markup=False)
    console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def plain_table(left: Sequence[str], right: Sequence[str]) -> Table:
    """An empty table: columns of words, then columns of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in left:
        table.add_column(name, no_wrap=True)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _instruments(metrics: _Row, currency: str) -> Table:
    rows: list[_Row] = [*metrics["instruments"], {**metrics["total"], "instrument": f"total, {currency}"}]
    counts = [
        name for name in ("orders", "fills", "orders_rejected", "orders_refused") if name in _ALWAYS or _any(rows, name)
    ]
    amounts = [
        name
        for name in ("volume", "fees", "funding", "net_realised", "unrealised")
        if name in _ALWAYS or _any(rows, name)
    ]
    digits = {name: _digits(row.get(name) for row in rows) for name in amounts}
    # What is net adds up to the change of equity with what is not realised, also where fees were taken in the base.
    names = [name.removeprefix("orders_").removesuffix("_realised") for name in (*counts, *amounts)]
    table = plain_table(["instrument"], [*names, "trips", "won", "profit factor"])
    for row in rows:
        trips = f"{row['trips']:,}{' + 1 open' if row.get('is_open') else ''}"
        table.add_row(
            row["instrument"],
            *("-" if row.get(name) is None else f"{row[name]:,}" for name in counts),
            *(number(row.get(name), digits[name]) for name in amounts),
            trips,
            percent(row["win_rate"]),
            number(row["profit_factor"], 2),
        )
    return table


_ALWAYS = (
    "orders",
    "fills",
    "volume",
    "fees",
    "net_realised",
    "unrealised",
    "deposited",
    "traded",
    "exchange_fees",
    "wallet",
)


def _any(rows: Sequence[_Row], name: str) -> bool:
    """Whether a column says anything."""
    return any(row.get(name) is not None and float(row[name]) != 0 for row in rows)


def _digits(values: Iterable[float | None]) -> int:
    """Decimals for a column: fewer the larger its numbers are."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    if largest == 0 or largest >= 1:
        return 0 if largest >= 1_000_000 else 2
    return min(3 - math.floor(math.log10(largest)), 8)


def _assets(rows: Sequence[_Row]) -> Table:
    names = (
        "deposited",
        "traded",
        "exchange_fees",
        "network_fees",
        "liquidation_fees",
        "funding",
        "insurance",
        "unexplained",
        "wallet",
    )
    shown = [name for name in names if name in _ALWAYS or _any(rows, name)]
    table = plain_table(["account", "asset"], [name.replace("_", " ") for name in shown])
    for row in rows:
        table.add_row(row["account"], row["asset"], *(f"{Decimal(row[name]):,f}" for name in shown))
    return table


def labelled(lines: Sequence[tuple[str, str]], *, widest: int = _WIDTH) -> str:
    """Lines under each other, with their labels in a column of their own; wider ones are wrapped."""
    width = max(len(label) for label, _ in lines) + 2
    return "\n".join(
        f"{label if place == 0 else '':<{width}}{part}"
        for label, line in lines
        for place, part in enumerate(
            textwrap.wrap(line, widest - width, break_long_words=False, break_on_hyphens=False)
        )
    )


def _total(metrics: _Row) -> list[tuple[str, str]]:
    worth = [metrics["starting_equity"], metrics["final_equity"]]
    equity = f"{' -> '.join(number(one, 2) for one in worth)} {metrics['currency']}"
    if worth == [None, None]:
        equity = "unknown"
    elif metrics["total_return"] is not None:
        equity += f" ({percent(metrics['total_return'])})"
    drawdown = f"drawdown {percent(metrics['maximum_drawdown'])} ({sampling_text(metrics['interval_ns'])})"
    ratios = ", ".join(f"{name} {number(metrics[name.lower()], 2)}" for name in ("Sharpe", "Sortino", "Calmar"))
    return [
        ("equity", f"{equity}, maximum {drawdown}"),
        ("returns", f"annual {percent(metrics['annual_return'])}, {ratios} ({_basis(metrics)})"),
    ]


def _basis(metrics: _Row) -> str:
    """What makes a year of the returns (N6)."""
    count = metrics["counted_days"]
    days = "UTC days" if count is None else counted(count, "UTC day")
    which = "with samples" if metrics["days"] == 252 else "begun"
    return f"daily: {days} {which}, {metrics['days']} a year"


def _reasons(metrics: _Row) -> list[tuple[str, str]]:
    """Why orders were refused by us or rejected by the venue, where any were."""
    reasons = metrics["rejections"]
    total = metrics["total"]
    sides = [side for side in ("refused", "rejected") if total.get(f"orders_{side}")]
    listed = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
    return [(" or ".join(sides), listed)] if reasons else []


def _counts(result: Result) -> str:
    metrics = result.metrics
    rate = metrics["rows"] / result.seconds if result.seconds > 0 else 0.0
    return f"{counts_text(metrics)} in {result.seconds:.2f} s ({rate:,.0f} events a second)"


def counts_text(outcome: _Row) -> str:
    """How much happened in a run.

    Examples
    --------
    >>> counts_text({"rows": 2_000, "orders": 1, "fills": 0})
    '2,000 market events, 1 order, 0 fills'

    """
    named = (("rows", "market event"), ("orders", "order"), ("fills", "fill"))
    return ", ".join(counted(outcome[name], noun) for name, noun in named)


def counted(count: int, noun: str) -> str:
    """How many of something there are, in words.

    Examples
    --------
    >>> counted(1, "fill"), counted(2_000, "order")
    ('1 fill', '2,000 orders')

    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _assumptions(result: Result) -> list[tuple[str, str]]:
    lines = []
    for venue in result.data.index.venues:
        settings, origin = simulated(venue, dict(result.settings.venues))
        lines.append(("venue", f"{venue}: {settings} [{origin}]"))
    for fields in result.data.instruments:
        dated = f"packaged, of {fields.date}" if fields.date else "given"
        lines.append(("instrument", f"{fields.name}: {_specification(fields)} [{dated}]"))
    lines.append(("balances", _balances(result.settings.balances)))
    lines += [("data", report) for report in result.data.reports]
    lines += [("strategy", f"{strategy.name}: {_parameters(strategy.parameters)}") for strategy in result.strategies]
    lines += [("fills", line) for line in _fills(result.data)]
    marks = {row["mark_source"] for row in result.metrics["instruments"] if row["mark_source"] != "none"}
    lines.append(("marks", ", ".join(sorted(marks)) or "none"))
    lines.append(("risk", _risk(result.settings.risk, result.metrics["currency"])))
    lines += _warm_up(result)
    lines += [("command", _command(command)) for command in result.settings.commands]
    lines += [("incident", str(incident)) for incident in result.settings.incidents]
    lines.append(("seed", f"{result.settings.seed}"))
    lines.append(("hashes", f"decisions {result.decisions_hash[:16]}, state {result.state_hash[:16]}"))
    return lines


def _risk(risk: Risk, currency: str) -> str:
    """Everything that may have refused an order (N5)."""
    parts = [] if risk.limits == Limits() else [str(risk.limits)]
    parts += [f"{name}: {one}" for name, one in (risk.by_instrument or {}).items()]
    if risk.order_rate is not None:
        interval = interval_text(duration_ns(risk.order_rate.interval))
        parts.append(f"{counted(risk.order_rate.orders, 'order')} within {interval}")
    if risk.daily_loss is not None:
        parts.append(f"daily loss {risk.daily_loss} {currency}")
        parts += [] if risk.carried is None else [_carried(*risk.carried, currency)]
    parts += [f"check {getattr(check, '__name__', check)}" for check in risk.checks]
    return "; ".join(parts) or "no limits"


def _carried(day: int, profit: float, reached: float | None, currency: str) -> str:
    """What earlier runs of a day count towards its loss."""
    limit = "" if reached is None else f", the limit {reached} reached"
    return f"profit of earlier runs {profit} {currency} on {from_ns(day * DAY_NS):%Y-%m-%d}{limit}"


def _warm_up(result: Result) -> list[tuple[str, str]]:
    """How much of the data was not traded (V4)."""
    duration = duration_ns(result.settings.warm_up)
    if not duration:
        return []
    untraded = ", which is all of the data: no strategy was called" if is_all_warm_up(result) else ""
    return [("warm-up", f"{interval_text(duration)}{untraded}")]


def is_all_warm_up(result: Result) -> bool:
    """Whether the warm-up left nothing of the data."""
    span = result.metrics["span_ns"]
    return duration_ns(result.settings.warm_up) > 0 and (not span or span[0] == span[1])


def _fills(data: Dataset) -> list[str]:
    """Which data decided each instrument's fills (F1), and what was not charged for want of data."""
    held: dict[int, set[str]] = {}
    for recording in data.recordings:
        for place, kind in recording.streams:
            held.setdefault(place, set()).add(kind.partition("(")[0])
    lines = []
    for place, kinds in sorted(held.items()):
        fields = data.instruments[place]
        against = next((kind for kind in ("book", "quotes", "trades", "bars") if kind in kinds), "nothing")
        funded = fields.kind == "spot" or "funding" in kinds
        lines.append(f"{fields.name}: against {against}{'' if funded else '; no funding data, so none was charged'}")
    return lines


def _specification(fields: InstrumentFields) -> str:
    """What of an instrument decides numbers."""
    parts = [fields.kind.replace("_", " "), f"maker {fields.maker_fee:f}, taker {fields.taker_fee:f}"]
    parts.append(f"tick {fields.tick:f}, lot {fields.lot:f}")
    parts.append(f"minimum {fields.minimum_quantity:f} and {fields.minimum_notional:f} {fields.quote}")
    if fields.multiplier != 1:
        parts.append(f"multiplier {fields.multiplier:f}")
    if fields.kind == "spot":
        parts.append("fee in what is received" if fields.fee_asset == "received" else "fee in the quote")
    if fields.liquidation_fee:
        parts.append(f"liquidation fee {fields.liquidation_fee:f}")
    if fields.initial_margin is not None:
        parts.append(f"initial margin {fields.initial_margin:f}")
    if fields.maintenance_margin is not None:
        parts.append(f"maintenance margin {fields.maintenance_margin:f}")
    return ", ".join(parts)


def _balances(balances: Balances) -> str:
    flat = {asset: amount for asset, amount in balances.items() if not isinstance(amount, Mapping)}
    by_venue = [f"{venue}: {_amounts(held)}" for venue, held in balances.items() if isinstance(held, Mapping)]
    return "; ".join(by_venue) or _amounts(flat) or "none"


def _amounts(held: Mapping[str, Amount]) -> str:
    return ", ".join(f"{amount} {asset}" for asset, amount in held.items())


def _command(command: Command) -> str:
    only = [f"{what} {name}" for what, name in (("of", command.strategy), ("in", command.instrument)) if name]
    return " ".join([command.word, *only, f"at {instant_text(command.time)}"])


def _parameters(parameters: _Row) -> str:
    return ", ".join(f"{name}={value}" for name, value in parameters.items()) or "no parameters"


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
    >>> percent(0.1234), percent(-0.000013), percent(None)
    ('12.34 %', '-0.0013 %', '-')

    """
    return "-" if value is None else f"{value * 100:,.{4 if 0 < abs(value) < 0.0005 else 2}f} %"
