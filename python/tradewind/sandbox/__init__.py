"""A local exchange on 127.0.0.1 that speaks Binance Spot."""

from tradewind.sandbox.credentials import Credentials
from tradewind.sandbox.sandbox import Sandbox
from tradewind.sandbox.settings import Limits, Settings

__all__ = ["Credentials", "Limits", "Sandbox", "Settings"]
