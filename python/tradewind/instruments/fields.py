"""What is agreed about an instrument, in the form in which people write it."""

from __future__ import annotations

import datetime
import difflib
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from tradewind.errors import TradewindError

_MOST_DECIMALS = 12
_RATE_DECIMALS = 9
_ASSET_DECIMALS = 8
_RATES = ("maker_fee", "taker_fee", "liquidation_fee", "initial_margin", "maintenance_margin")

_Name = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]+$")]
_Decimals = Annotated[int, Field(strict=True, ge=0, le=_MOST_DECIMALS)]
_Positive = Annotated[Decimal, Field(gt=0)]
_NotNegative = Annotated[Decimal, Field(ge=0)]
_Fraction = Annotated[Decimal, Field(gt=-1, lt=1)]


class InstrumentFields(BaseModel):
    """The specification of one instrument, as the core's ``Specification`` in user form.

    Numbers are exact: write them as text (``"0.1"``) or ``Decimal``; a float means its shortest decimal.

    Parameters
    ----------
    venue, symbol
        Their names, such as ``binance_usdm`` and ``BTCUSDT``.
    kind
        ``"spot"`` or ``"linear_perpetual"``.
    base, quote
        The asset that is traded, and the asset that the price is in.
    settlement
        The asset of profit and fees; the quote asset where it is not stated.
    price_decimals, quantity_decimals
        Decimals of prices and quantities, fixed for good (N1); those of tick and lot where they are not stated.
        For spot the quantity has at least 8, because a position there is an amount of the base asset, down to its fees.
    tick, lot
        The steps of prices and quantities.
    minimum_quantity, minimum_notional
        The smallest size and value of an order.
    multiplier
        Units of the base per unit of quantity.
    maker_fee, taker_fee, liquidation_fee
        Fractions of the traded value; a negative one is a rebate.
    fee_asset
        The asset of a spot fee: ``"received"`` (the base for a purchase, the quote for a sale) or ``"quote"``.
    initial_margin, maintenance_margin
        Fractions of the position's value; none for spot.
    source, date
        Where the numbers are from, and of which day they are.

    Examples
    --------
    >>> coin = InstrumentFields(
    ...     venue="my", symbol="XRPETH", kind="spot", base="XRP", quote="ETH", tick="0.000001", lot="1",
    ...     minimum_quantity="1", minimum_notional="0.005", maker_fee="0.001", taker_fee="0.001",
    ... )
    >>> coin.name, coin.price_decimals, coin.settlement
    ('my:XRPETH', 6, 'ETH')
    >>> InstrumentFields(**coin.model_dump(), tikc="1")
    Traceback (most recent call last):
    ...
    tradewind.errors.TradewindError: [bad_specification] instrument my:XRPETH: tikc: is not known
    hint: did you mean tick instead of tikc?

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    venue: Annotated[str, Field(pattern=r"^[^\s\x00-\x1f:]+$")]
    symbol: _Name
    kind: Literal["spot", "linear_perpetual"]
    base: _Name
    quote: _Name
    settlement: _Name
    price_decimals: _Decimals
    quantity_decimals: _Decimals
    tick: _Positive
    lot: _Positive
    minimum_quantity: _NotNegative
    minimum_notional: _NotNegative
    multiplier: _Positive = Decimal(1)
    maker_fee: _Fraction
    taker_fee: _Fraction
    liquidation_fee: _Fraction = Decimal(0)
    fee_asset: Literal["received", "quote"] = "received"
    initial_margin: Annotated[Decimal, Field(gt=0, le=1)] | None = None
    maintenance_margin: Annotated[Decimal, Field(gt=0, le=1)] | None = None
    source: str = ""
    date: datetime.date | None = None

    @property
    def name(self) -> str:
        """``venue:symbol``, the name that users write."""
        return f"{self.venue}:{self.symbol}"

    @property
    def tick_units(self) -> int:
        """The tick in units of the last price decimal."""
        return int(self.tick.scaleb(self.price_decimals))

    @property
    def lot_units(self) -> int:
        """The lot in units of the last quantity decimal."""
        return int(self.lot.scaleb(self.quantity_decimals))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        values = self.price_decimals + self.quantity_decimals + _decimals(self.multiplier)
        most = {"tick": self.price_decimals, "lot": self.quantity_decimals, "minimum_quantity": self.quantity_decimals}
        most |= {"minimum_notional": values, "multiplier": _MOST_DECIMALS} | dict.fromkeys(_RATES, _RATE_DECIMALS)
        problems = [
            f"{field} = {value}: has more than {decimals} decimals"
            for field, decimals in most.items()
            if (value := getattr(self, field)) is not None and _decimals(value) > decimals
        ]
        margins = (self.initial_margin, self.maintenance_margin)
        if self.kind == "spot" and margins != (None, None):
            problems.append("initial_margin, maintenance_margin: a spot instrument has none")
        if self.kind == "linear_perpetual" and None in margins:
            problems.append("initial_margin, maintenance_margin: a perpetual needs both")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _explained(cls, data: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        """Say all that is wrong in one error of the table."""
        if isinstance(data, dict):
            data = _derived(data)
        try:
            return build(data)
        except ValidationError as error:
            raise _explanation(data, error, tuple(cls.model_fields)) from None


def _derived(data: dict[str, Any]) -> dict[str, Any]:
    """Settlement and decimals, where they follow from what is stated."""
    derived: dict[str, Any] = {"settlement": data.get("quote")}
    for name, step in (("price_decimals", "tick"), ("quantity_decimals", "lot")):
        try:
            derived[name] = _decimals(Decimal(str(data.get(step))))
        except ArithmeticError:
            derived[name] = 0
    if data.get("kind") == "spot":
        derived["quantity_decimals"] = max(_ASSET_DECIMALS, derived["quantity_decimals"])
    return {name: value for name, value in derived.items() if name not in data and value is not None} | data


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _explanation(data: Any, error: ValidationError, known: tuple[str, ...]) -> TradewindError:
    problems, hints = [], []
    for problem in error.errors(include_url=False):
        field = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            problems.append(f"{field}: is not known")
            if close := difflib.get_close_matches(field, known, n=1):
                hints.append(f"did you mean {close[0]} instead of {field}?")
        elif problem["type"] == "missing":
            if not (field == "settlement" and "quote" not in data):
                problems.append(f"{field}: is missing")
        elif field:
            problems.append(f"{field} = {problem['input']!r}: {problem['msg']}")
        else:
            problems.append(problem["msg"].removeprefix("Value error, "))
    name = f"{data.get('venue', '?')}:{data.get('symbol', '?')}" if isinstance(data, dict) else repr(data)
    return TradewindError("bad_specification", f"instrument {name}: {'; '.join(problems)}", " ".join(hints))
