"""What a journal tells of the way to the venue and back, order by order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from tradewind.journal.reader import Journal
from tradewind.journal.storage import Storage
from tradewind.journal.tables import Decoder
from tradewind.simulation import Latency, Measured
from tradewind.times import duration_text

_ANSWERS = {"place": ("accepted", "rejected", "unknown"), "cancel": ("cancelled", "cancel_rejected")}
_STATED = ("accepted", "cancelled")
"""The answers that carry the venue's own time; of a refusal live we know only when it arrived."""

_MILLISECOND_NS = 1_000_000
_VENUE = pl.col("instrument").str.split(":").list.first()


def latencies(journal: str | Path | Storage | Journal) -> pl.DataFrame:
    """How long each request of a run took to its venue and back.

    A request leaves when the input that it was decided on has been handled, so that it was *sent* at the time of that
    input: what we needed ourselves is part of the way out. The venue's time is its own where it told one; real venues
    tell whole milliseconds, of which the middle of what is possible (between sending and arrival) is taken. Where it
    told none, or one that is further before the sending than half of the round trip, half of that is taken each way.

    Parameters
    ----------
    journal
        The journal's file, the folder of its run, or an open one.

    Returns
    -------
    polars.DataFrame
        A row a request: ``strategy`` and ``count`` (which name the order), ``order_id``, ``kind`` (place or cancel),
        ``instrument``, ``answer`` (accepted, rejected, unknown, cancelled or cancel_rejected; null without one),
        ``decided_ns``, ``sent_ns``, ``venue_time_ns``, ``arrival_ns``, ``request_latency_ns``, ``answer_latency_ns``,
        ``venue_time`` (stated, or halved), and ``is_cut``: whether the connection for orders was down or lost in
        between, as by a kill of the session, so that what was asked waited for it. What was never answered has nulls.

    Examples
    --------
    >>> import tempfile, tradewind as tw
    >>> folder = tempfile.TemporaryDirectory()
    >>> result = tw.backtest(
    ...     tw.ema_cross("synthetic:BTCUSDT", fast=20, slow=100, quantity=0.05),
    ...     data={"synthetic:BTCUSDT": tw.synthetic(events=20_000)},
    ...     balances={"USDT": 100_000},
    ...     venues={"synthetic": tw.Simulated(latency="5ms", answer_latency="3ms")},
    ...     journal=folder.name,
    ... )
    >>> found = latencies(folder.name)
    >>> set(found["request_latency_ns"]), set(found["answer_latency_ns"])
    ({5000000}, {3000000})
    >>> folder.cleanup()

    """
    if isinstance(journal, Journal):
        return _latencies(journal)
    with Journal(journal) as opened:
        return _latencies(opened)


def measured(found: pl.DataFrame) -> dict[str, tuple[Latency, Latency]]:
    """The latencies of each venue, there and back, as a simulated venue takes them.

    One that never varied is a constant. Of a venue without an answered order nothing is known. For how long a
    connection was down, or a session dead, says nothing about the way.

    Parameters
    ----------
    found
        What `latencies` found.

    Examples
    --------
    >>> frame = pl.DataFrame({
    ...     "instrument": ["a:X", "a:X"], "answer": ["accepted", "accepted"],
    ...     "request_latency_ns": [2_000_000, 4_000_000], "answer_latency_ns": [1_000_000, 1_000_000],
    ...     "is_cut": [False, False],
    ... })
    >>> measured(frame)["a"]
    (Measured(2ms to 4ms, median 3ms), '1ms')

    """
    known = found.filter(pl.col("request_latency_ns").is_not_null() & ~pl.col("is_cut")).with_columns(venue=_VENUE)
    return {
        str(venue): (_distribution(rows["request_latency_ns"]), _distribution(rows["answer_latency_ns"]))
        for (venue,), rows in known.group_by("venue", maintain_order=True)
    }


def _distribution(latencies_ns: pl.Series) -> Latency:
    listed = latencies_ns.to_list()
    return duration_text(listed[0]) if latencies_ns.n_unique() == 1 else Measured.of(listed)


def _latencies(journal: Journal) -> pl.DataFrame:
    decoder = Decoder(journal.manifest, ("decisions", "account", "status"))
    parts: Mapping[str, list[pl.DataFrame]] = {name: [frame] for name, frame in decoder.empty().items()}
    for block in journal.batches():
        for name, frame in decoder.decode(block).items():
            parts[name].append(frame)
    requests = _requests(pl.concat(parts["decisions"]))
    reports = _reports(pl.concat(parts["account"]))
    answers = pl.concat([_answers(requests, reports, kind) for kind in _ANSWERS]).sort("sequence")
    is_live = journal.manifest.settings.get("mode") == "live"
    return _ways(_cut(answers, pl.concat(parts["status"])), is_live).drop("sequence")


