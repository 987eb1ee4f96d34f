"""The user's code in a journal: where it came from, what it said, and how it is made again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import msgspec

from tradewind._core import NativeStrategy
from tradewind.errors import exception
from tradewind.journal.values import from_json, to_json
from tradewind.loading import load_module, module_name, modules_under, root
from tradewind.strategy import Strategy

AnyStrategy = Strategy | NativeStrategy


class Origin(msgspec.Struct, frozen=True):
    """Where a class or a function of the user is defined; without a file it cannot be made again."""

    module: str
    qualname: str
    file: str | None

    def __str__(self) -> str:
        return f"{self.file or self.module}:{self.qualname}"


class StrategyRecord(msgspec.Struct, frozen=True):
    """One strategy of a run; a native one has no origin."""

    name: str
    parameters: dict[str, Any]
    native: str | None = None
    origin: Origin | None = None


class ModuleRecord(msgspec.Struct, frozen=True):
    """The source of one of the user's modules, as it was when the run began."""

    module: str
    file: str
    source: str
    digest: str


class Code(msgspec.Struct, frozen=True):
    """All of the user's code that decides what a run does."""

    strategies: list[StrategyRecord]
    checks: list[Origin]
    modules: list[ModuleRecord]


@dataclass(frozen=True)
class Rebuilt:
    """Code that was made again, and what a reader of the replay should know about it."""

    strategies: list[tuple[str, AnyStrategy]]
    checks: list[Callable[..., Any]]
    notes: tuple[str, ...]
    changed: bool


def record(strategies: Iterable[AnyStrategy], checks: Iterable[Callable[..., Any]]) -> Code:
    """Record strategies and risk checks with the source of the modules that they come from."""
    strategy_records = [_strategy_record(strategy) for strategy in strategies]
    check_records = [_origin(check) for check in checks]
    origins = [*(one.origin for one in strategy_records if one.origin is not None), *check_records]
    modules: dict[str, ModuleRecord] = {}
    for origin in origins:
        if origin.file is not None:
            beside = modules_under(root(Path(origin.file), origin.module))
            own = {name: Path(str(module.__file__)).resolve() for name, module in beside.items()}
            for name, file in (own | {origin.module: Path(origin.file)}).items():
                modules[str(file)] = _module_record(module_name(file, name), file)
    return Code(strategy_records, check_records, sorted(modules.values(), key=lambda one: one.file))


def differences(then: Code, now: Code) -> list[str]:
    """What was changed since code was recorded: strategies, their classes and parameters, checks, and files."""
    found = []
    recorded = {one.name: one for one in then.strategies}
    current = {one.name: one for one in now.strategies}
    for name in sorted(recorded.keys() | current.keys()):
        old, new = recorded.get(name), current.get(name)
        if old is None or new is None or old.native != new.native:
            found.append(f"the strategy {name}")
            continue
        if old.origin is not None and new.origin is not None and not _is_same(old.origin, then, new.origin, now):
            found.append(f"the class of {name} ({old.origin} -> {new.origin})")
        changed = {key for key in old.parameters | new.parameters if old.parameters.get(key) != new.parameters.get(key)}
        found += [f"the parameter {name}.{key}" for key in sorted(changed)]
    checks = zip(then.checks, now.checks, strict=False)
    if len(then.checks) != len(now.checks) or not all(_is_same(old, then, new, now) for old, new in checks):
        found.append(f"the risk checks ({_listed(then.checks)} -> {_listed(now.checks)})")
    return found + _changed_modules(then, now)


def _listed(checks: Sequence[Origin]) -> str:
    return ", ".join(str(one) for one in checks) or "none"


def _is_same(old: Origin, then: Code, new: Origin, now: Code) -> bool:
    """Whether two names are of the same in the same file, whatever that says now, or in one that says the same."""
    if (old.module, old.qualname) != (new.module, new.qualname):
        return False
    return old.file == new.file or _said(old, then) == _said(new, now)


def _said(origin: Origin, code: Code) -> str | None:
    return next((one.digest for one in code.modules if one.file == origin.file), None)


def _changed_modules(then: Code, now: Code) -> list[str]:
    """The files of modules that say something else, are gone, or came; a folder that was moved as it is counts not.

    A module that only the process of then had loaded, and that is there as it was, decides nothing now.
    """
    recorded = {(one.module, one.digest): one.file for one in then.modules}
    current = {(one.module, one.digest): one.file for one in now.modules}
    came = {file for key, file in current.items() if key not in recorded}
    gone = {file for key, file in recorded.items() if key not in current and not Path(file).is_file()}
    return sorted(came | gone | set(changed_files(then)))


def changed_files(code: Code) -> list[str]:
    """The files of recorded modules that now say something else; one that is gone is not among them."""
    there = [one for one in code.modules if Path(one.file).is_file()]
    return [one.file for one in there if _digest(_read(Path(one.file))) != one.digest]


