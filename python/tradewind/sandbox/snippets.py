"""How clients are pointed at a local exchange."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradewind.sandbox.sandbox import Sandbox

_SNIPPETS = """\
ccxt:
    keys = json.load(open("{keys}"))["keys"]["hmac"]
    exchange = ccxt.binance({{"apiKey": keys["api_key"], "secret": keys["secret"],
        "options": {{"fetchMarkets": {{"types": ["spot"]}}, "fetchMargins": False, "fetchCurrencies": False}}}})
    exchange.has["fetchCurrencies"] = False
    exchange.urls["api"] |= {{"public": "{rest}/api/v3", "private": "{rest}/api/v3", "v1": "{rest}/api/v1",
        "ws": {{"spot": "{stream}/ws", "ws-api": {{"spot": "{api}"}}}}}}

python-binance:
    from binance.base_client import BaseClient
    BaseClient.API_URL, BaseClient.WS_API_URL = "{rest}/api", "{api}"
    client = Client(keys["api_key"], keys["secret"])
    # BinanceSocketManager(client).STREAM_URL = "{stream}/"

system file:
    [venues.binance_spot]
    rest_url = "{rest}"
    stream_url = "{stream}"
    api_url = "{api}"
"""


def snippets(sandbox: Sandbox, keys: Path) -> str:
    """What to write for ccxt, for python-binance, and in a system file."""
    return _SNIPPETS.format(keys=keys, rest=sandbox.rest_url, stream=sandbox.stream_url, api=sandbox.api_url)
