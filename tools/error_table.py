"""Write docs/errors.md from the one table of errors; with ``--check``, only compare."""

from __future__ import annotations

import sys
from pathlib import Path

from tradewind._core import error_codes

PAGE = Path(__file__).resolve().parent.parent / "docs" / "errors.md"
HEAD = """# Errors

Every error, refusal and rejection has a stable code; messages may improve, codes keep their meaning. `tradewind errors`
prints this table, which is made from `crates/core/src/error/mod.rs` by `tools/error_table.py`.

| code | meaning |
|---|---|
"""


def main() -> int:
    """Write or compare the page."""
    text = HEAD + "".join(f"| `{code}` | {meaning} |\n" for code, meaning in error_codes())
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE.name} is not what the table says\nhint: run python tools/error_table.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
