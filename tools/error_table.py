"""Write docs/errors.md from the one table of errors; with ``--check``, only compare, also what Python raises."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tradewind import errors
from tradewind._core import error_codes

SOURCES = Path(errors.__file__).parent

PAGE = Path(__file__).resolve().parent.parent / "docs" / "errors.md"
HEAD = """# Errors

Every error, refusal and rejection has a stable code; messages may improve, codes keep their meaning. `tradewind errors`
prints this table, which is made from `crates/core/src/error/mod.rs` by `tools/error_table.py`.

| code | meaning |
|---|---|
"""


def stated_codes() -> Iterator[tuple[str, str]]:
    """The codes with which errors are made in Python, and where."""
    makers = {"exception"} | {name for name, one in vars(errors).items() if isinstance(one, type)}
    for file in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers and node.args:
                match node.args[0]:
                    case ast.Constant(value=str(code)):
                        yield code, f"{file.relative_to(SOURCES.parent)}:{node.lineno}"


def main() -> int:
    """Write or compare the page."""
    text = HEAD + "".join(f"| `{code}` | {meaning} |\n" for code, meaning in error_codes())
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    known = {code for code, _ in error_codes()}
    if strange := [f"{where}: {code}" for code, where in stated_codes() if code not in known]:
        print("codes that are not in the table:", *strange, sep="\n")
        return 1
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE.name} is not what the table says\nhint: run python tools/error_table.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
