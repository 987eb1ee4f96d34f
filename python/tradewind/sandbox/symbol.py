"""What can be traded on a local exchange, and by which rules."""

from __future__ import annotations

import msgspec

from tradewind.errors import exception
from tradewind.instruments import InstrumentFields, load, names
from tradewind.sandbox.units import UNIT, parse

# Where the synthetic participants start: about the prices of November 2026, and 100 for anything else.
_PRICES = {"BTC": "90000", "ETH": "3000", "SOL": "140", "BNB": "900", "XRP": "2.2", "DOGE": "0.15", "LTC": "95"}


class Symbol(msgspec.Struct, frozen=True, kw_only=True):
    """One pair, its grid and its filters; amounts in units of 1e-8.

    The filters and their values are Binance's; where a packaged specification does not have one, the value is that of
    BTCUSDT as of November 2026.
    """

    name: str
    base: str
    quote: str
    tick: int
    lot: int
    minimum_quantity: int
    minimum_notional: int
    start_price: int
    maximum_quantity: int = 9_000 * UNIT
    maximum_price: int = 1_000_000 * UNIT
    maximum_market_quantity: int = 100 * UNIT
    maximum_notional: int = 9_000_000 * UNIT
    price_factors: tuple[int, int] = (5 * UNIT, UNIT // 5)
    """How far a price may be from the average: highest and lowest, as factors."""
    average_minutes: int = 5
    maximum_orders: int = 200
    maximum_position: int = 0
    """The most of the base asset that an account may have or be buying; zero for no limit."""

    def __post_init__(self) -> None:
        if self.tick * self.lot % UNIT:
            raise exception("bad_specification", f"{self.name}: a tick times a lot has more than 8 decimals")

    @classmethod
    def packaged(cls, name: str) -> Symbol:
        """The symbol of a packaged Binance spot instrument.

        Examples
        --------
        >>> Symbol.packaged("BTCUSDT").tick
        1000000

        """
        if f"binance_spot:{name}" not in names():
            known = [one.partition(":")[2] for one in names() if one.startswith("binance_spot:")]
            raise exception("unknown_instrument", f"sandbox: {name} is not packaged", f"there are {', '.join(known)}")
        return cls.of(load(f"binance_spot:{name}"))

    @classmethod
    def of(cls, fields: InstrumentFields, start_price: str | None = None) -> Symbol:
        """The symbol of an instrument; its lots decide how large the largest orders are."""
        lot = parse(str(fields.lot))
        scale = max(lot // 1_000, 1)
        return cls(
            name=fields.symbol,
            base=fields.base,
            quote=fields.quote,
            tick=parse(str(fields.tick)),
            lot=lot,
            minimum_quantity=parse(str(fields.minimum_quantity)),
            minimum_notional=parse(str(fields.minimum_notional)),
            start_price=parse(start_price or _PRICES.get(fields.base, "100")),
            maximum_quantity=9_000 * UNIT * scale,
            maximum_market_quantity=100 * UNIT * scale,
        )
