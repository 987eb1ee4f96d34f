"""Venues: the interfaces that one implements, and those that are packaged."""

from tradewind.venues.credentials import Credentials
from tradewind.venues.interface import (
    AccountSink,
    Execution,
    FillReport,
    MarketData,
    MarketSink,
    NewOrder,
    OrderReport,
    OrderState,
    Subscription,
)

__all__ = [
    "AccountSink",
    "Credentials",
    "Execution",
    "FillReport",
    "MarketData",
    "MarketSink",
    "NewOrder",
    "OrderReport",
    "OrderState",
    "Subscription",
]
