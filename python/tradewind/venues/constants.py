"""What venues' protocols say, as dated data files beside this one."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any


@cache
def constants(venue: str) -> dict[str, Any]:
    """Read the constants of a venue.

    Examples
    --------
    >>> constants("binance_spot")["stream"]["streams_per_connection"]
    1024

    """
    return tomllib.loads(resources.files("tradewind.venues").joinpath(f"{venue}.toml").read_text(encoding="utf-8"))
