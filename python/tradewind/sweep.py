"""Many runs over one data set: native strategies on all cores, Python ones in processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Literal

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from tradewind._core import Backtest, Index, NativeStrategy, Recording, run_many
from tradewind.backtest import AnyStrategy, Balances, Settings, listed_strategies
from tradewind.dataset import Dataset, Source, definition, load
from tradewind.errors import exception
from tradewind.instruments import InstrumentFields
from tradewind.risk import Limits, Risk, as_risk
from tradewind.simulation import Duration, Simulated

_FIXED_HASH_SEED = "0"
_SLICE_ROWS = 20_000
_STEP_SECONDS = 0.1


@dataclass(frozen=True)
class Outcome:
    """The figures and hashes of one of many runs."""

    strategies: tuple[AnyStrategy, ...]
    metrics: dict[str, Any]

    @property
    def decisions_hash(self) -> str:
        """The hash of every strategy's requests and fills, equal to that of the single run."""
        return str(self.metrics["decisions_hash"])

    @property
    def state_hash(self) -> str:
        """The canonical hash of the final state, equal to that of the single run."""
        return str(self.metrics["state_hash"])


class Outcomes(Sequence[Outcome]):
    """The outcomes of many runs, in the order in which the runs were given."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self._outcomes = tuple(outcomes)

    def __getitem__(self, place: Any) -> Any:
        return self._outcomes[place]

    def __len__(self) -> int:
        return len(self._outcomes)

    @property
    def frame(self) -> pl.DataFrame:
        """A row a run: the parameters of its first strategy, and its figures.

        ``maximum_drawdown`` is that of the samples of the equity curve, one each `interval`; ``annual_return`` counts
        each UTC day that the run touches as a whole one (N6).
        """
        keep = (
            *("final_equity", "total_return", "annual_return", "volatility", "sharpe", "sortino", "calmar"),
            *("maximum_drawdown", "orders", "fills", "decisions_hash"),
        )
        rows = []
        for outcome in self._outcomes:
            strategy = outcome.strategies[0]
            rows.append(
                {"strategy": strategy.name, **strategy.parameters, **{name: outcome.metrics[name] for name in keep}}
            )
        return pl.DataFrame(rows, infer_schema_length=None)

    def __repr__(self) -> str:
        return f"Outcomes({len(self)} runs)\n{self.frame}"


def backtest_many(
    runs: Sequence[AnyStrategy | Sequence[AnyStrategy]],
    *,
    data: Dataset | Mapping[str, Source | Iterable[Source]],
    balances: Balances,
    instruments: Iterable[InstrumentFields] = (),
    venues: Mapping[str, Simulated] | None = None,
    risk: Risk | Limits | None = None,
    currency: str | None = None,
    interval: Duration = "1h",
    days: Literal[365, 252] = 365,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
) -> Outcomes:
    """Run many parameter sets or strategies over one data set.

    Every run gives the same hashes as `backtest` would. Native strategies run on all cores over rows that are held
    once; Python strategies run in worker processes, which import their classes anew (a class that is defined in a
    notebook cannot be; a script keeps what starts the runs under ``if __name__ == "__main__":``) and start with a fixed
    hash seed (D2). The first run that fails stops the others, and so does Ctrl-C; a note of the exception says which it
    was.

    Parameters
    ----------
    runs
        A strategy a run, or several strategies of one run as a list.
    workers
        How many run at once; all cores where it is not given.
    progress
        Whether a progress bar is shown on the standard error stream.

    Examples
    --------
    >>> import tradewind as tw
    >>> runs = [tw.ema_cross("synthetic:BTCUSDT", fast=fast, slow=100, quantity=0.1) for fast in (10, 20, 50)]
    >>> data = {"synthetic:BTCUSDT": tw.synthetic(events=5_000)}
    >>> outcomes = tw.backtest_many(runs, data=data, balances={"USDT": 100_000}, progress=False)
    >>> outcomes.frame["fast"].to_list()
    [10, 20, 50]

    """
    dataset = data if isinstance(data, Dataset) else load(data, instruments)
    settings = Settings(
        balances=balances,
        venues=dict(venues or {}),
        risk=as_risk(risk),
        currency=currency,
        interval=interval,
        days=days,
        seed=seed,
    )
    listed = [tuple(listed_strategies(run)) for run in runs]
    is_native = (
        all(isinstance(strategy, NativeStrategy) for run in listed for strategy in run) and not settings.risk.checks
    )
    with _bar(len(listed), shown=progress) as done:
        metrics = (
            _on_threads(listed, dataset, settings, workers, done)
            if is_native
            else _in_processes(listed, dataset, settings, workers, done)
        )
    return Outcomes(Outcome(run, figures) for run, figures in zip(listed, metrics, strict=True))


def _on_threads(
    runs: list[tuple[AnyStrategy, ...]],
    data: Dataset,
    settings: Settings,
    workers: int | None,
    done: Callable[[int], None],
) -> list[dict[str, Any]]:
    _held(data)
    prepared = [settings.run(run, data, keep="metrics", journal=False) for run in runs]
    labels = [_label(place, runs) for place in range(len(runs))]
    return run_many(list(zip(labels, prepared, strict=True)), workers, done)


def _held(data: Dataset) -> list[Recording]:
    """The recordings of data that are held whole, as many runs at once need them."""
    held = [recording for recording in data.recordings if isinstance(recording, Recording)]
    if len(held) < len(data.recordings):
        raise exception(
            "bad_setting", "data that are read in chunks serve one run at a time", "load them without stream=True"
        )
    return held


def _label(place: int, runs: Sequence[tuple[AnyStrategy, ...]]) -> str:
    """Which run it is, for the exception of a failed one."""
    strategies = (
        f"{strategy.name}({', '.join(f'{name}={value!r}' for name, value in strategy.parameters.items())})"
        for strategy in runs[place]
    )
    return f"in run {place + 1} of {len(runs)}: {', '.join(strategies)}"


def _in_processes(
    runs: list[tuple[AnyStrategy, ...]],
    data: Dataset,
    settings: Settings,
    workers: int | None,
    done: Callable[[int], None],
) -> list[dict[str, Any]]:
    context = get_context("spawn")
    _check_script()
    recordings = tuple((recording.name, recording.to_bytes()) for recording in _held(data))
    sent = _Sent(data.instruments, recordings, settings)
    stop = context.Event()
    metrics: dict[int, dict[str, Any]] = {}
    with (
        _hash_seed(_FIXED_HASH_SEED),
        ProcessPoolExecutor(
            workers or os.cpu_count(), mp_context=context, initializer=_receive, initargs=(sent, stop)
        ) as pool,
    ):
        try:
            places = {pool.submit(_run, run): place for place, run in enumerate(runs)}
            for future in _completed(places):
                place = places[future]
                try:
                    metrics[place] = future.result()
                except Exception as error:
                    with suppress(Exception):
                        error.add_note(_label(place, runs))
                    raise
                done(len(metrics))
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [metrics[place] for place in range(len(runs))]


def _check_script() -> None:
    """Refuse a script that would start the runs again in every worker, each of which reads it anew."""
    path = getattr(sys.modules["__main__"], "__file__", None)
    if path is None:
        return
    hint = 'put what starts the runs under if __name__ == "__main__":, in a file'
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"worker processes cannot read the script {path}: {error}"
        raise exception("bad_setting", message, hint) from None
    if "__name__" not in text and "backtest_many" in text:
        raise exception(
            "bad_setting", f"{path} would start the runs again in every worker process, which reads it", hint
        )


def _completed(futures: Iterable[Future[Any]]) -> Iterator[Future[Any]]:
    """Futures as they complete; waits in short steps, because not every wait ends by Ctrl-C."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, _STEP_SECONDS, FIRST_COMPLETED)
        yield from done


