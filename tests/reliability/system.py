"""The system file of the session that is put to the test."""

from __future__ import annotations

import os
from pathlib import Path

from reliability.venue import Venue

TRADER = Path(__file__).with_name("trader.py")
NAME = "steady"
TEXT = """
[run]
name = "{name}"
currency = "USDT"
directory = "{folder}/runs"

[venues.binance_spot.simulated]
latency = "3ms"
data_delay_bound = "50ms"

[venues.binance_spot.urls]
rest = "{rest}"
stream = "{stream}"
api = "{api}"

[accounts.main]
venue = "binance_spot"
balances = {{ USDT = "100000" }}
credentials = {{ file = "{folder}/keys.toml" }}

[instruments."binance_spot:BTCUSDT"]

[strategies.steady]
class = "{trader}:Steady"

[risk]
order_quantity = "1"
order_notional = "20000"
position = "0.2"
order_rate = {{ orders = 1000, interval = "10s" }}
daily_loss = "50000"

[live]
place_real_orders = true
"""


def write_system(folder: Path, venue: Venue, kind: str = "ed25519") -> Path:
    """Write the system file and the keys of a session on an exchange."""
    key = venue.keys[kind]
    text = f'api_key = "{key["api_key"]}"\nsecret = """{key["secret"]}"""\n'
    with os.fdopen(os.open(folder / "keys.toml", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    path = folder / "system.toml"
    urls = {"rest": venue.rest_url, "stream": venue.stream_url, "api": venue.api_url}
    path.write_text(TEXT.format(name=NAME, folder=folder, trader=TRADER, **urls))
    return path


def journal_of(folder: Path) -> Path:
    """Where the journal of the session is."""
    return folder / "runs" / NAME / "live"
