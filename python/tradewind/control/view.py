"""A session as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tradewind.control.latency import Latency
from tradewind.control.listing import QUIET, Listing
from tradewind.control.status import OrderStatus, PositionStatus, Status
from tradewind.table import counted, sampling_text

_GOOD, _BAD = "green", "bold red"


@dataclass(frozen=True)
class _Detail:
    """How much is shown: less where the screen is low.

    Parameters
    ----------
    most_closed
        How many closed orders.
    is_boxed
        Whether parts stand in frames, with the strategies' parameters and the latencies among them.
    most_rows
        How many positions and open orders; all where there is none.

    """

    most_closed: int
    is_boxed: bool
    most_rows: int | None = None


_DETAILS = (
    *(_Detail(closed, is_boxed=is_boxed) for is_boxed in (True, False) for closed in (5, 3, 1, 0)),
    *(_Detail(0, is_boxed=False, most_rows=rows) for rows in (8, 6, 4, 3, 2, 1)),
)


def rendered(status: Status, *, before: Status | None = None, fits_screen: bool = False) -> RenderableType:
    """How a session is, in what width there is: nothing is cut.

    Parameters
    ----------
    status
        What it said.
    before
        What it said a while ago, for rates.
    fits_screen
        Whether the height of the terminal is all that there is, so that less is shown on a low one. How many positions
        and open orders are left out is said.

    """
    return _View(status, before, fits_screen)


@dataclass(frozen=True)
class _View:
    status: Status
    before: Status | None
    fits_screen: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """The most that there is room for."""
        for detail in _DETAILS:
            shown = Group(*_parts(self.status, self.before, detail, options.max_width))
            if not self.fits_screen or len(console.render_lines(shown, options, pad=False)) <= console.height:
                break
        yield shown


def _parts(status: Status, before: Status | None, detail: _Detail, width: int) -> Iterator[RenderableType]:
    yield _head(status, before)
    yield from _framed("profit", _money(status), detail)
    if status.failure is not None:
        yield Text(f"the session ends by {status.failure}", _BAD)
    if not detail.is_boxed:
        # What is wrong is told before what there may be no room for.
        yield _trouble(status)
    yield from _positions(status.positions).shown(width, detail.most_rows, is_boxed=detail.is_boxed)
    yield from _orders("open orders", status.open_orders).shown(width, detail.most_rows, is_boxed=detail.is_boxed)
    if closed := status.closed_orders[: detail.most_closed]:
        yield from _orders("newest closed orders", closed).shown(width, None, is_boxed=detail.is_boxed)
    if detail.is_boxed:
        yield from _framed("strategies", _strategies(status), detail)
        yield from _framed("health", _health(status), detail)


def _framed(title: str, content: RenderableType, detail: _Detail) -> Iterator[RenderableType]:
    yield Panel(content, title=title, title_align="left") if detail.is_boxed else content


def _head(status: Status, before: Status | None) -> RenderableType:
    trading = ("trading", _GOOD) if status.is_trading else ("not trading", _BAD)
    stage = (status.stage, _GOOD if status.stage == "running" else "yellow")
    first = Text.assemble((f"{status.name} ", "bold"), f"({status.mode})  ", stage, ", ", trading)
    if status.is_daily_loss_reached:
        first.append_text(Text.assemble(", ", ("the loss of the day is reached", _BAD)))
    first.append(f"  since {_moment(status.started)}, for {_lasting(status.now - status.started)}", QUIET)
    rate = ""
    if before is not None and (seconds := (status.now - before.now).total_seconds()) > 0:
        rate = f" ({(status.rows - before.rows) / seconds:,.0f} a second)"
    counts = f"{status.rows:,} market events{rate}, {counted(status.orders, 'order')}, {counted(status.fills, 'fill')}"
    return Group(first, Text(f"{counts}; the journal has {status.sequence:,} entries", QUIET))


def _money(status: Status) -> RenderableType:
    currency = f" {status.currency}" if status.currency else ""
    profit = Text.assemble(
        "profit ", _signed(status.profit), f"{currency} after {_number(status.fees)} of fees, today "
    )
    profit.append_text(_signed(status.day_profit))
    drawdown = f"drawdown {_share(status.maximum_drawdown)} ({sampling_text(status.interval_ns)})"
    equity = Text(f"equity {_number(status.equity)}{currency}   {drawdown}")
    held = [f"{venue} {_amounts(one)}" for venue, one in status.balances.items() if one]
    held += [f"what is held at {venue} is not known yet" for venue in status.unknown_accounts]
    return Group(profit, equity, Text("; ".join(held) or "nothing is held", QUIET))


def _positions(positions: Iterable[PositionStatus]) -> Listing:
    columns = ("strategy", "instrument", "quantity", "average price", "mark", "unrealised", "realised")
    rows = [
        _cells(
            one.strategy,
            one.instrument,
            f"{one.quantity:f}",
            _number(one.cost / one.quantity if one.quantity else None),
            "unknown" if one.mark is None else f"{one.mark:,f}",
            _signed(one.unrealised, one.currency),
            _signed(one.realised, one.currency),
        )
        for one in positions
    ]
    return Listing("positions", columns, frozenset(columns[2:]), rows, "none: every strategy is flat")


def _orders(title: str, orders: Iterable[OrderStatus]) -> Listing:
    columns = ("#", "strategy", "instrument", "side", "quantity", "filled", "price", "state", "decided")
    rows = [
        _cells(
            str(one.number),
            one.strategy,
            one.instrument,
            Text(one.side, _GOOD if one.side == "buy" else "red"),
            f"{one.quantity:f}",
            f"{one.filled:f}",
            "market" if one.price is None else f"{one.price:,f}",
            one.status.replace("_", " ") + ("" if one.reason in (None, "requested") else f" ({one.reason})"),
            _moment(one.decided),
        )
        for one in orders
    ]
    return Listing(title, columns, frozenset({"#", "quantity", "filled", "price"}), rows)


def _strategies(status: Status) -> RenderableType:
    lines = [
        f"{one.name}  {', '.join(f'{name} = {value}' for name, value in one.parameters.items())}"
        for one in status.strategies
    ]
    return Text("\n".join(lines))


def _health(status: Status) -> RenderableType:
    health = status.health
    grid = Table.grid(padding=(0, 2))
    grid.add_row("connections", _connections(status))
    grid.add_row("market data", _took(status.latency.market_data, "from the venue to here"))
    grid.add_row("orders", _took(status.latency.orders, "from the decision to the venue's answer"))
    grid.add_row("noticed", _noticed(status) or Text("nothing", QUIET))
    if health.raw_recording:
        grid.add_row("raw frames", Text(health.raw_recording, _BAD))
    for asset, amount in health.untracked_fees.items():
        grid.add_row("fees", Text(f"{amount:f} {asset} were paid beside the run's assets"))
    for told in _unposted(status):
        grid.add_row("balances", told)
    grid.add_row("process", f"{status.pid}, {status.memory_bytes / 2**20:,.0f} MB")
    return grid


def _trouble(status: Status) -> RenderableType:
    """Health in a few words: connections, and what is wrong."""
    parts = [Text.assemble("connections ", _connections(status))]
    if noticed := _noticed(status):
        parts.append(Text.assemble("noticed ", noticed))
    if status.health.raw_recording:
        parts.append(Text(f"raw frames: {status.health.raw_recording}", _BAD))
    parts += [
        Text(f"fees {amount:f} {asset} untracked", "yellow") for asset, amount in status.health.untracked_fees.items()
    ]
    return Text("; ").join(parts + _unposted(status))


def _connections(status: Status) -> Text:
    health = status.health
    down = [_down(name, health.reasons.get(name)) for name, is_up in health.connections.items() if not is_up]
    up = len(health.connections) - len(down)
    return Text.assemble((f"{up} up", _GOOD), *([(f", down: {', '.join(down)}", _BAD)] if down else []))


def _down(name: str, reason: str | None) -> str:
    return name if reason is None else f"{name} ({reason})"


def _noticed(status: Status) -> Text | None:
    health = status.health
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
    return Text(wrong, "yellow") if wrong else None


def _unposted(status: Status) -> list[Text]:
    """By how much accounts differ from what is known, while that is not certain."""
    found = {
        venue: ", ".join(f"{amount:+f} {asset}" for asset, amount in amounts.items())
        for venue, amounts in status.health.unposted.items()
    }
    return [Text(f"{venue} differs by {told}, not posted", _BAD) for venue, told in found.items()]


def _took(latency: Latency | None, what: str) -> Text:
    if latency is None:
        return Text(f"not measured yet: {what}", QUIET)
    times = f"median {_duration(latency.median_ns)}, 99 of 100 under {_duration(latency.percentile_99_ns)}"
    return Text.assemble(times, (f"  {what}, of the last {latency.count:,}", QUIET))


def _cells(*cells: str | Text) -> list[Text]:
    """A row whose words are taken as they are: names may look like markup."""
    return [Text(cell) if isinstance(cell, str) else cell for cell in cells]


def _amounts(held: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{amount:,f} {asset}" for asset, amount in held.items())


def _number(value: float | Decimal | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{abs(value):.2%}"


def _signed(value: float | Decimal | None, currency: str = "") -> Text:
    if value is None:
        return Text("unknown", QUIET)
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
