"""Sessions on a local exchange."""

from __future__ import annotations

from pathlib import Path

import pytest
from session_exchange import Trade


@pytest.fixture
def trade(tmp_path: Path) -> Trade:
    """Run a session on a fresh exchange."""
    return Trade(tmp_path)
