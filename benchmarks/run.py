"""The benchmarks beside their peers: ``make bench``, or ``python benchmarks/run.py --only W2``.

Standard library only. Finds an interpreter that the peers support, makes a virtual
environment with them and with our own wheel, and runs every workload on both sides, each
in a process of its own, alternating in the same run. Prints a table and writes
``build/bench.json``. A workload whose counts differ from the reference fails the run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "benchmarks"
BUILD = ROOT / "build"
VENV = BUILD / "bench-venv"
PYTHON = VENV / "bin" / "python"
WHEELS = BUILD / "bench-wheels"
REQUIREMENTS = HERE / "requirements.txt"
CCXT_VENV = BUILD / "bench-ccxt"
CCXT_PYTHON = CCXT_VENV / "bin" / "python"
CCXT_REQUIREMENTS = ROOT / "requirements" / "clients-ccxt.txt"
BARTER_TARGET = BUILD / "bench-barter"
BARTER = BARTER_TARGET / "release" / "bench-barter"
EVENTS = BUILD / "bench" / "w3.jsonl"

SUPPORTED = ("3.12", "3.13", "3.14")
"""Versions that NautilusTrader 2 supports, the first that is found is taken."""

TICK_TO_ORDER = (("median_us", 50.0), ("p99_us", 200.0))

_SLOW = 100_000

Line = dict[str, Any]
"""What a script prints: one line of JSON."""
STANDARD = {"id", "events", "orders", "seconds", "events_per_second", "version"}


class BenchmarkError(Exception):
    """A step that failed, in words for the person who ran the benchmarks."""


@dataclass(frozen=True)
class Workload:
    """One row of the table."""

    id: str
    peer: str | None = None
    peer_command: tuple[str, ...] = ()
    least: float | None = None
    aim: float | None = None
    most_us: tuple[tuple[str, float], ...] = ()
    rounds: int | None = None
    memory_gib: int = 0
    has_reference: bool = True

    @property
    def ours(self) -> Path:
        """Our script: ``W1-ema`` is ``benchmarks/ours/w1_ema.py``."""
        return HERE / "ours" / f"{self.id.lower().replace('-', '_')}.py"


def workloads(nautilus_script: str) -> tuple[Workload, ...]:
    """All workloads, in the order of the table."""
    peers = HERE / "peers"
    nautilus = (str(PYTHON), str(peers / nautilus_script))
    hftbacktest = (str(PYTHON), str(peers / "hftbacktest_peer.py"))
    ccxt = (str(CCXT_PYTHON), str(peers / "ccxt_w9.py"), str(PYTHON))
    orders, data, concurrent = ((str(BARTER), mode, str(EVENTS)) for mode in ("orders", "data", "concurrent"))
    return (
        Workload("boundary", has_reference=False),
        Workload("W1-ema", "NautilusTrader", (*nautilus, "W1-ema"), 6, 8),
        Workload("W1-empty", "NautilusTrader", (*nautilus, "W1-empty"), 7, 9),
        Workload("W2", "hftbacktest", hftbacktest, 1.2, 1.5),
        Workload("W3-orders", "barter", orders, 8),
        Workload("W3-data", "barter", data, 8),
        Workload("W6", "barter", (*concurrent, "500"), 15, rounds=1, memory_gib=8),
        Workload("W8", rounds=1, has_reference=False),
        Workload("W9", "ccxt.pro", ccxt, most_us=TICK_TO_ORDER, rounds=3, has_reference=False),
        Workload("W9-busy", "ccxt.pro", ccxt, most_us=TICK_TO_ORDER, rounds=3, has_reference=False),
        Workload("replay", rounds=1, has_reference=False),
        Workload("sandbox", rounds=1, has_reference=False),
    )


def say(text: str) -> None:
    """Progress, for the person; results go to standard output."""
    print(text, file=sys.stderr, flush=True)


def call(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Runs a command, returns its standard output; a failure shows the end of its messages."""
    result = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        messages = "\n".join((result.stderr or result.stdout).splitlines()[-20:])
        raise BenchmarkError(f"{' '.join(map(str, command))}: exit {result.returncode}\n{messages}")
    return result.stdout


def python_version(python: str | Path) -> str | None:
    """``3.12`` and the like, or nothing where it does not run."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        return call(python, "-c", code).strip()
    except (BenchmarkError, OSError):
        return None


def nautilus_script(python: str) -> str:
    """Which of the two scripts, by what can be installed for this interpreter."""
    return "nautilus.py" if python_version(python) in SUPPORTED else "nautilus_v1.py"


def candidates(version: str) -> Iterator[str]:
    """Where an interpreter of this version may be: pyenv's newest first, then the path."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for folder in sorted(pyenv.glob(f"{version}.*"), reverse=True):
        yield str(folder / "bin" / "python")
    if (found := shutil.which(f"python{version}")) is not None:
        yield found


