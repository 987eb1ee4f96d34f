"""What all tests share: recorded data, and how thorough hypothesis is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

_SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
_PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
_COMMON = settings(deadline=None, phases=_PHASES, suppress_health_check=_SLOW_IS_FINE)
settings.register_profile("test", _COMMON, derandomize=True)
settings.register_profile("soak", _COMMON, print_blob=True)
settings.load_profile(os.environ.get("TRADEWIND_HYPOTHESIS", "test"))


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded market data, or a skip."""
    folder = Path(os.environ.get("TRADEWIND_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recorded data at {folder}: set TRADEWIND_DATA")
    return folder
