"""Binance Spot: market data and orders."""

from tradewind.venues.binance_spot.execution import BinanceSpotExecution
from tradewind.venues.binance_spot.market import BinanceSpotMarketData

__all__ = ["BinanceSpotExecution", "BinanceSpotMarketData"]
