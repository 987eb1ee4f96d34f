"""How clients are pointed at a local exchange: each snippet runs as it is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradewind.sandbox.sandbox import Sandbox

_SNIPPETS = """\
ccxt:
    import json
    import ccxt
    keys = json.load(open("{keys}"))["keys"]["hmac"]
    exchange = ccxt.binance({{"apiKey": keys["api_key"], "secret": keys["secret"],
        "options": {{"fetchMarkets": {{"types": ["spot"]}}, "fetchMargins": False, "fetchCurrencies": False}}}})
    exchange.has["fetchCurrencies"] = False
    exchange.urls["api"] |= {{"public": "{rest}/api/v3", "private": "{rest}/api/v3", "v1": "{rest}/api/v1",
        "ws": {{"spot": "{stream}/ws", "ws-api": {{"spot": "{api}"}}}}}}

python-binance:
    import json
    from binance import BinanceSocketManager, Client
    from binance.base_client import BaseClient
    keys = json.load(open("{keys}"))["keys"]["hmac"]
    BaseClient.API_URL, BaseClient.WS_API_URL = "{rest}/api", "{api}"
    BinanceSocketManager.STREAM_URL = "{stream}/"
    client = Client(keys["api_key"], keys["secret"])

system file:
    [run]
    name = "sandbox"
    currency = "USDT"

    [venues.binance_spot]
    simulated = {{ preset = "typical" }}
    urls = {{ rest = "{rest}", stream = "{stream}", api = "{api}"{authority} }}

    [accounts.main]
    venue = "binance_spot"
    balances = {{ USDT = "10000" }}
    credentials = {{ file = "{keys}" }}

    [instruments."binance_spot:{symbol}"]

    [strategies.cross]
    class = "tradewind:ema_cross"
    parameters = {{ instrument = "binance_spot:{symbol}", fast = 10, slow = 50, quantity = 0.01, short = false }}

    [risk]
    order_quantity = "0.1"
    order_notional = "20000"
    order_rate = {{ orders = 100, interval = "10s" }}
    daily_loss = "1000"

    [live] # the urls above lead to the sandbox: its orders cost nothing
    place_real_orders = true
"""


def snippets(sandbox: Sandbox, keys: Path) -> str:
    """What to write for ccxt, for python-binance, and as a system file."""
    authority = f', authority_file = "{keys.with_name("sandbox-authority.pem").resolve()}"' if sandbox.authority else ""
    return _SNIPPETS.format(
        keys=keys.resolve(),
        rest=sandbox.rest_url,
        stream=sandbox.stream_url,
        api=sandbox.api_url,
        authority=authority,
        symbol=sandbox.settings.symbols[0],
    )