@dataclass(frozen=True)
class _Sent:
    """What a worker process gets once: rows, and everything about the runs but their strategies."""

    instruments: tuple[InstrumentFields, ...]
    recordings: tuple[tuple[str, bytes], ...]
    settings: Settings


@dataclass
class _Received:
    """What this worker process got."""

    data: Dataset
    settings: Settings
    stop: Event


_received: list[_Received] = []


def _receive(sent: _Sent, stop: Event) -> None:
    # Ctrl-C reaches all processes of a terminal; the one that started the runs stops them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    index = Index([definition(fields) for fields in sent.instruments])
    recordings = tuple(Recording.from_bytes(name, rows) for name, rows in sent.recordings)
    _received.append(_Received(Dataset(index, sent.instruments, recordings), sent.settings, stop))


def _run(strategies: tuple[AnyStrategy, ...]) -> dict[str, Any]:
    received = _received[0]
    kernel = Backtest(received.settings.run(strategies, received.data, keep="metrics", journal=False))
    while not kernel.advance(_SLICE_ROWS):
        if received.stop.is_set():
            raise exception("run_interrupted", "the run was stopped, because another one failed or by Ctrl-C")
    return dict(kernel.outcome())


@contextmanager
def _hash_seed(seed: str) -> Iterator[None]:
    """Processes that start meanwhile have this hash seed."""
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = seed
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONHASHSEED"]
        else:
            os.environ["PYTHONHASHSEED"] = before


@contextmanager
def _bar(total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as bar:
        task = bar.add_task("runs", total=total)
        yield lambda count: bar.update(task, completed=count)
