"""``tradewind sandbox``: a local exchange."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from tradewind.cli.screen import SHOWN, note
from tradewind.errors import exception
from tradewind.sandbox.credentials import Credentials
from tradewind.sandbox.faults import Schedule
from tradewind.sandbox.sandbox import Sandbox
from tradewind.sandbox.settings import Limits, Settings
from tradewind.sandbox.snippets import snippets

_SEVERAL = Parameter(consume_multiple=True)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def sandbox(
    *,
    symbols: Annotated[tuple[str, ...], _SEVERAL] = (),
    host: str | None = None,
    port: int | None = None,
    seed: int | None = None,
    speed: float | None = None,
    activity: float | None = None,
    recording: Annotated[tuple[Path, ...], _SEVERAL] = (),
    repeat: bool = False,
    state: Path | None = None,
    faults: Path | None = None,
    tls: bool = False,
    raise_limits: bool = False,
    any_host: bool = False,
    config: Path | None = None,
    keys: Annotated[Path, SHOWN] = Path("sandbox-keys.json"),
) -> int:
    """Run a local exchange that speaks Binance Spot, until Ctrl-C.

    Parameters
    ----------
    symbols
        What is traded, such as BTCUSDT; BTCUSDT and ETHUSDT by default.
    host
        Where it listens; other than this machine only with --any-host.
    port
        The port; 0 takes a free one, the default is 9777.
    seed
        Decides the chance of the synthetic participants.
    speed
        How much faster than the clock the participants' time goes.
    activity
        How often one of them acts, in times a second.
    recording
        Raw Binance files that take the place of the participants, played at --speed; what is traded are the symbols
        that they name, or those of them that --symbols names.
    repeat
        Begin a recording again at its end; without it the exchange stops there.
    state
        A file in which accounts, orders and fills survive the process.
    faults
        A TOML file that says what goes wrong when; see docs/sandbox.md.
    tls
        Encrypt, by a generated authority whose certificate is written beside the keys.
    raise_limits
        Replace Binance's limits by some that nobody reaches, for benchmarks and long suites.
    any_host
        Allow an address that other machines reach.
    config
        A TOML file with these settings and more.
    keys
        The file that fresh API keys are written to, readable by its owner only.

    """
    given: dict[str, Any] = {
        "symbols": symbols or None,
        "host": host,
        "port": port,
        "seed": seed,
        "speed": speed,
        "activity": activity,
        "recording": recording or None,
        "repeat": repeat or None,
        "state": state,
        "faults": None if faults is None else Schedule.load(faults),
        "tls": tls or None,
        "limits": Limits.raised() if raise_limits else None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    settings = Settings.load(config, given) if config is not None else Settings.read(given)
    if settings.host not in _LOOPBACK and not any_host:
        message = f"sandbox: host = {settings.host!r}: other machines could reach it"
        raise exception("bad_setting", message, "add --any-host if that is meant")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    asyncio.run(_serve(settings, keys))
    return 0


async def _serve(settings: Settings, path: Path) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with Sandbox(settings) as exchange:
        kept = [number for number, account in exchange.server.exchange.accounts.items() if account.name == "yours"]
        first = exchange.new_key(kept[0]) if kept else exchange.new_account(settings.balances, name="yours")
        made = [first, exchange.new_key(first.account, kind="ED25519"), exchange.new_key(first.account, kind="RSA")]
        _write_keys(path, exchange, made)
        print(f"REST           {exchange.rest_url}")
        print(f"streams        {exchange.stream_url}")
        print(f"WebSocket API  {exchange.api_url}")
        print(f"API keys       {path} (HMAC, Ed25519 and RSA, of one account)")
        if exchange.authority is not None:
            authority = path.with_name("sandbox-authority.pem")
            authority.write_bytes(exchange.authority.certificate)
            print(f"authority      {authority}")
        print(f"\n{snippets(exchange, path)}", flush=True)
        note("Ctrl-C stops it")
        ended, asked = asyncio.ensure_future(exchange.finished()), asyncio.ensure_future(stopped.wait())
        await asyncio.wait((ended, asked), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if ended.done():
            ended.result()
        ended.cancel()


def _write_keys(path: Path, exchange: Sandbox, made: list[Credentials]) -> None:
    """The fresh keys in a file of their owner's."""
    rows = {one.kind.lower(): {"api_key": one.api_key, "secret": one.secret, "account": one.account} for one in made}
    urls = {"rest_url": exchange.rest_url, "stream_url": exchange.stream_url, "api_url": exchange.api_url}
    text = json.dumps({**urls, "keys": rows, "control_token": exchange.control_token}, indent=2)
    try:
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text + "\n")
        fresh.replace(path)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise exception("unreadable_file", message, "name another with --keys") from error
