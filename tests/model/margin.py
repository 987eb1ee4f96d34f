"""What an account needs for its perpetuals, and how much of it is there (F5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from model.money import Books, Wallet
from tradewind.instruments import InstrumentFields

CALL = Fraction(4, 5)


@dataclass(frozen=True)
class Margin:
    """The margin of what settles in one asset of an account, at marks."""

    account: Books
    leverage: int | None
    wallet: Wallet

    def equity(self, marks: Mapping[str, Decimal]) -> Fraction:
        """What is in the wallet, and not realised."""
        open_profit = sum(
            (self.account.position("", name).unrealised(mark) for name, mark in self._marked(marks)), Fraction(0)
        )
        return Fraction(self.account.wallets.get(self.wallet, 0)) + open_profit

    def maintenance(self, marks: Mapping[str, Decimal]) -> Fraction:
        """What must be there, or everything is closed."""
        return sum(
            (
                self._worth(name, mark) * Fraction(self._specification(name).maintenance_margin or 0)
                for name, mark in self._marked(marks)
            ),
            Fraction(0),
        )

    def initial(self, name: str, position: Fraction, price: Decimal | None) -> Fraction:
        """What a position needs to come about."""
        return position * Fraction(price or 0) * Fraction(self._specification(name).multiplier) * self.rate(name)

    def rate(self, name: str) -> Fraction:
        highest = Fraction(self._specification(name).initial_margin or 0)
        return highest if self.leverage is None else Fraction(1, self.leverage)

    def _specification(self, name: str) -> InstrumentFields:
        return self.account.specifications[name]

    def _marked(self, marks: Mapping[str, Decimal]) -> list[tuple[str, Decimal]]:
        return [(name, mark) for name, mark in marks.items() if self.has(name)]

    def has(self, name: str) -> bool:
        """Whether an instrument is one of those."""
        one = self._specification(name)
        return one.kind != "spot" and (one.venue, one.settlement) == self.wallet

    def _worth(self, name: str, mark: Decimal) -> Fraction:
        held = self.account.position("", name)
        return abs(held.quantity) * Fraction(mark) * held.multiplier