def find_python() -> str:
    """The interpreter under which both sides run."""
    for version in SUPPORTED:
        for python in candidates(version):
            if python_version(python) == version:
                say(f"interpreter: {python} ({version})")
                return python
    say(
        f"interpreter: {sys.executable}; none of Python {', '.join(SUPPORTED)} was found, "
        "so NautilusTrader is the newest 1.x\nhint: `pyenv install 3.12`"
    )
    return sys.executable


def make_environment(python: str, folder: Path = VENV, requirements: Path = REQUIREMENTS) -> None:
    """A virtual environment with peers, made again when anything it is made of changed."""
    stamp = folder / "bench-stamp"
    wanted = hashlib.sha256(python.encode() + requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    say(f"installing {requirements.relative_to(ROOT)} ...")
    call(python, "-m", "venv", "--clear", folder)
    call(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", requirements)
    stamp.write_text(wanted, encoding="utf-8")


def install_ours() -> None:
    """Builds our wheel as users get it and installs it."""
    if not (ROOT / "pyproject.toml").exists():
        say("no pyproject.toml yet: our own package is not built")
        return
    say("building our own wheel ...")
    shutil.rmtree(WHEELS, ignore_errors=True)
    call(VENV / "bin" / "maturin", "build", "--release", "-i", PYTHON, "--out", WHEELS)
    wheel = next(WHEELS.glob("*.whl"))
    call(PYTHON, "-m", "pip", "install", "--quiet", wheel)
    # Again, because pip keeps an installed wheel of the same version.
    call(PYTHON, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", wheel)


def build_barter() -> None:
    """Builds the peer crate, outside of our workspace."""
    say("building barter ...")
    manifest = HERE / "peers" / "barter" / "Cargo.toml"
    target = {"CARGO_TARGET_DIR": str(BARTER_TARGET)}
    call("cargo", "build", "--release", "--locked", "--manifest-path", manifest, env=target)


def why_skipped(workload: Workload, expected: Line) -> str | None:
    """Why a workload cannot be measured here, if so."""
    if not workload.ours.exists():
        return f"{workload.ours.relative_to(ROOT)} is not there"
    if workload.id == "W8" and "missing" in expected:
        return str(expected["missing"])
    if workload.has_reference and workload.id not in expected:
        return str(expected["missing"])
    if available_gib() < workload.memory_gib:
        return f"the peer needs {workload.memory_gib} GiB of memory, {available_gib():.1f} are free"
    return None


def available_gib() -> float:
    """Memory that a new process can get."""
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024**2
    raise BenchmarkError("/proc/meminfo has no MemAvailable")


def run_script(*command: str | Path) -> Line:
    """One process of one side; its last line of output is the result."""
    lines = call(*command).strip().splitlines()
    if not lines:
        raise BenchmarkError(f"{' '.join(map(str, command))}: printed nothing")
    result: Line = json.loads(lines[-1])
    return result


def measure(workload: Workload, rounds: int) -> tuple[list[Line], list[Line]]:
    """Both sides in turn, the first one changing every round."""
    ours: list[Line] = []
    peers: list[Line] = []
    for number in range(rounds):
        steps: list[tuple[list[Line], tuple[str | Path, ...]]] = [(ours, (PYTHON, workload.ours))]
        if workload.peer_command:
            steps.append((peers, workload.peer_command))
        for results, command in reversed(steps) if number % 2 else steps:
            results.append(run_script(*command))
        latest = [rate(lines[-1]["events_per_second"]) for lines in (ours, peers) if lines]
        say(f"{workload.id} round {number + 1}/{rounds}: {' : '.join(latest)}")
    return ours, peers


def counts_agree(lines: list[Line], expected: Line | None) -> bool:
    """Whether every run had the same events and orders, and those of the reference."""
    reference = expected or {key: lines[0][key] for key in ("events", "orders")}
    return all(line[key] == reference[key] for line in lines for key in ("events", "orders"))


def fastest(lines: list[Line]) -> Line:
    """The run that was disturbed least."""
    return max(lines, key=lambda line: line["events_per_second"])


def median(lines: list[Line]) -> float:
    """The run in the middle, to see how much the rounds differ."""
    return float(statistics.median(line["events_per_second"] for line in lines))


def details(line: Line) -> Line:
    """What a script measured besides the speed: fills, memory, scaling (W6)."""
    found = {key: value for key, value in line.items() if key not in STANDARD}
    if (two_processes := line.get("two_processes_events_per_second")) is not None:
        found["share_of_two_processes"] = line["events_per_second"] / two_processes
    return found


def record(workload: Workload, ours: list[Line], peers: list[Line], expected: Line | None) -> Line:
    """One entry of ``build/bench.json``: the fastest of our rounds beside the peer's."""
    best = fastest(ours)
    result: Line = {
        "id": workload.id,
        "ours": best["events_per_second"],
        "unit": "events/s",
        "peer": workload.peer,
        "peer_version": None,
        "peers": None,
        "ratio": None,
        "checked": counts_agree(ours + peers, expected),
        "ours_median": median(ours),
        "ours_details": details(best),
        "events": best["events"],
        "orders": best["orders"],
    }
    if peers:
        peer = fastest(peers)
        result |= {
            "peer_version": peer["version"],
            "peers": peer["events_per_second"],
            "ratio": best["events_per_second"] / peer["events_per_second"],
            "peers_median": median(peers),
            "peers_details": details(peer),
        }
    return result


def rate(events_per_second: float) -> str:
    """``7.31 M/s``; of what is slower, the time of one: ``131 us``."""
    if events_per_second < _SLOW:
        return f"{1e6 / events_per_second:,.0f} us"
    return f"{events_per_second / 1e6:.2f} M/s"


def goal(workload: Workload, result: Line) -> str:
    """The goals and whether they are met."""
    found, ratio = [], result["ratio"]
    if workload.least is not None and ratio is not None:
        aim = f", aim {workload.aim:g}x" if workload.aim else ""
        found.append(f"{_met(ratio >= workload.least)}: at least {workload.least:g}x{aim}")
    for name, most in workload.most_us:
        took = result["ours_details"][name]
        found.append(f"{_met(took <= most)}: {name} {took:g}, at most {most:g}")
    return "; ".join(found)


def _met(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def row(workload: Workload, result: Line) -> tuple[str, ...]:
    """One row of the printed table."""
    peer = f"{result['peer']} {result['peer_version']}" if result["peer"] else "-"
    peers = rate(result["peers"]) if result["peers"] else "-"
    ratio = f"{result['ratio']:.2f}x" if result["ratio"] else "-"
    checked = f"{result['orders']:,} orders" if result["checked"] else "COUNTS DIFFER"
    ours = rate(result["ours"])
    return (workload.id, ours, peers, ratio, peer, checked, goal(workload, result))


def print_table(rows: list[tuple[str, ...]]) -> None:
    """The table, its columns as wide as they need to be."""
    table = [("id", "ours", "peer's", "ratio", "peer", "checked", "goal"), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        print(line.rstrip())


def print_details(results: list[Line]) -> None:
    """Further numbers that the scripts gave."""
    for result in results:
        for side in ("ours", "peers"):
            if found := result.get(f"{side}_details"):
                print(f"{result['id']} {side}: {json.dumps(found)}")


def prepare(python: str, chosen: list[Workload]) -> Line:
    """Everything that has to be there before the first measurement."""
    make_environment(python)
    install_ours()
    if any(workload.peer == "barter" for workload in chosen):
        build_barter()
    if any(workload.peer == "ccxt.pro" for workload in chosen):
        make_environment(python, CCXT_VENV, CCXT_REQUIREMENTS)
    expected: Line = json.loads(call(PYTHON, HERE / "workloads.py"))
    return expected


def choose(only: list[str] | None, every: tuple[Workload, ...]) -> list[Workload]:
    """The workloads that were asked for."""
    known = {workload.id for workload in every}
    if unknown := set(only or ()) - known:
        raise BenchmarkError(f"no workload {', '.join(sorted(unknown))}\nhint: one of {', '.join(sorted(known))}")
    return [workload for workload in every if not only or workload.id in only]


def benchmark(only: list[str] | None, rounds: int) -> bool:
    """Measures, prints, writes; says whether all counts agreed."""
    python = find_python()
    chosen = choose(only, workloads(nautilus_script(python)))
    expected = prepare(python, chosen)
    results, rows = [], []
    for workload in chosen:
        if (reason := why_skipped(workload, expected)) is not None:
            say(f"{workload.id}: skipped, {reason}")
            continue
        reference = expected.get(workload.id)
        ours, peers = measure(workload, workload.rounds or rounds)
        results.append(record(workload, ours, peers, reference))
        rows.append(row(workload, results[-1]))
    if results:
        print_table(rows)
        print_details(results)
    output = BUILD / "bench.json"
    output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    say(f"written: {output.relative_to(ROOT)}")
    return all(result["checked"] for result in results)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Benchmarks beside peers.")
    parser.add_argument("--only", action="append", metavar="ID", help="one workload; repeatable")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of both sides (5)")
    arguments = parser.parse_args()
    try:
        return 0 if benchmark(arguments.only, arguments.rounds) else 1
    except BenchmarkError as error:
        say(f"error: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
