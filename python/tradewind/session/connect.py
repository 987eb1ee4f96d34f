"""From what a system says of a venue to what speaks with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tradewind.config.code import load_function
from tradewind.errors import TradewindError, exception
from tradewind.session.reached import addresses, reached, whose
from tradewind.session.session import VenueParts
from tradewind.venues import (
    BinanceSpotExecution,
    BinanceSpotMarketData,
    BybitMarketData,
    Credentials,
    Execution,
    MarketData,
    VenueAccess,
    VenueClock,
)
from tradewind.venues.access import trusting

if TYPE_CHECKING:
    from tradewind.config.system import System

Adapter = Callable[[VenueAccess], tuple[MarketData, Execution | None]]
"""Makes a venue's market data, and its orders where there are credentials."""
_CANNOT_BE_ASKED = ("unreachable", "rate_limited", "bad_frame")
"""Errors of a venue that is down, or has banned us, or shows a page of its own: it may answer later."""


async def venue_parts(system: System, name: str, mode: Literal["paper", "live"], clock: VenueClock) -> VenueParts:
    """A venue of a system: its market data, and live its orders; and why it could not be asked, if so."""
    access = _access(system, name, mode, clock)
    market_data, execution = _made(system, name, mode, access)
    wanted = execution if mode == "live" else None
    adapter = system.venues[name].adapter_of(name) or ""
    try:
        # Before the first stamp: the session's time is the venue's from its start on.
        await market_data.observe_clock()
        found = await reached(adapter, access, wanted)
    except TradewindError as error:
        await market_data.close()
        hint = error.hint or f"see that the venue is up, and that [venues.{name}.urls] is right"
        if mode == "live":
            hint += "; orders of a run before are cancelled with tradewind cancel-all"
        trouble = exception(error.code, f"{name}: {error.message}", hint)
        if error.code not in _CANNOT_BE_ASKED:
            raise trouble from error
        asks = None if wanted is None else partial(whose, access, wanted)
        return VenueParts(name, market_data, wanted, reached=addresses(adapter, access), trouble=trouble, whose=asks)
    return VenueParts(name, market_data, execution=wanted, reached=found)


def silent_parts(system: System, name: str) -> tuple[MarketData, Execution]:
    """The same for real orders, while nothing was asked of the venue yet."""
    market_data, execution = _made(system, name, "live", _access(system, name, "live", VenueClock()))
    assert execution is not None
    return market_data, execution


def _made(system: System, name: str, mode: str, access: VenueAccess) -> tuple[MarketData, Execution | None]:
    """What an adapter makes of a venue."""
    adapter = system.venues[name].adapter_of(name)
    if adapter is None:
        # A system was checked for its mode before it runs; who cancels in an emergency has only read it.
        hint = f'add adapter = "binance_spot" to [venues.{name}]'
        raise exception("missing_setting", f"nothing says how {name} is spoken to", hint)
    market_data, execution = _made_by(adapter, system)(access)
    if market_data.venue != name:
        message = f"venues.{name}: its adapter speaks with {market_data.venue}, whose instruments carry that name"
        raise exception("bad_setting", message, f"call the venue {market_data.venue}")
    if mode == "live" and execution is None:
        message = f"venues.{name}: its adapter brings market data, and takes no orders"
        raise exception("bad_setting", message, "run it with --mode paper, or give the adapter an Execution")
    return market_data, execution


def _made_by(named: str, system: System) -> Adapter:
    """The adapter that a system names for a venue."""
    if named in _PACKAGED:
        return _PACKAGED[named]
    return load_function(named, system.folder, "def adapter(access): return market_data, execution")


def _access(system: System, name: str, mode: str, clock: VenueClock) -> VenueAccess:
    urls = system.venues[name].urls
    context = None if urls.authority_file is None else trusting(system.path(urls.authority_file))
    credentials = _credentials(system, name) if mode == "live" else None
    return VenueAccess(name, urls.rest or "", urls.stream or "", urls.api or "", clock, context, credentials)


def _credentials(system: System, name: str) -> Credentials:
    owner = system.account_of(name)
    stated = None if owner is None else owner[1].credentials
    if stated is None:
        raise exception("missing_setting", f"accounts: {name} has no credentials", "add [accounts.NAME.credentials]")
    if stated.file is not None:
        return Credentials.from_file(Path(system.path(stated.file)))
    return Credentials(*(os.environ.get(one or "", "") for one in (stated.key_variable, stated.secret_variable)))


def _binance_spot(access: VenueAccess) -> tuple[MarketData, Execution | None]:
    market_data = BinanceSpotMarketData(
        stream_url=access.stream_url, rest_url=access.rest_url, clock=access.clock, ssl_context=access.ssl_context
    )
    if access.credentials is None:
        return market_data, None
    execution = BinanceSpotExecution(
        access.credentials,
        api_url=access.api_url,
        rest_url=access.rest_url,
        clock=access.clock,
        ssl_context=access.ssl_context,
    )
    return market_data, execution


def _bybit(category: Literal["spot", "linear"]) -> Adapter:
    return lambda access: (
        BybitMarketData(
            category,
            stream_url=access.stream_url,
            rest_url=access.rest_url,
            clock=access.clock,
            ssl_context=access.ssl_context,
        ),
        None,
    )


_PACKAGED: dict[str, Adapter] = {
    "binance_spot": _binance_spot,
    "bybit_spot": _bybit("spot"),
    "bybit_linear": _bybit("linear"),
}
