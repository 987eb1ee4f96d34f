"""How a session is: what `tradewind ctl RUN status` and the terminal view show."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tradewind import __version__
from tradewind._core import NativeStrategy
from tradewind.control.latency import Latencies, LatencyMeter
from tradewind.journal.values import from_json, to_json
from tradewind.strategy import Strategy
from tradewind.times import duration_ns, from_ns

if TYPE_CHECKING:
    from tradewind.session.session import Session

Stage = Literal["starting", "running", "ending"]
_NEWEST_ORDERS = 20


class StrategyStatus(msgspec.Struct, frozen=True):
    """A strategy and its parameters, as they are now."""

    name: str
    parameters: dict[str, Any]


class PositionStatus(msgspec.Struct, frozen=True):
    """A position of a strategy; what is unrealised is not known without a mark."""

    strategy: str
    instrument: str
    quantity: Decimal
    cost: Decimal
    realised: Decimal
    unrealised: Decimal | None
    mark: Decimal | None
    mark_source: str
    currency: str


class OrderStatus(msgspec.Struct, frozen=True):
    """An order; `number` is what a cancel names."""

    number: int
    strategy: str
    instrument: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    filled: Decimal
    price: Decimal | None
    status: str
    reason: str | None
    note: str | None
    decided: datetime


class HealthStatus(msgspec.Struct, frozen=True):
    """What a person wants to know of connections and streams: which are up, and what went wrong so far."""

    connections: dict[str, bool]
    gaps: int
    misread: dict[str, int]
    early_reports: int
    late_trades: int
    ignored_reports: int
    foreign_reports: int
    untracked_fees: dict[str, Decimal]
    raw_recording: str = ""
    """Why raw frames are not recorded any more."""
    slow_writes: int = 0
    """How often writing the journal took over 100 ms."""
    unposted: dict[str, dict[str, Decimal]] = {}
    """What accounts hold more than is known, by venue and asset, and is not certain enough to be posted."""
    reasons: dict[str, str] = {}
    """Why connections are down, where it was said."""


class Status(msgspec.Struct, frozen=True):
    """A session at a moment. Amounts of money are exact text; what is derived from prices is a number.

    `profit` is that of the strategies, after fees; what comes and goes otherwise changes `equity` alone. Both are None
    while something that they count has no price.
    """

    name: str
    mode: str
    run: str
    stage: Stage
    failure: str | None
    version: str
    pid: int
    folder: str
    journal: str
    started: datetime
    now: datetime
    is_trading: bool
    sequence: int
    rows: int
    orders: int
    fills: int
    currency: str | None
    equity: float | None
    profit: float | None
    fees: float | None
    maximum_drawdown: float | None
    """That of the samples of the equity curve, one each `interval_ns`."""
    interval_ns: int
    day_profit: float | None
    balances: dict[str, dict[str, Decimal]]
    strategies: list[StrategyStatus]
    positions: list[PositionStatus]
    open_orders: list[OrderStatus]
    closed_orders: list[OrderStatus]
    health: HealthStatus
    latency: Latencies
    memory_bytes: int
    unknown_accounts: list[str] = []
    """The venues whose accounts were not heard of yet, so that what they hold is not known."""
    is_daily_loss_reached: bool = False
    """Whether the loss of this UTC day has reached its limit, so that only what reduces a position passes."""


@dataclass(frozen=True)
class About:
    """What does not change about a session.

    Parameters
    ----------
    name, mode
        Of the system, and what carries out its orders.
    folder, journal
        Where the run is kept, and where its journal is.
    strategies
        Its strategies.

    """

    name: str
    mode: str
    folder: Path
    journal: Path
    strategies: Sequence[Strategy | NativeStrategy]


class Observer:
    """Says how a session is, when asked.

    Parameters
    ----------
    session
        The session.
    about
        What does not change about it.

    """

    def __init__(self, session: Session, about: About) -> None:
        self._session = session
        self._about = about
        self._started = datetime.now(UTC)
        self._meter = LatencyMeter(session.audit.manifest)

    @property
    def stage(self) -> Stage:
        """How far the session is."""
        if self._session.is_running:
            return "running"
        return "ending" if self._session.is_ending else "starting"

    def status(self) -> Status:
        """The session now."""
        session, kernel, about = self._session, self._session.kernel, self._about
        outcome, failure, manifest = kernel.outcome(), session.failure, session.audit.manifest
        day, total = outcome["day"], outcome["total"]
        return Status(
            name=about.name,
            mode=about.mode,
            run=manifest.settings["run"],
            stage=self.stage,
            failure=None if failure is None else f"{type(failure).__name__}: {failure}",
            version=__version__,
            pid=os.getpid(),
            folder=str(about.folder),
            journal=str(about.journal),
            started=self._started,
            now=datetime.now(UTC),
            is_trading=kernel.is_trading,
            sequence=session.audit.last,
            rows=outcome["rows"],
            orders=outcome["orders"],
            fills=outcome["fills"],
            currency=manifest.settings["currency"],
            equity=session.equity_now,
            profit=_profit(total),
            fees=total.get("fees"),
            maximum_drawdown=outcome["maximum_drawdown"],
            interval_ns=duration_ns(from_json(manifest.settings["interval"])),
            day_profit=None if day is None else day[1],
            balances=self._balances(),
            strategies=[StrategyStatus(one.name, to_json(dict(one.parameters))) for one in about.strategies],
            positions=[msgspec.convert(one, PositionStatus) for one in kernel.holdings()],
            open_orders=[order_status(one) for one in kernel.open_orders()],
            closed_orders=[order_status(one) for one in kernel.closed_orders(_NEWEST_ORDERS)],
            health=self._health(outcome),
            latency=self._meter.measure(session.audit.newest()),
            memory_bytes=_memory_bytes(),
            unknown_accounts=session.unknown_accounts,
            is_daily_loss_reached=is_daily_loss_reached(outcome),
        )

    def _balances(self) -> dict[str, dict[str, Decimal]]:
        """What the accounts hold, but assets of which there is none."""
        held = {venue: self._session.kernel.balances(venue) for venue in self._session.index.venues}
        amounts = {venue: {asset: Decimal(amount) for asset, amount in one} for venue, one in held.items()}
        return {venue: {asset: amount for asset, amount in one.items() if amount} for venue, one in amounts.items()}

    def _health(self, outcome: dict[str, Any]) -> HealthStatus:
        health = self._session.health
        return HealthStatus(
            connections=dict(health.connections),
            gaps=health.gaps,
            misread=dict(health.misread),
            early_reports=health.early_reports,
            late_trades=outcome["late_trades"],
            ignored_reports=outcome["ignored_reports"],
            foreign_reports=health.foreign_reports,
            untracked_fees=dict(health.untracked_fees),
            raw_recording=health.raw_recording,
            slow_writes=health.slow_writes,
            reasons=dict(health.reasons),
            unposted={venue: dict(one) for venue, one in health.unposted.items() if one},
        )


def order_status(order: dict[str, Any]) -> OrderStatus:
    """An order as the kernel gives it."""
    plain = {
        **order,
        "number": order["order_id"],
        "instrument": order["instrument"].name,
        "decided": from_ns(order["decided_ns"]),
    }
    return msgspec.convert(plain, OrderStatus)


def _profit(total: dict[str, Any]) -> float | None:
    """The profit of the strategies, which is unknown while a part of it is (N4)."""
    realised, unrealised = total.get("net_realised"), total.get("unrealised")
    return None if realised is None or unrealised is None else realised + unrealised


def _memory_bytes() -> int:
    """The resident memory of this process; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def is_daily_loss_reached(outcome: Mapping[str, Any]) -> bool:
    """Whether the loss of this UTC day has reached its limit, by what a kernel says of its run so far."""
    return outcome["day"] is not None and outcome["day"][2] is not None
