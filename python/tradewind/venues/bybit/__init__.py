"""Bybit v5: public market data of spot and linear contracts."""

from tradewind.venues.bybit.market import BybitMarketData

__all__ = ["BybitMarketData"]