def _requests(decisions: pl.DataFrame) -> pl.DataFrame:
    return decisions.filter(pl.col("kind") != "timer").select(
        "sequence", "strategy", "count", "order_id", "kind", "instrument", decided_ns=pl.col("time").to_physical()
    )


def _reports(account: pl.DataFrame) -> pl.DataFrame:
    # What the venue cancels by itself, such as the rest of an order that takes at once, answers no cancel.
    is_asked_for = (pl.col("kind") != "cancelled") | (pl.col("code") == "requested")
    return account.filter(pl.col("order_id").is_not_null() & is_asked_for).select(
        "order_id",
        answer="kind",
        answered="sequence",
        arrival_ns=pl.col("time").to_physical(),
        reported_ns=pl.col("venue_time").to_physical(),
    )


def _answers(requests: pl.DataFrame, reports: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Each request of a kind with the first report behind it that answers it."""
    wanted = reports.filter(pl.col("answer").is_in(_ANSWERS[kind])).sort("answered")
    asked = requests.filter(pl.col("kind") == kind).sort("sequence")
    found = asked.join_asof(
        wanted, left_on="sequence", right_on="answered", by="order_id", strategy="forward", check_sortedness=False
    )
    # What is asked again was not answered before.
    again = pl.col("sequence").shift(-1).over("order_id")
    is_own = again.is_null() | (pl.col("answered") < again)
    told = [name for name in wanted.columns if name != "order_id"]
    return found.with_columns(pl.when(is_own).then(pl.col(told)))


def _cut(answers: pl.DataFrame, status: pl.DataFrame) -> pl.DataFrame:
    """Say of each request whether its venue was not reached, or lost before the answer was there."""
    changes = status.filter(pl.col("part") == "orders").sort("sequence").select("venue", "sequence", "kind")
    before = changes.select("venue", before="sequence", kind_before="kind")
    behind = changes.select("venue", behind="sequence", kind_behind="kind")
    found = (
        answers.with_columns(venue=_VENUE)
        .join_asof(before, left_on="sequence", right_on="before", by="venue", check_sortedness=False)
        .join_asof(
            behind, left_on="sequence", right_on="behind", by="venue", strategy="forward", check_sortedness=False
        )
    )
    was_down = pl.col("kind_before") == "disconnected"
    was_lost = (pl.col("kind_behind") == "disconnected") & (pl.col("behind") < pl.col("answered"))
    is_cut = was_down.fill_null(value=False) | was_lost.fill_null(value=False)
    return found.with_columns(is_cut=is_cut).select(*answers.columns, "is_cut").drop("answered")


def _ways(answers: pl.DataFrame, is_live: bool) -> pl.DataFrame:
    """The way there and the way back of each request."""
    # Live, a report without the venue's time carries its arrival; an unknown fate is no answer at all. What arrives
    # before its time by our clock is stamped with it: a whole millisecond.
    own = (pl.col("reported_ns") < pl.col("arrival_ns")) | (pl.col("reported_ns") % _MILLISECOND_NS == 0)
    told = pl.col("answer").is_in(_STATED) & own if is_live else pl.lit(True)
    resolution_ns = _MILLISECOND_NS if is_live else 0
    earliest = pl.max_horizontal("decided_ns", "reported_ns")
    latest = pl.min_horizontal("arrival_ns", pl.col("reported_ns") + resolution_ns)
    # A time before the sending is wrong by at least so much; half of the round trip is never wrong by more than that.
    early_ns = earliest - latest
    stated = told & (early_ns <= (pl.col("arrival_ns") - pl.col("decided_ns")) // 2)
    halved = (pl.col("decided_ns") + pl.col("arrival_ns")) // 2
    middle = pl.max_horizontal((earliest + latest) // 2, "decided_ns")
    answered = pl.col("answer").is_not_null() & (pl.col("answer") != "unknown")
    return answers.with_columns(
        sent_ns=pl.col("decided_ns"),
        venue_time_ns=pl.when(answered).then(pl.when(stated).then(middle).otherwise(halved)),
        venue_time=pl.when(answered).then(pl.when(stated).then(pl.lit("stated")).otherwise(pl.lit("halved"))),
        arrival_ns=pl.when(answered).then("arrival_ns"),
    ).select(
        "sequence", "strategy", "count", "order_id", "kind", "instrument", "answer",
        "decided_ns", "sent_ns", "venue_time_ns", "arrival_ns",
        request_latency_ns=pl.col("venue_time_ns") - pl.col("sent_ns"),
        answer_latency_ns=pl.col("arrival_ns") - pl.col("venue_time_ns"),
        venue_time="venue_time", is_cut="is_cut",
    )  # fmt: skip
