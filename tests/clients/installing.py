"""An environment of its own for each package, under build/clients."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "clients"
_HERE = Path(__file__).resolve().parent
_NODE = "binance (npm)"
_SECONDS = 180


class UnavailableError(Exception):
    """A package cannot be had."""


def install(package: str) -> tuple[list[str], Path]:
    """Install a package, unless it is there; gives how a script is started, and where the scripts are."""
    return _install_node() if package == _NODE else _install_python(package)


def _install_python(package: str) -> tuple[list[str], Path]:
    folder, wanted = FOLDER / package, ROOT / "requirements" / f"clients-{package}.txt"
    python = str(folder / "bin" / "python")
    with _Stamp(folder, wanted) as stamp:
        if not stamp.is_fresh:
            _run([sys.executable, "-m", "venv", str(folder)])
            _run([python, "-m", "pip", "install", "--quiet", "--no-compile", "-r", str(wanted)])
    return [python], _HERE


def _install_node() -> tuple[list[str], Path]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise UnavailableError("there is no node or no npm")
    folder = FOLDER / "node"
    with _Stamp(folder, _HERE / "package-lock.json") as stamp:
        if not stamp.is_fresh:
            folder.mkdir(parents=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(_HERE / name, folder)
            _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)
    # A module finds its packages beside itself.
    for script in _HERE.glob("*.mjs"):
        shutil.copy(script, folder)
    return [node], folder


class _Stamp:
    """Remembers which pins a folder was made of; a folder that was not finished is made anew."""

    def __init__(self, folder: Path, pins: Path) -> None:
        self._file = folder / "pins"
        self._pins = f"{sys.version} {hashlib.sha256(pins.read_bytes()).hexdigest()}"
        self.is_fresh = self._file.is_file() and self._file.read_text() == self._pins
        if not self.is_fresh and folder.exists():
            shutil.rmtree(folder)

    def __enter__(self) -> _Stamp:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._file.write_text(self._pins)


def _run(command: list[str], folder: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{' '.join(command[:3])}: no end after {_SECONDS} s") from None
    if done.returncode != 0:
        words = " ".join((done.stderr or done.stdout).split()) or "no word why"
        raise UnavailableError(f"{' '.join(command[:3])}: {words[:300]}")
