"""Find relative links in Markdown files that lead nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)


def main() -> int:
    """Print every dead link; the exit code tells whether there are any."""
    files = [ROOT / name for name in _tracked()]
    dead = [problem for file in files if file.is_file() for problem in problems(file)]
    for problem in dead:
        print(problem)
    print(f"links: {len(files)} files, {len(dead)} dead")
    return 1 if dead else 0


def problems(file: Path) -> list[str]:
    """The dead links of a file, in words."""
    found = []
    text = FENCE.sub("", file.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (file.parent / path).resolve() if path else file
        shown = f"{file.relative_to(ROOT)}: {target}"
        if not place.exists():
            found.append(f"{shown}: there is no such file")
        elif anchor and place.suffix == ".md" and anchor not in _anchors(place):
            found.append(f"{shown}: there is no such heading")
    return found


def _anchors(file: Path) -> set[str]:
    headings = HEADING.findall(FENCE.sub("", file.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def _tracked() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
