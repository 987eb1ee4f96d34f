"""A whole system: what is traded, where, with what, within which limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from tradewind.config.account import Account
from tradewind.config.base import InstrumentName, Name, Section, StrategyName
from tradewind.config.data import Data, market_data
from tradewind.config.instrument import Instrument
from tradewind.config.operation import Control, Journal, Live, Shutdown
from tradewind.config.problem import SystemFileError
from tradewind.config.references import reference_problems
from tradewind.config.risk import Risk
from tradewind.config.run import Backtest, Run, WarmUp
from tradewind.config.strategy import Strategy
from tradewind.config.venue import Venue
from tradewind.config.writer import to_toml

if TYPE_CHECKING:
    from tradewind.dataset import Dataset
    from tradewind.instruments import InstrumentFields
    from tradewind.journal import Storage
    from tradewind.result import Result

Mode = Literal["backtest", "paper", "live"]
MODES: tuple[Mode, ...] = ("backtest", "paper", "live")


class System(Section):
    """A system, as a file says it or as Python does: the same keys, checks and messages.

    Sections are given by keyword, as tables or as objects of `tradewind.config`. All mistakes are listed in one error.
    Paths are relative to the folder of the file; of a system made in Python, to the working folder.

    Examples
    --------
    >>> import tradewind as tw
    >>> system = tw.System(
    ...     venues={"synthetic": {"simulated": {"preset": "typical"}}},
    ...     accounts={"main": {"venue": "synthetic", "balances": {"USDT": 100_000}}},
    ...     strategies={"cross": {"class": "tradewind:ema_cross", "parameters": {"instrument": "synthetic:BTCUSDT"}}},
    ...     data=[{"instrument": "synthetic:BTCUSDT", "kind": "synthetic", "events": 20_000}],
    ... )
    >>> system.backtest().metrics["orders"] > 0
    True
    >>> tw.System(accounts={"main": {"venue": "binance"}}, venues={"binance_spot": {}})
    Traceback (most recent call last):
    ...
    tradewind.config.problem.SystemFileError: [unknown_venue] System has one mistake:
      accounts.main.venue = "binance": is not a venue of this system [unknown_venue]
        hint: did you mean binance_spot?

    """

    run: Run = Field(default_factory=Run)
    """What the run is called and counted in."""
    venues: dict[Name, Venue] = Field(default_factory=dict)
    """The venues, by the names that instruments carry before the colon."""
    accounts: dict[Name, Account] = Field(default_factory=dict)
    """The accounts, by names of your own."""
    instruments: dict[InstrumentName, Instrument] = Field(default_factory=dict)
    """The instruments that are traded, by venue:symbol; those of `data` are among them unasked."""
    strategies: dict[StrategyName, Strategy] = Field(default_factory=dict)
    """The strategies, by names of your own; they are called in the order of their names (T3)."""
    risk: Risk = Field(default_factory=Risk)
    """Limits on what strategies may do."""
    data: tuple[Data, ...] = ()
    """Recorded data for `--mode backtest`; several entries of one instrument are several streams."""
    backtest_settings: Backtest = Field(default_factory=Backtest, alias="backtest")
    """What only a backtest needs; in Python, the keyword is `backtest_settings`."""
    warm_up: WarmUp = Field(default_factory=WarmUp)
    """History before trading."""
    journal: Journal = Field(default_factory=Journal)
    """How the journal is kept."""
    control: Control = Field(default_factory=Control)
    """The HTTP interface of a running session."""
    shutdown: Shutdown = Field(default_factory=Shutdown)
    """What becomes of orders and positions when trading ends."""
    live: Live = Field(default_factory=Live)
    """Whether live trading is allowed."""

    _folder: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        if (info.context or {}).get("is_partial"):
            return self
        if found := reference_problems(self.model_dump(by_alias=True)):
            raise SystemFileError("System", found)
        return self

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a system file; all its mistakes are in one error, each with its line.

        Parameters
        ----------
        path
            The TOML file.

        """
        # Here, and below: these modules know this one.
        from tradewind.config.reader import read_system  # noqa: PLC0415

        return read_system(cls, Path(path))

    def to_toml(self, *, defaults: bool = False) -> str:
        """The system as a file, which reads as an equal system.

        Parameters
        ----------
        defaults
            Write what was not stated, too: the effective system.

        """
        document = self.model_dump(by_alias=True, exclude_unset=not defaults, exclude_none=True)
        return to_toml(document)

    def __eq__(self, other: object) -> bool:
        """Whether both say the same and, by the folder of their paths, mean the same."""
        if not isinstance(other, System):
            return NotImplemented
        return self.folder.resolve() == other.folder.resolve() and self.model_dump() == other.model_dump()

    __hash__ = Section.__hash__

    @property
    def folder(self) -> Path:
        """The folder that paths are relative to."""
        return self._folder

    def path(self, text: str) -> Path:
        """A path of the file, as one of this machine."""
        return self._folder / Path(text).expanduser()

    def run_folder(self, mode: Mode) -> Path:
        """Where a run of this mode is kept: DIRECTORY/NAME/MODE."""
        return self.path(self.run.directory) / self.run.name / mode

    def journal_folder(self, mode: Mode) -> Path:
        """Where the journal of a run of this mode is: the folder of the run, or NAME/MODE in the stated directory."""
        if self.journal.directory is None:
            return self.run_folder(mode)
        return self.path(self.journal.directory) / self.run.name / mode

    @property
    def currency(self) -> str | None:
        """The currency of the totals: the stated one, or the only asset of the balances."""
        assets = {asset for account in self.accounts.values() for asset in account.balances}
        return self.run.currency or (next(iter(assets)) if len(assets) == 1 else None)

    def account_of(self, venue: str) -> tuple[str, Account] | None:
        """The account at a venue, with its name."""
        return next((pair for pair in self.accounts.items() if pair[1].venue == venue), None)

    def specifications(self) -> tuple[InstrumentFields, ...]:
        """The specifications of all instruments, with the fees of their venues."""
        names = dict.fromkeys([*self.instruments, *(one.instrument for _, one in market_data(self.data))])
        return tuple(self.specification(name) for name in names)

    def specification(self, name: str) -> InstrumentFields:
        """The specification of an instrument, with the fees of its venue."""
        stated = self.instruments.get(name) or Instrument()
        venue = self.venues.get(name.partition(":")[0]) or Venue()
        return stated.fields(name, venue.fees, self.path)

    def backtest(
        self,
        *,
        journal: str | Path | Storage | None = None,
        keep: Literal["everything", "metrics"] = "everything",
        progress: Callable[[int], None] | None = None,
        dataset: Dataset | None = None,
    ) -> Result:
        """Run the system over its recorded data: `tw.backtest` with what the system says.

        Parameters
        ----------
        journal, keep, progress
            As of `tw.backtest`.
        dataset
            The data, where they were loaded by `load` before.

        """
        from tradewind.config.backtests import run_backtest  # noqa: PLC0415

        return run_backtest(self, dataset, journal=journal, keep=keep, progress=progress)
