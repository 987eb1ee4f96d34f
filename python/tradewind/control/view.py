"""A session as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tradewind.control.latency import Latency
from tradewind.control.status import OrderStatus, PositionStatus, Status

_MOST_CLOSED = 5
_GOOD, _BAD, _QUIET = "green", "bold red", "dim"


def rendered(status: Status, *, before: Status | None = None) -> RenderableType:
    """How a session is.

    Parameters
    ----------
    status
        What it said.
    before
        What it said a while ago, for rates.

    """
    parts: list[RenderableType] = [_head(status, before), _money(status)]
    if status.failure is not None:
        parts.append(Text(f"the session ends by {status.failure}", _BAD))
    parts += [_positions(status.positions), _orders("open orders", status.open_orders)]
    if status.closed_orders:
        parts.append(_orders("closed orders, the newest", status.closed_orders[:_MOST_CLOSED]))
    parts += [_strategies(status), _health(status)]
    return Group(*parts)


def _head(status: Status, before: Status | None) -> RenderableType:
    trading = ("trading", _GOOD) if status.is_trading else ("not trading", _BAD)
    stage = (status.stage, _GOOD if status.stage == "running" else "yellow")
    first = Text.assemble((f"{status.name} ", "bold"), f"({status.mode})  ", stage, ", ", trading, "  ")
    first.append(f"since {_moment(status.started)}, for {_lasting(status.now - status.started)}", _QUIET)
    rate = ""
    if before is not None and (seconds := (status.now - before.now).total_seconds()) > 0:
        rate = f" ({(status.rows - before.rows) / seconds:,.0f} a second)"
    counts = f"{status.rows:,} market events{rate}, {status.orders:,} orders, {status.fills:,} fills"
    return Group(first, Text(f"{counts}; the journal has {status.sequence:,} entries", _QUIET))


def _money(status: Status) -> RenderableType:
    currency = f" {status.currency}" if status.currency else ""
    line = Text.assemble("profit ", _signed(status.profit), f"{currency} after {_number(status.fees)} of fees")
    line.append(f"   equity {_number(status.equity)}{currency}, today ").append_text(_signed(status.day_profit))
    line.append(f"   drawdown {_share(status.maximum_drawdown)}")
    held = [f"{venue} {_amounts(one)}" for venue, one in status.balances.items() if one]
    return Panel(Group(line, Text("; ".join(held) or "nothing is held", _QUIET)), title="profit", title_align="left")


def _positions(positions: Iterable[PositionStatus]) -> RenderableType:
    columns = ("strategy", "instrument", ">quantity", ">average price", ">mark", ">unrealised", ">realised")
    table = _table("positions", *columns)
    for one in positions:
        _add(
            table,
            one.strategy,
            one.instrument,
            f"{one.quantity:f}",
            _number(one.cost / one.quantity if one.quantity else None),
            "unknown" if one.mark is None else f"{one.mark:,f}",
            _signed(one.unrealised, one.currency),
            _signed(one.realised, one.currency),
        )
    return _or_none(table, "none: every strategy is flat")


def _orders(title: str, orders: Iterable[OrderStatus]) -> RenderableType:
    table = _table(title, ">#", "strategy", "instrument", "side", ">quantity", ">filled", ">price", "state", "decided")
    for one in orders:
        state = one.status.replace("_", " ") + ("" if one.reason in (None, "requested") else f" ({one.reason})")
        _add(
            table,
            str(one.number),
            one.strategy,
            one.instrument,
            Text(one.side, _GOOD if one.side == "buy" else "red"),
            f"{one.quantity:f}",
            f"{one.filled:f}",
            "market" if one.price is None else f"{one.price:,f}",
            state,
            _moment(one.decided),
        )
    return _or_none(table, "none")


def _strategies(status: Status) -> RenderableType:
    lines = [
        f"{one.name}  {', '.join(f'{name} = {value}' for name, value in one.parameters.items())}"
        for one in status.strategies
    ]
    return Panel(Text("\n".join(lines)), title="strategies", title_align="left")


def _health(status: Status) -> RenderableType:
    health = status.health
    grid = Table.grid(padding=(0, 2))
    down = [name for name, is_up in health.connections.items() if not is_up]
    up = len(health.connections) - len(down)
    links = Text.assemble((f"{up} up", _GOOD), *([(f", down: {', '.join(down)}", _BAD)] if down else []))
    _add(grid, "connections", links)
    _add(grid, "market data", _took(status.latency.market_data, "from the venue to here"))
    _add(grid, "orders", _took(status.latency.orders, "from the decision to the venue's answer"))
    counts = {
        "gaps": health.gaps,
        "misread messages": sum(health.misread.values()),
        "reports before their time": health.early_reports,
        "late trades": health.late_trades,
        "reports ignored": health.ignored_reports,
        "orders of others": health.foreign_reports,
        "slow writes": health.slow_writes,
    }
    wrong = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    _add(grid, "noticed", Text(wrong, "yellow") if wrong else Text("nothing", _QUIET))
    if health.raw_recording:
        _add(grid, "raw frames", Text(health.raw_recording, _BAD))
    for asset, amount in health.untracked_fees.items():
        _add(grid, "fees", f"{amount:f} {asset} were paid beside the run's assets")
    _add(grid, "process", f"{status.pid}, {status.memory_bytes / 2**20:,.0f} MB")
    return Panel(grid, title="health", title_align="left")


def _took(latency: Latency | None, what: str) -> Text:
    if latency is None:
        return Text(f"not measured yet: {what}", _QUIET)
    times = f"median {_duration(latency.median_ns)}, 99 of 100 under {_duration(latency.percentile_99_ns)}"
    return Text.assemble(times, (f"  {what}, of the last {latency.count:,}", _QUIET))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left")
    return table


def _add(table: Table, *cells: str | Text) -> None:
    """A row whose words are taken as they are: names may look like markup."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def _or_none(table: Table, none: str) -> RenderableType:
    return table if table.row_count else Text.assemble((f"{table.title}  ", "bold"), (none, _QUIET))


def _amounts(held: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{amount:,f} {asset}" for asset, amount in held.items())


def _number(value: float | Decimal | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{abs(value):.2%}"


def _signed(value: float | Decimal | None, currency: str = "") -> Text:
    if value is None:
        return Text("unknown", _QUIET)
    return Text(f"{value:+,.2f}{f' {currency}' if currency else ''}", _GOOD if value >= 0 else "red")


def _moment(time: datetime) -> str:
    return f"{time:%H:%M:%S}Z"


def _lasting(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    days, seconds = divmod(seconds, 86_400)
    clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{days} d {clock}" if days else clock


def _duration(time_ns: int) -> str:
    for size, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "us")):
        if abs(time_ns) >= size:
            return f"{time_ns / size:.3g} {unit}"
    return f"{time_ns} ns"
