"""Write the tables of docs/system-file.md from the schema of system files; ``--check`` only compares."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from tradewind.config import System
from tradewind.config.explanation import schema_of

PAGE = Path(__file__).resolve().parent.parent / "docs" / "system-file.md"
TABLE = re.compile(r"<!-- keys of (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)


def main() -> int:
    """Write or compare; the exit code tells whether they were equal."""
    schema = schema_of(System)
    found = PAGE.read_text(encoding="utf-8")
    made = TABLE.sub(lambda match: f"<!-- keys of {match[1]} -->\n{table(schema, match[1])}<!-- end -->", found)
    missing = schema["$defs"].keys() - {match[1] for match in TABLE.finditer(made)}
    if missing:
        print(f"{PAGE.name} has no table of {', '.join(sorted(missing))}")
        return 1
    if made == found:
        return 0
    if "--check" in sys.argv:
        print(f"{PAGE.name} is not what the schema says: run tools/system_tables.py")
        return 1
    PAGE.write_text(made, encoding="utf-8")
    return 0


def table(schema: dict[str, Any], name: str) -> str:
    """The keys of one section."""
    section = schema if name == "System" else schema["$defs"][name]
    rows = [
        f"| `{key}` | {' '.join(setting['description'].split()).replace('|', chr(92) + '|')} |"
        for key, setting in section["properties"].items()
    ]
    return "\n".join(["| key | meaning |", "|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
