"""Binance Spot: market streams, and orders over the WebSocket API."""

from tradewind.venues.binance_spot.execution import BinanceSpotExecution
from tradewind.venues.binance_spot.market_data import BinanceSpotMarketData
from tradewind.venues.binance_spot.protocol import Urls

__all__ = ["BinanceSpotExecution", "BinanceSpotMarketData", "Urls"]
