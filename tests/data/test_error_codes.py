"""Every code that Python raises is in the core's one table."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "crates/core/src/error/mod.rs"
RAISERS = {"DataError", "TradewindError", "add", "_refuse"}


def used(folder: Path) -> set[str]:
    """The first argument of everything that raises or notes an error."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                if name in RAISERS and isinstance(node.args[0].value, str):
                    found.add(node.args[0].value)
    return found


def test_codes_are_in_the_table() -> None:
    table = set(re.findall(r'=> "([a-z_]+)", "', TABLE.read_text()))
    package = ROOT / "python/tradewind"
    codes = used(package / "data") | used(package / "instruments")
    assert len(codes) > 10
    assert codes <= table
