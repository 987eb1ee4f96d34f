"""What is held: positions with their cost, and wallets."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from tradewind.instruments import InstrumentFields

ASSET_STEP = Decimal("1e-8")


@dataclass
class Position:
    """A quantity and its total cost (N3). A reduction takes its share of it, cut at the last decimal of values."""

    unit: Fraction
    multiplier: Fraction = Fraction(1)
    quantity: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)

    def apply(self, quantity: Decimal, value: Decimal) -> Fraction:
        """A fill, both signed; gives what it realised."""
        moved, worth = Fraction(quantity), Fraction(value)
        if self.quantity * moved >= 0:
            self.quantity += moved
            self.cost += worth
            return Fraction(0)
        if abs(moved) <= abs(self.quantity):
            share = self._cut(self.cost * -moved / self.quantity)
            realised = -worth - share
            self.cost -= share
        else:
            closing = self._cut(worth * -self.quantity / moved)
            realised = -closing - self.cost
            self.cost = worth - closing
        self.quantity += moved
        self.realised += realised
        return realised

    def lose(self, fee: Decimal) -> None:
        """A fee in the base makes the position smaller, not its cost (M2). What is lost whole has cost what it did."""
        was_long = self.quantity > 0
        self.quantity -= Fraction(fee)
        if was_long and self.quantity <= 0:
            self.realised -= self.cost
            self.cost = Fraction(0)

    def unrealised(self, mark: Decimal) -> Fraction:
        return self._cut(self.quantity * Fraction(mark) * self.multiplier) - self.cost

    def _cut(self, value: Fraction) -> Fraction:
        return value // self.unit * self.unit


def rounded(value: Decimal | Fraction) -> Decimal:
    """An amount as it is posted."""
    exact = value if isinstance(value, Decimal) else Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(ASSET_STEP, ROUND_HALF_EVEN)


def unit_of(one: InstrumentFields) -> Fraction:
    """The last decimal of values."""
    exponent = one.multiplier.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return Fraction(1, 10 ** (one.price_decimals + one.quantity_decimals + max(-exponent, 0)))


@dataclass(frozen=True)
class Fill:
    """One of our fills."""

    order_id: int
    strategy: str
    instrument: str
    sign: int
    price: Decimal
    quantity: Decimal
    is_maker: bool


# An asset at a venue.
Wallet = tuple[str, str]


@dataclass
class Books:
    """The accounts' wallets, their positions, and those of each strategy (M1, M4). Each venue has an account."""

    specifications: dict[str, InstrumentFields]
    wallets: dict[Wallet, Decimal]
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    fees: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    # What was paid and received beside fills, by purpose.
    payments: dict[tuple[Wallet, str], Decimal] = field(default_factory=dict)

    def position(self, strategy: str, instrument: str) -> Position:
        """That of a strategy; of the account where its name is empty."""
        key = (strategy, instrument)
        if key not in self.positions:
            one = self.specifications[instrument]
            self.positions[key] = Position(unit_of(one), Fraction(one.multiplier))
        return self.positions[key]

    def fee(self, fill: Fill) -> tuple[Decimal, str]:
        one = self.specifications[fill.instrument]
        rate = one.maker_fee if fill.is_maker else one.taker_fee
        if one.kind == "spot" and one.fee_asset == "received" and fill.sign > 0:
            return rounded(fill.quantity * rate), one.base
        return rounded(fill.price * fill.quantity * one.multiplier * rate), one.quote

    def book(self, fill: Fill) -> None:
        one = self.specifications[fill.instrument]
        signed, value = fill.sign * fill.quantity, fill.sign * fill.price * fill.quantity * one.multiplier
        fee, asset = self.fee(fill)
        realised = Fraction(0)
        for owner in dict.fromkeys((fill.strategy, "")):
            position = self.position(owner, fill.instrument)
            realised = position.apply(signed, value)
            if asset == one.base:
                position.lose(fee)
        if one.kind == "spot":
            self.add((one.venue, one.base), signed)
            self.add((one.venue, one.quote), -rounded(value))
        else:
            self.add((one.venue, one.settlement), rounded(realised))
        self.add((one.venue, asset), -fee)
        paid = (fill.instrument, asset)
        self.fees[paid] = self.fees.get(paid, Decimal(0)) + fee

    def pay(self, amount: Decimal, purpose: str, wallet: Wallet) -> None:
        self.add(wallet, amount)
        self.payments[wallet, purpose] = self.payments.get((wallet, purpose), Decimal(0)) + amount

    def add(self, wallet: Wallet, amount: Decimal) -> None:
        self.wallets[wallet] = self.wallets.get(wallet, Decimal(0)) + amount