@contextmanager
def rebuilt(
    code: Code,
    strategies: Sequence[AnyStrategy] | None,
    checks: Sequence[Callable[..., Any]] | None,
    *,
    as_recorded: bool = False,
) -> Iterator[Rebuilt]:
    """Make the code again: what is given, else from its files as they are now, else from the recorded source.

    With `as_recorded` files that were changed since do not count: their recorded source does.
    """
    with ExitStack() as stack:
        sources = _Sources(code, stack, as_recorded=as_recorded)
        if strategies is None:
            made = [(one.name, _strategy(one, sources)) for one in code.strategies]
        else:
            made = _matched(code.strategies, strategies)
        own = [sources.find(origin) for origin in code.checks] if checks is None else list(checks)
        yield Rebuilt(made, own, tuple(sources.notes), bool(sources.changed) or strategies is not None)


class _Sources:
    """The modules of a record, loaded once each."""

    def __init__(self, code: Code, stack: ExitStack, *, as_recorded: bool = False) -> None:
        self._modules = {one.file: one for one in code.modules}
        self._loaded: dict[str, ModuleType] = {}
        self._stack = stack
        self._folders: dict[Path, Path] = {}
        self.changed = changed_files(code)
        self._as_recorded = as_recorded
        used = "; its recorded source was used" if as_recorded else ""
        self.notes = [f"{file} was changed after the run{used}" for file in self.changed]

    def find(self, origin: Origin) -> Any:
        """The class or function of an origin."""
        if origin.file is None:
            hint = f"define {origin.qualname} at the top of a file, or give it to replay(...)"
            raise exception(
                "bad_strategy",
                f"{origin.module}.{origin.qualname} is not defined in a file, so it cannot be made again",
                hint,
            )
        if origin.file not in self._loaded:
            self._loaded[origin.file] = load_module(self._file(origin), origin.module)
        found: Any = self._loaded[origin.file]
        for name in origin.qualname.split("."):
            found = getattr(found, name, None)
        if found is None:
            raise exception(
                "bad_strategy",
                f"{origin.file} has no {origin.qualname} any more",
                "give it its name back, or give the strategies to replay(...)",
            )
        return found

    def _file(self, origin: Origin) -> Path:
        """The file of an origin, or a copy made from the record where it is gone."""
        file = Path(str(origin.file))
        if file.is_file() and not (self._as_recorded and self.changed):
            return file
        if str(file) not in self._modules:
            raise exception("bad_strategy", f"{file} is gone, and its source is not in the journal")
        if not file.is_file():
            self.notes.append(f"{file} is gone; its recorded source was used")
        folder = root(file, origin.module)
        if folder not in self._folders:
            # Resolved: the loader compares resolved paths.
            self._folders[folder] = Path(self._stack.enter_context(TemporaryDirectory(prefix="tradewind-"))).resolve()
            for path, one in self._modules.items():
                if Path(path).is_relative_to(folder):
                    copy = self._folders[folder] / Path(path).relative_to(folder)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_text(one.source, encoding="utf-8", newline="")
        return self._folders[folder] / file.relative_to(folder)


def _strategy_record(strategy: AnyStrategy) -> StrategyRecord:
    parameters = {name: to_json(value) for name, value in strategy.parameters.items()}
    if isinstance(strategy, NativeStrategy):
        return StrategyRecord(strategy.name, parameters, native=strategy.kind)
    return StrategyRecord(strategy.name, parameters, origin=_origin(type(strategy)))


def _strategy(one: StrategyRecord, sources: _Sources) -> AnyStrategy:
    parameters = {name: from_json(value) for name, value in one.parameters.items()}
    if one.native is not None:
        return NativeStrategy(one.native, parameters, one.name)
    if one.origin is None:
        raise exception("bad_journal", f"the strategy {one.name} has no origin")
    cls = sources.find(one.origin)
    if not (isinstance(cls, type) and issubclass(cls, Strategy)):
        raise exception("bad_strategy", f"{one.origin.qualname} in {one.origin.file} is not a strategy any more")
    return cls(name=one.name, **parameters).fresh()


def _matched(records: Sequence[StrategyRecord], strategies: Sequence[AnyStrategy]) -> list[tuple[str, AnyStrategy]]:
    """The given strategies under the recorded names; a single one may have been renamed."""
    fresh = [one.fresh() if isinstance(one, Strategy) else one for one in strategies]
    if len(records) == len(fresh) == 1:
        return [(records[0].name, fresh[0])]
    by_name = {one.name: one for one in fresh}
    wanted = [one.name for one in records]
    if sorted(by_name) != sorted(wanted) or len(fresh) != len(wanted):
        raise exception(
            "bad_strategy",
            f"the run has the strategies {', '.join(wanted)}; given are {', '.join(one.name for one in fresh)}",
        )
    return [(name, by_name[name]) for name in wanted]


def _origin(defined: Any) -> Origin:
    module, qualname = getattr(defined, "__module__", "?"), getattr(defined, "__qualname__", repr(defined))
    found: Any = sys.modules.get(module)
    file = getattr(found, "__file__", None)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    if found is not defined or file is None or not Path(file).is_file():
        return Origin(module, qualname, None)
    path = Path(file).resolve()
    return Origin(module_name(path, module), qualname, str(path))


def _module_record(module: str, file: Path) -> ModuleRecord:
    source = _read(file)
    return ModuleRecord(module, str(file), source.decode("utf-8", "replace"), _digest(source))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise exception("bad_strategy", f"{file} cannot be read: {error.strerror}") from error


def _digest(source: bytes) -> str:
    return blake2b(source, digest_size=16).hexdigest()
