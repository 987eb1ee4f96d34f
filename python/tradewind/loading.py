"""Code of users from files: strategies by ``file.py`` or ``file.py:Class``, and how they are found again."""

from __future__ import annotations

import difflib
import importlib
import inspect
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tradewind.errors import TradewindError, exception
from tradewind.strategy import Strategy

if TYPE_CHECKING:
    from typing_extensions import TypeIs

_loading: ContextVar[str] = ContextVar("_loading", default="")


def load_strategy_class(reference: str) -> type[Strategy]:
    """Find the strategy that ``file.py`` or ``file.py:Class`` names.

    Parameters
    ----------
    reference
        A file that defines one strategy, or a file and the name of one of its strategies.

    Examples
    --------
    >>> load_strategy_class("strategy")
    Traceback (most recent call last):
    ...
    tradewind.errors.SettingError: [bad_strategy] 'strategy' does not name a Python file
    hint: write strategy.py or strategy.py:Class

    """
    path, _, name = reference.partition(".py:") if ".py:" in reference else (reference.removesuffix(".py"), "", "")
    if not reference.endswith(".py") and not name:
        raise exception(
            "bad_strategy", f"{reference!r} does not name a Python file", "write strategy.py or strategy.py:Class"
        )
    file = Path(f"{path}.py")
    module = load_module(file, file.stem)
    classes: dict[str, type[Strategy]] = {
        cls.__name__: cls for cls in vars(module).values() if _is_strategy(cls) and cls.__module__ == module.__name__
    }
    if name:
        found = getattr(module, name, None)
        if _is_strategy(found):
            return found
        near = difflib.get_close_matches(name, classes, n=1) or list(classes)
        raise exception(
            "bad_strategy", f"{file} has no strategy {name!r}", f"there is {', '.join(near)}" if near else ""
        )
    if len(classes) == 1:
        return next(iter(classes.values()))
    if not classes:
        raise exception("bad_strategy", f"{file} defines no strategy", "write a class that derives from tw.Strategy")
    raise exception("bad_strategy", f"{file} defines several strategies", f"name one: {file}:{next(iter(classes))}")


def load_module(file: Path, module: str) -> ModuleType:
    """Run a file as a module, as it is now, whatever was imported from it before.

    Parameters
    ----------
    file
        The file.
    module
        The module's name; its dots say where the package begins, so that relative imports work.

    """
    if not file.is_file():
        raise exception(
            "bad_strategy",
            f"{file} does not exist",
            "is the path right? in a system file it is relative to the folder of that file",
        )
    file = file.resolve()
    folder = root(file, module)
    is_package = folder != file.parent
    name = _free_name(file.stem)
    with _imported_anew(folder), _marked(file):
        try:
            return importlib.import_module(module) if is_package else _run(file, name)
        except (TradewindError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise exception(
                "bad_strategy", f"{file} cannot be loaded: {_where(error, file)}{type(error).__name__}: {error}"
            ) from error


def refuse_while_loading(what: str) -> None:
    """Refuse to start a run from within a file that is only being loaded for its strategies."""
    if file := _loading.get():
        raise exception(
            "bad_strategy",
            f"{file} starts {what} when it is loaded, so its strategy cannot be taken from it",
            'put what the file runs under: if __name__ == "__main__":',
        )


def root(file: Path, module: str) -> Path:
    """The folder that a module's file is imported from.

    Examples
    --------
    >>> root(Path("/home/me/desk/ema.py"), "desk.ema").name, root(Path("/home/me/desk/ema.py"), "__main__").name
    ('me', 'desk')

    """
    own = file.parent if file.name == "__init__.py" else file.with_suffix("")
    parts = module.split(".")
    return own.parents[len(parts) - 1] if list(own.parts[-len(parts) :]) == parts else file.parent


def module_name(file: Path, module: str) -> str:
    """The name that a module is known by wherever its file is loaded: its own, or the file's where that was taken.

    Examples
    --------
    >>> module_name(Path("/home/me/desk/ema.py"), "ema_2"), module_name(Path("/home/me/desk/ema.py"), "desk.ema")
    ('ema', 'desk.ema')

    """
    return module if root(file, module) != file.parent else file.stem


def modules_under(folder: Path) -> dict[str, ModuleType]:
    """The user's own modules that are loaded from a folder."""
    found = {}
    # Another thread may import meanwhile; copying is one step.
    for name, module in sys.modules.copy().items():
        file = getattr(module, "__file__", None)
        if file is None or name.partition(".")[0] == "tradewind":
            continue
        path = _own_file(str(file))
        if path is not None and path.is_relative_to(folder):
            found[name] = module
    return found


def _is_strategy(value: Any) -> TypeIs[type[Strategy]]:
    return inspect.isclass(value) and issubclass(value, Strategy) and value is not Strategy


@cache
def _own_file(file: str) -> Path | None:
    """A module's resolved file, if it is the user's own; remembered, because every run asks for every module."""
    path = Path(file).resolve()
    return path if path.suffix == ".py" and not _is_installed(path) else None


def _is_installed(path: Path) -> bool:
    parts = path.parts
    return (
        "site-packages" in parts
        or "dist-packages" in parts
        or path.is_relative_to(Path(inspect.__file__).resolve().parent)
    )


@contextmanager
def _imported_anew(folder: Path) -> Iterator[None]:
    """Import modules of a folder anew, and put those of before back afterwards."""
    before = {name: module for name, module in modules_under(folder).items() if name != "__main__"}
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        # The folder stays at the end of the path: a callback may import, too.
        sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
        sys.modules.update(before)


@contextmanager
def _marked(file: Path) -> Iterator[None]:
    token = _loading.set(str(file))
    try:
        yield
    finally:
        _loading.reset(token)


def _free_name(stem: str) -> str:
    """The file's own name where no other module has it."""
    taken = sys.modules.keys() | sys.stdlib_module_names
    return next(
        name for count in itertools.count(1) if (name := stem if count == 1 else f"{stem}_{count}") not in taken
    )


def _run(file: Path, name: str) -> ModuleType:
    # Compiled here, and not taken from a cache that knows times to the second only.
    code = compile(file.read_bytes(), str(file), "exec")
    module = ModuleType(name)
    module.__file__ = str(file)
    sys.modules[name] = module
    exec(code, module.__dict__)
    return module


def _where(error: Exception, file: Path) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: "
    lines = (
        [frame.lineno for frame in inspect.getinnerframes(error.__traceback__) if frame.filename == str(file)]
        if error.__traceback__
        else []
    )
    return f"line {lines[-1]}: " if lines else ""
