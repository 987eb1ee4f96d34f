"""Venues: the interfaces that one implements, and the venues that come with Tradewind.

They work without an engine: ``async for event in tradewind.venues.stream("binance_spot", trades=["BTCUSDT"])``.
"""

from tradewind.venues.access import VenueAccess
from tradewind.venues.binance_spot import BinanceSpotExecution, BinanceSpotMarketData
from tradewind.venues.bybit import BybitMarketData
from tradewind.venues.connection.clock import VenueClock
from tradewind.venues.credentials import Credentials
from tradewind.venues.interface import (
    Accepted,
    AccountStatus,
    Balance,
    Cancelled,
    CancelRejected,
    CancelRequest,
    ClockStatus,
    Commission,
    Execution,
    Expired,
    Filled,
    Foreign,
    MarketData,
    OrderRequest,
    OrderState,
    Rejected,
    Report,
    StreamName,
    StreamStatus,
    Transferred,
    Unknown,
)
from tradewind.venues.sink import MarketSink
from tradewind.venues.stream import market_data, stream

__all__ = [
    "Accepted",
    "AccountStatus",
    "Balance",
    "BinanceSpotExecution",
    "BinanceSpotMarketData",
    "BybitMarketData",
    "CancelRejected",
    "CancelRequest",
    "Cancelled",
    "ClockStatus",
    "Commission",
    "Credentials",
    "Execution",
    "Expired",
    "Filled",
    "Foreign",
    "MarketData",
    "MarketSink",
    "OrderRequest",
    "OrderState",
    "Rejected",
    "Report",
    "StreamName",
    "StreamStatus",
    "Transferred",
    "Unknown",
    "VenueAccess",
    "VenueClock",
    "market_data",
    "stream",
]
