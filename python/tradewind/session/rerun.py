"""Another strategy over what a session recorded, on simulated venues with the session's measured latencies."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from tradewind import _core
from tradewind.backtest import Settings, listed_strategies
from tradewind.dataset import Dataset
from tradewind.errors import exception
from tradewind.instruments import InstrumentFields
from tradewind.journal import Journal, Storage
from tradewind.journal.code import AnyStrategy, Rebuilt, rebuilt
from tradewind.journal.kernel import kernel_of, made_anew_until
from tradewind.journal.latency import latencies, measured
from tradewind.journal.manifest import Manifest, manifest_of
from tradewind.journal.tables import Decoder
from tradewind.journal.values import from_json, to_json
from tradewind.result import Result
from tradewind.risk import Limits, OrderRate, Risk
from tradewind.simulation import Simulated, as_latency
from tradewind.strategy import Strategy
from tradewind.table import number, plain_table, table_text
from tradewind.times import duration_text

_COMPARED = ("orders", "fills", "volume", "fees", "funding", "net_profit")
_COUNTS = ("orders", "fills")


@dataclass(frozen=True)
class Rerun:
    """A session beside another strategy over the market data that it recorded.

    Parameters
    ----------
    result
        The other strategy's run, as a backtest's.
    session, other
        Orders, fills, volume, fees, funding and net profit of either, in the currency of the totals; None for what is
        not known.
    notes
        What a reader should know: what was left out, and what was not measured.

    """

    result: Result
    session: Mapping[str, float | None]
    other: Mapping[str, float | None]
    notes: tuple[str, ...]

    @property
    def comparison(self) -> str:
        """Both sides in a table."""
        table = plain_table([""], ["session", "other", "difference"])
        for name in _COMPARED:
            digits = 0 if name in _COUNTS else 2
            ours, theirs = self.other[name], self.session[name]
            gap = None if ours is None or theirs is None else round(ours - theirs, digits) + 0.0
            table.add_row(name.replace("_", " "), *(number(one, digits) for one in (theirs, ours, gap)))
        return table_text(table)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "session": dict(self.session),
            "other": dict(self.other),
            "notes": list(self.notes),
            "metrics": self.result.metrics,
        }

    def __str__(self) -> str:
        return "\n\n".join([str(self.result), self.comparison, *(f"note: {note}" for note in self.notes)])


def rerun(
    journal: str | Path | Storage,
    strategies: AnyStrategy | Iterable[AnyStrategy],
    *,
    progress: Callable[[int], None] | None = None,
) -> Rerun:
    """Run another strategy over the market data that a session recorded.

    It meets the recorded rows, conditions, values and commands at the times at which they arrived, under the session's
    limits and checks, with what the session's accounts began with. Its orders go to simulated venues, whose latencies
    are drawn from those that the session measured on its own orders, by the run's seed. So the same journal and code
    give the same result.

    Parameters
    ----------
    journal
        The journal's file, or the folder of its run.
    strategies
        The strategy, or several. They may name any stream that was recorded.
    progress
        Called with the number of entries that were met so far.

    """
    started = time.perf_counter()
    others = listed_strategies(strategies)
    with Journal(journal, checked=False) as recorded:
        recorded.need_beginning()
        manifest = recorded.manifest
        streams, balances = _met(recorded)
        venues, notes = _venues(manifest, latencies(recorded))
        with rebuilt(msgspec.structs.replace(manifest.code, strategies=[]), None, None, as_recorded=True) as code:
            other = Rebuilt(_named(others), code.checks, (), changed=True)
            kernel = _kernel(manifest, other, venues, streams)
            left_out = _live_again(kernel, recorded, others, progress)
            seconds = time.perf_counter() - started
        session = _figures(recorded, streams)
    notes += [f"{count:,} {what} of the session were left out" for what, count in left_out.items()]
    if manifest.settings["incidents"]:
        notes.append("the strategy hears of outages and halts, and the simulated venues know nothing of them")
    data, settings = _data(manifest, recorded.place, streams), _settings(manifest, venues, balances)
    result = Result(kernel, data, settings, others, seconds, manifest_of(data, others, settings))
    # Of the recorded code only the checks were run.
    told = code.notes if manifest.code.checks else ()
    return Rerun(result, session, _compared(kernel), (*notes, *told))


def _named(others: Sequence[AnyStrategy]) -> list[tuple[str, AnyStrategy]]:
    return [(one.name, one.fresh() if isinstance(one, Strategy) else one) for one in others]


_KINDS = {"trade": "trades", "quote": "quotes", "book": "book", "mark": "marks", "funding": "funding"}


def _met(recorded: Journal) -> tuple[list[tuple[str, str]], dict[str, dict[str, Decimal]]]:
    """The streams that a run received, and what its accounts were given, by venue and asset."""
    wanted = {
        "status": ["instrument", "stream"],
        "inputs": ["instrument", "what"],
        "account": ["account", "kind", "asset", "amount"],
    }
    decoder = Decoder(recorded.manifest, wanted)
    streams: dict[tuple[str, str], None] = {}
    balances: dict[str, dict[str, Decimal]] = {}
    for block in recorded.batches():
        tables = decoder.decode(block)
        streams |= dict.fromkeys(tables["status"].drop_nulls().unique().rows())
        known = tables["inputs"].filter(pl.col("what").is_in(list(_KINDS))).unique()
        streams |= {(name, _KINDS[what]): None for name, what in known.select("instrument", "what").rows()}
        deposits = tables["account"].filter(kind="deposit")
        for account, asset, amount in deposits.select("account", "asset", "amount").rows():
            held = balances.setdefault(account, {})
            held[asset] = held.get(asset, Decimal(0)) + amount
    # A backtest's manifest names its streams; a session's names all that could be had.
    listed = sorted(streams) if "mode" in recorded.manifest.settings else list(recorded.manifest.streams)
    return listed, balances


def _venues(manifest: Manifest, found: pl.DataFrame) -> tuple[dict[str, Simulated], list[str]]:
    """How each venue is simulated: with the latencies that were measured, else with those that were stated."""
    ways = measured(found)
    venues, notes = {}, []
    for venue, stated in ((name, from_json(one)) for name, one in manifest.settings["venues"].items()):
        there, back = ways.get(venue, (as_latency(stated["request_latency"]), as_latency(stated["answer_latency"])))
        lag = stated["lag_ns"]
        if venue not in ways:
            notes.append(f"{venue} answered no order, so its latencies are the stated ones")
        elif manifest.settings.get("mode") != "paper":
            # Before its quickest answer can arrive, a venue meets rows at their own time.
            is_its = pl.col("instrument").str.starts_with(f"{venue}:")
            lag = found.filter(is_its & ~pl.col("is_cut"))["answer_latency_ns"].min()
        venues[venue] = Simulated(
            latency=there,
            answer_latency=back,
            taking_on_trades=stated["taking_on_trades"],
            resting=stated["resting"],
            leverage=stated["leverage"],
            lag=None if lag is None else duration_text(lag),
        )
    return venues, notes


def _kernel(
    manifest: Manifest,
    code: Rebuilt,
    venues: Mapping[str, Simulated],
    streams: Sequence[tuple[str, str]],
) -> _core.Session:
    """The kernel of the recorded session, with other strategies and venues, before its first event."""
    values = {venue: to_json(simulated.values(venue)) for venue, simulated in venues.items()}
    described = msgspec.structs.replace(
        manifest, streams=list(streams), settings={**manifest.settings, "venues": values}
    )
    kernel = kernel_of(described, code, is_simulated=True)
    # Simulated orders fill from all that was recorded, whatever the strategies name (F1).
    kernel.set_streams(manifest.placed(streams))
    return kernel


def _live_again(
    kernel: _core.Session,
    recorded: Journal,
    others: Sequence[AnyStrategy],
    progress: Callable[[int], None] | None,
) -> Counter[str]:
    """Feed a kernel what reached the session; what was left out, and how often."""
    is_only = len(others) == len(recorded.manifest.code.strategies) == 1
    parameters = [name for one in others if isinstance(one, Strategy) for name in one.declared]
    left_out = Counter[str]()
    start_ns = _start_ns(recorded)
    for block in recorded.batches():
        # What the accounts were given, they have from the start: a live session hears of it some time after.
        kernel.live_again(_core.deposits_at(block.data, start_ns))
    for block in recorded.batches():
        inputs, missing = _core.inputs_for_another(block.data, is_only, parameters)
        left_out.update(missing)
        kernel.live_again(inputs)
        if progress is not None:
            progress(block.last)
    if not recorded.ending.finished:
        kernel.advance(made_anew_until(recorded.manifest, recorded.batches()))
        kernel.finish()
    return left_out


def _start_ns(recorded: Journal) -> int:
    decoder = Decoder(recorded.manifest, {"inputs": ["time"]})
    for block in recorded.blocks():
        for time_ns in decoder.decode(block)["inputs"]["time"].to_physical():
            return int(time_ns)
    raise exception("empty_data", f"{recorded.place} holds no inputs", "the run was cut off before its start")


def _figures(recorded: Journal, streams: Sequence[tuple[str, str]]) -> dict[str, float | None]:
    """What the session itself made, from its own reports and decisions; its code is not run, which may have failed."""
    manifest = recorded.manifest
    silent: list[tuple[str, AnyStrategy]] = [(one.name, Strategy(name=one.name)) for one in manifest.code.strategies]
    kernel = kernel_of(manifest, Rebuilt(silent, [], (), changed=True), is_simulated=False)
    kernel.follow_recorded()
    kernel.set_streams(manifest.placed(streams))
    for block in recorded.batches():
        kernel.rebuild(block.data)
    return _compared(kernel)


def _compared(kernel: _core.Session) -> dict[str, float | None]:
    outcome = kernel.outcome()
    total: Mapping[str, float | None] = outcome["total"]
    realised, unrealised = total.get("net_realised"), total.get("unrealised")
    profit = None if realised is None or unrealised is None else realised + unrealised
    counts = {name: outcome[name] for name in _COUNTS}
    return {**{name: total.get(name) for name in _COMPARED}, **counts, "net_profit": profit}


def _data(manifest: Manifest, place: str, streams: Sequence[tuple[str, str]]) -> Dataset:
    """What was recorded, as a result names it."""
    fields = tuple(InstrumentFields(**one) for one in manifest.instruments)
    mode = manifest.settings.get("mode", "backtest")
    kinds: dict[str, list[str]] = {}
    for name, kind in streams:
        kinds.setdefault(name, []).append(kind)
    reports = (f"{name}: {', '.join(listed)} of the {mode} run in {place}" for name, listed in kinds.items())
    return Dataset(manifest.index(), fields, (), tuple(reports), manifest.data.digest, manifest.data.is_synthetic)


def _settings(
    manifest: Manifest, venues: Mapping[str, Simulated], balances: Mapping[str, Mapping[str, Decimal]]
) -> Settings:
    return Settings(
        balances={
            venue: {name: Decimal(f"{amount.normalize():f}") for name, amount in held.items()}
            for venue, held in balances.items()
        },
        venues=venues,
        risk=_risk(manifest),
        currency=manifest.settings["currency"],
        interval=from_json(manifest.settings["interval"]),
        days=manifest.settings["days"],
        seed=manifest.seed,
    )


def _risk(manifest: Manifest) -> Risk:
    """The limits of the session, as a result states them."""
    index, system = manifest.index(), manifest.system_limits
    each = [Limits(**{name: from_json(value) for name, value in one.items()}) for one in manifest.limits]
    is_same = all(one == each[0] for one in each)
    rate, loss = system["order_rate"], system["daily_loss"]
    return Risk(
        limits=each[0] if each and is_same else Limits(),
        by_instrument=None if is_same else dict(zip((one.name for one in index.instruments), each, strict=True)),
        order_rate=None if rate is None else OrderRate(rate[0], timedelta(microseconds=rate[1] / 1000)),
        daily_loss=None if loss is None else loss[1],
        carried=system["carried"],
    )
