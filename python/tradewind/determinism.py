"""Whether a strategy decides by nothing but its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tradewind.backtest import AnyStrategy, Balances, backtest
from tradewind.dataset import Dataset, Source
from tradewind.journal import HASH_SEEDS, VerifyReport, verify


def check_determinism(
    strategies: AnyStrategy | Iterable[AnyStrategy],
    *,
    data: Dataset | Mapping[str, Source | Iterable[Source]],
    balances: Balances,
    hash_seeds: Sequence[int] = HASH_SEEDS,
    **settings: Any,
) -> VerifyReport:
    """Run a backtest, and the same again in fresh processes under several seeds of text hashes (D2).

    Parameters
    ----------
    strategies, data, balances
        As `backtest` takes them; strategies must be defined in a file, so that other processes find them.
    hash_seeds
        Values of ``PYTHONHASHSEED``.
    settings
        Anything else that `backtest` takes, but a journal.

    Returns
    -------
    VerifyReport
        Whether all of them decided the same, and where the first one that did not differs.

    Examples
    --------
    >>> import tradewind as tw
    >>> tw.check_determinism(
    ...     tw.ema_cross("synthetic:BTCUSDT", fast=20, slow=100, quantity=0.05),
    ...     data={"synthetic:BTCUSDT": tw.synthetic(events=5_000)},
    ...     balances={"USDT": 100_000},
    ...     hash_seeds=[1],
    ... ).identical
    True

    """
    with TemporaryDirectory(prefix="tradewind-") as folder:
        journal = Path(folder) / "journal.sqlite"
        backtest(strategies, data=data, balances=balances, journal=journal, **(settings | {"keep": "metrics"}))
        return verify(journal, hash_seeds=hash_seeds)
