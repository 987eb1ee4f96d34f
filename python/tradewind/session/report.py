"""What a session did, said at its end as a backtest's result is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradewind.control.status import OrderStatus, order_status
from tradewind.errors import TradewindError
from tradewind.journal.values import from_json
from tradewind.result import metrics_of
from tradewind.table import counts_text, figures, labelled, span_text
from tradewind.times import duration_ns

if TYPE_CHECKING:
    from tradewind.session.run import Prepared

log = logging.getLogger(__name__)
_WIDEST = 5_000


@dataclass(frozen=True)
class SessionReport:
    """A session that has ended, in order or not.

    Parameters
    ----------
    name, mode
        Of the run.
    metrics
        Every figure by name, of the whole run, those before a restart included; what is not known is None.
    entries
        How many entries the journal has.
    journal
        Where it is.
    is_finished
        Whether the run is over. One that is not goes on when it is started again.
    failure
        The error that ended it; empty where none did. It reaches the caller as itself, too.
    positions
        What strategies hold: strategy, instrument, quantity.
    orders
        Orders that are not closed, as far as is known.
    has_beginning
        Whether the journal has the beginning of the run, which the parity line needs.
    fails_again
        Whether the next start meets the failure again, as it is in what the journal holds.
    hint
        What the failure itself says is to be done; empty where it says nothing.

    """

    name: str
    mode: str
    metrics: dict[str, Any]
    entries: int
    journal: str
    is_finished: bool
    failure: str
    positions: list[tuple[str, str, str]]
    orders: list[OrderStatus]
    has_beginning: bool = True
    fails_again: bool = False
    hint: str = ""

    @classmethod
    def of(cls, ready: Prepared, error: BaseException | None = None) -> SessionReport:
        """The report of a session, which an error has ended."""
        session, kernel, about = ready.session, ready.kernel, ready.about
        settings = session.audit.manifest.settings
        interval_ns = duration_ns(from_json(settings["interval"]))
        counted = settings["currency"], settings["days"], interval_ns, kernel.equity()[0]
        outcome = kernel.outcome()
        if not session.is_finished:
            # The equity curve has no point at its end: what was earned is told as it is now, in amounts.
            span = outcome["span_ns"] and (outcome["span_ns"][0], kernel.now_ns)
            outcome |= {"final_equity": kernel.equity_now, "total_return": None, "span_ns": span}
        if session.unknown_accounts:
            outcome |= {"starting_equity": None, "final_equity": None, "total_return": None}
        # An engine that has failed does not hear that its orders were cancelled.
        orders = [one for one in kernel.open_orders() if session.left is None or session.name_of(one) in session.left]
        return cls(
            name=about.name,
            mode=about.mode,
            metrics=metrics_of(outcome, *counted),
            entries=session.audit.last,
            journal=str(about.journal),
            is_finished=session.is_finished,
            failure="" if error is None else _named(error),
            positions=kernel.positions(),
            orders=[order_status(one) for one in orders],
            has_beginning=not session.audit.manifest.accepted,
            fails_again=kernel.is_failed,
            hint=error.hint if isinstance(error, TradewindError) else "",
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            **self.metrics,
            "name": self.name,
            "mode": self.mode,
            "entries": self.entries,
            "journal": self.journal,
            "is_finished": self.is_finished,
            "failure": self.failure,
            "positions": self.positions,
            "open_orders": self.orders,
        }

    def __str__(self) -> str:
        run = f"{counts_text(self.metrics)}, {self.entries:,} entries in the journal"
        lines = [
            ("ended", self._ended),
            *(("left open", line) for line in self._left or ["nothing"]),
            *([("then", self._fate)] if self._left else []),
            ("journal", self.journal),
            ("next", f"tradewind replay {self.journal} --verify"),
            *([("next", f"tradewind parity {self.journal}")] if self.has_beginning else []),
        ]
        parts = [
            f"{self.name} ({self.mode}){span_text(self.metrics)}",
            figures(self.metrics, [("run", run)]),
            # What is copied into a shell stays in a line.
            labelled(lines, widest=_WIDEST),
        ]
        return "\n\n".join(parts)

    @property
    def _ended(self) -> str:
        if self.failure:
            return f"by {self.failure}"
        return "in order" if self.is_finished else "in order, and not finished: orders are kept"

    @property
    def _left(self) -> list[str]:
        """What strategies hold, and orders that are not closed."""
        held = [f"{quantity} of {instrument} ({strategy})" for strategy, instrument, quantity in self.positions]
        return [*held, *(_order(one) for one in self.orders)]

    @property
    def _fate(self) -> str:
        """What becomes of what is left open."""
        if self.failure:
            return self._fate_of_a_failure
        if not self.is_finished:
            return "the next start of the same run goes on with it"
        if self.mode == "live":
            return "it stays at the venue; the next run begins without, unless [[accounts.NAME.adopt]] hands it over"
        return "it was simulated: the next run begins without"

    @property
    def _fate_of_a_failure(self) -> str:
        known = "that is what was known at the failure"
        if self.mode == "live":
            known += ": it stays at the venue, and nobody looks after it"
        if self.fails_again:
            return f"{known}; correct the strategy and start with --accept-changes to go on with it"
        return f"{known}; {self.hint or 'start the same run again to go on with it'}"


@contextmanager
def reported(show: Callable[[SessionReport], None]) -> Iterator[list[Prepared]]:
    """Show how the session that is put into the list did, also where it ends by an error, which goes on its way.

    Parameters
    ----------
    show
        What is given the report.

    """
    sessions: list[Prepared] = []
    try:
        yield sessions
    except BaseException as error:
        try:
            for ready in sessions:
                show(SessionReport.of(ready, error))
        except Exception:
            # Not in the place of what ended the session.
            log.exception("the report of the session cannot be made")
        raise
    for ready in sessions:
        show(SessionReport.of(ready))


def _named(error: BaseException) -> str:
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _order(one: OrderStatus) -> str:
    price = "at the market" if one.price is None else f"at {one.price:f}"
    state = one.status.replace("_", " ")
    return f"order #{one.number} of {one.strategy}: {one.side} {one.quantity:f} {one.instrument} {price} ({state})"
