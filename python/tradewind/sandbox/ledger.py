"""What accounts, the venue and the crowd of a local exchange have."""

from __future__ import annotations

from collections import defaultdict

from tradewind.sandbox.account import Account
from tradewind.sandbox.order import Fill, Order, Trade
from tradewind.sandbox.symbol import Symbol
from tradewind.sandbox.units import share, worth


class Ledger:
    """Accounts and their balances, the venue's fees, and what the crowd has or owes: together, what was paid in."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.fees: dict[str, int] = defaultdict(int)
        self.crowd: dict[str, int] = defaultdict(int)
        self.paid_in: dict[str, int] = defaultdict(int)
        self._touched: dict[int, dict[str, None]] = {}

    def open(self, name: str, now_ns: int) -> Account:
        """Open an account that holds nothing."""
        account = Account(number=len(self.accounts) + 1, name=name, updated_ns=now_ns)
        self.accounts[account.number] = account
        self._touched[account.number] = {}
        return account

    def pay_in(self, account: Account, asset: str, amount: int) -> None:
        """Pay into an account, or out of it."""
        account.balance(asset).free += amount
        self.paid_in[asset] += amount
        self._touch(account.number, asset)

    def total(self, asset: str) -> int:
        """What all together have of an asset."""
        held = sum(one.free + one.locked for account in self.accounts.values() if (one := account.balances.get(asset)))
        return held + self.fees[asset] + self.crowd[asset]

    def lock(self, order: Order, symbol: Symbol, amount: int) -> None:
        """Set something aside for an order, or give it back where it is below zero."""
        asset = symbol.quote if order.buy else symbol.base
        balance = self.accounts[order.account].balance(asset)
        order.locked += amount
        balance.free -= amount
        balance.locked += amount
        self._touch(order.account, asset)

    def fill(self, order: Order, symbol: Symbol, trade: Trade, maker: bool) -> Fill:
        """Book one side of a trade."""
        account = self.accounts[order.account]
        value = worth(trade.price, trade.quantity)
        gets, gives = (symbol.base, symbol.quote) if order.buy else (symbol.quote, symbol.base)
        received, paid = (trade.quantity, value) if order.buy else (value, trade.quantity)
        fee = share(received, account.maker_rate if maker else account.taker_rate)
        # A limit order may pay less than what was set aside for it.
        reserved = worth(order.price, trade.quantity) if order.buy and order.kind != "MARKET" else paid
        order.executed += trade.quantity
        order.value += value
        order.locked -= reserved
        account.balance(gives).locked -= reserved
        account.balance(gives).free += reserved - paid
        account.balance(gets).free += received - fee
        self.fees[gets] += fee
        self._touch(order.account, gets, gives)
        return Fill(
            trade_id=trade.id,
            order_id=order.id,
            account=order.account,
            symbol=symbol.name,
            price=trade.price,
            quantity=trade.quantity,
            value=value,
            fee=fee,
            fee_asset=gets,
            time_ns=trade.time_ns,
            buyer=order.buy,
            maker=maker,
        )

    def fill_crowd(self, symbol: Symbol, trade: Trade, buys: bool) -> None:
        """Book the other side of a trade with somebody of the crowd."""
        sign = 1 if buys else -1
        self.crowd[symbol.base] += sign * trade.quantity
        self.crowd[symbol.quote] -= sign * worth(trade.price, trade.quantity)

    def take_touched(self, now_ns: int) -> dict[int, list[str]]:
        """Whose balances of which assets may be others than at the last call."""
        touched, self._touched = self._touched, {}
        for number, assets in touched.items():
            if assets:
                self.accounts[number].updated_ns = now_ns
        return {number: list(assets) for number, assets in touched.items()}

    def _touch(self, account: int, *assets: str) -> None:
        self._touched.setdefault(account, {}).update(dict.fromkeys(assets))
