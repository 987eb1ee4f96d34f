"""Numbers for the limits that live trading needs (M6): cautious ones, to be replaced by what the owner means."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any

from tradewind.config.writer import to_toml

if TYPE_CHECKING:
    from tradewind.config.system import System

_LOTS = 1_000
_SMALLEST_ORDERS = 20


def proposal(system: System) -> str:
    """Lines for the file; empty where it has all of them.

    The notional is a tenth of what the account starts with, or 20 times the smallest order; the daily loss a fifth of
    the notional; the quantity a thousand lots, which venues choose to be worth about as much everywhere.
    """
    risk: dict[str, Any] = {}
    fields = [system.specification(name) for name in system.instruments]
    held = [account.balances.get(system.currency or "") for account in system.accounts.values()]
    money = sum((one for one in held if one is not None), Decimal(0))
    smallest = max((one.minimum_notional for one in fields), default=Decimal(5))
    notional = (money / 10).quantize(Decimal(1), ROUND_DOWN) if money >= 10 * smallest else smallest * _SMALLEST_ORDERS
    limits = [system.risk.limits_of(one.name) for one in fields]
    if any(one.order_notional is None for one in limits):
        risk["order_notional"] = notional
    if system.risk.order_rate is None:
        risk["order_rate"] = {"orders": 10, "interval": "10s"}
    if system.risk.daily_loss is None:
        risk["daily_loss"] = notional / 5
    risk["instruments"] = {
        one.name: {"order_quantity": one.lot * _LOTS}
        for one, stated in zip(fields, limits, strict=True)
        if stated.order_quantity is None
    }
    return to_toml({"risk": risk}) if len(risk) > 1 or risk["instruments"] else ""
