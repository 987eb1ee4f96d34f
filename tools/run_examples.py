"""Run the examples of README.md and docs/*.md.

A block that is fenced as ``python`` runs, the blocks of a page one after another in one namespace and in an empty
folder; a block of ``pycon`` (with prompts) is compared with its output, too. A block marked ``python no-run`` is only
compiled: it needs data or a venue that the reader has.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(python|pycon)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Run every page; the exit code tells whether all examples hold."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    ran = failed = 0
    for page in pages:
        if page.is_file():
            done, wrong = run(page)
            ran, failed = ran + done, failed + wrong
    print(f"examples: {ran} ran, {failed} failed")
    return 1 if failed else 0


def run(page: Path) -> tuple[int, int]:
    """Run the blocks of a page: how many ran, and how many failed."""
    text = page.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "__main__"}
    ran = failed = 0
    back = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for match in BLOCK.finditer(text):
                language, marks, code = match.groups()
                line = text.count("\n", 0, match.start(3))
                place = f"{page.relative_to(ROOT)}:{line + 1}"
                ran += 1
                if not _run(place, line, language, "no-run" in marks, code, names):
                    failed += 1
        finally:
            os.chdir(back)
    return ran, failed


def _run(place: str, line: int, language: str, only_compiles: bool, code: str, names: dict[str, Any]) -> bool:
    if language == "pycon":
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        example = doctest.DocTestParser().get_doctest(code, names, place, place, line)
        return doctest.DocTestRunner(optionflags=flags, verbose=False).run(example, clear_globs=False).failed == 0
    printed = io.StringIO()
    try:
        compiled = compile("\n" * line + code, place, "exec")
        if not only_compiles:
            with contextlib.redirect_stdout(printed):
                exec(compiled, names)
    except Exception:
        print(f"{place} failed:\n{printed.getvalue()}{traceback.format_exc()}")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
