"""An interpreter that has ccxt, which is none of our dependencies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest


@cache
def interpreter() -> str:
    """An interpreter that has ccxt, or a skip."""
    python = os.environ.get("TRADEWIND_CCXT_PYTHON", sys.executable)
    try:
        found = subprocess.run([python, "-c", "import ccxt"], capture_output=True, check=False).returncode == 0
    except OSError:
        found = False
    if not found:
        pytest.skip("no ccxt: set TRADEWIND_CCXT_PYTHON to an interpreter that has it")
    return python


def ask(script: str, *arguments: str) -> Any:
    done = subprocess.run(
        [interpreter(), "-c", script, *arguments], capture_output=True, check=False, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
