"""Steering a session from another process."""

from __future__ import annotations

import contextlib
import http.client
import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from tradewind.control.commands import Done
from tradewind.control.door import Address
from tradewind.control.status import Status
from tradewind.errors import TradewindError, exception
from tradewind.journal.manifest import Manifest, decode_manifest

Answer = TypeVar("Answer")


class Control:
    """A running session, seen from another process on this machine.

    Parameters
    ----------
    folder
        The folder of its run, in which it says where it listens.
    url, token
        Where it listens and what it wants to see, in the place of a folder.
    timeout_seconds
        How long an answer is waited for. A change that the session could not look at before is not carried out.

    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        url: str = "",
        token: str = "",
        timeout_seconds: float = 10.0,
    ) -> None:
        if (folder is None) == (not url):
            raise exception("missing_setting", "Control needs the folder of a run, or a URL and a token")
        if folder is not None:
            address = Address.of(Path(folder))
            url, token = address.url, address.token
        self.url = url
        self._token = token
        self._place = str(folder or url)
        self._timeout = timeout_seconds

    def __repr__(self) -> str:
        return f"Control({self._place!r})"

    @property
    def headers(self) -> Mapping[str, str]:
        """What lets a request in."""
        return {"Authorization": f"Bearer {self._token}"}

    def status(self) -> Status:
        """How the session is."""
        return self._ask("GET", "/status", None, Status)

    def manifest(self) -> Manifest:
        """What decides the run."""
        return decode_manifest(self.url, self._body("GET", "/manifest", None))

    def value(
        self,
        name: str,
        value: Any,
        *,
        kind: Literal["number", "text", "json"] | None = None,
        time: datetime | None = None,
    ) -> Done:
        """Give strategies a value from outside (V2)."""
        _check_numbers(name, value)
        return self._change("/value", name=name, value=value, kind=kind, time=time)

    def trading(self, on: bool) -> Done:
        """Allow strategies to open positions, or not."""
        return self._change("/trading", on=on)

    def cancel(self, *, strategy: str | None = None, instrument: str | None = None, order: int | None = None) -> Done:
        """Cancel open orders: of a strategy, in an instrument, one alone, or all."""
        return self._change("/cancel", strategy=strategy, instrument=instrument, order=order)

    def close(self, *, strategy: str | None = None, instrument: str | None = None) -> Done:
        """Close positions at the market: of a strategy, in an instrument, or all."""
        return self._change("/close", strategy=strategy, instrument=instrument)

    def open(
        self,
        strategy: str,
        instrument: str,
        side: Literal["buy", "sell"],
        quantity: Decimal | float | str,
        *,
        price: Decimal | float | str | None = None,
        time_in_force: Literal["gtc", "ioc", "post_only"] = "gtc",
    ) -> Done:
        """Open an order in the name of a strategy."""
        return self._change(
            "/open",
            strategy=strategy,
            instrument=instrument,
            side=side,
            quantity=str(quantity),
            price=None if price is None else str(price),
            time_in_force=time_in_force,
        )

    def set_parameter(self, strategy: str, name: str, value: Any) -> Done:
        """Set a parameter of a strategy; the answer names its readers: if only `on_start` is one, it has no effect."""
        _check_numbers(f"{strategy}: {name}", value)
        return self._ask("POST", "/parameter", {"strategy": strategy, "name": name, "value": value}, Done)

    def stop(self) -> Done:
        """End the session in order."""
        return self._change("/stop")

    def _change(self, path: str, **body: Any) -> Done:
        stated = {name: value for name, value in body.items() if value is not None or name == "value"}
        return self._ask("POST", path, stated, Done)

    def _ask(self, verb: str, path: str, body: Any, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(self._body(verb, path, body), type=kind)
        except msgspec.DecodeError as error:
            raise exception("bad_frame", f"{self.url}{path} answered what cannot be read: {error}") from error

    def _body(self, verb: str, path: str, body: Any) -> bytes:
        parts = urlsplit(self.url)
        sent = None if body is None else msgspec.json.encode(body)
        headers = {**self.headers, **({} if sent is None else {"Content-Type": "application/json"})}
        opened = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self._timeout)
        with contextlib.closing(opened):
            try:
                opened.connect()
            except OSError as error:
                raise self._nobody(error) from error
            try:
                opened.request(verb, path, sent, headers)
                answer = opened.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                raise self._unanswered(verb, path, error) from error
        if answer.status != 200:
            raise _told(content, f"{self.url}{path} answered {answer.status}")
        return content

    def _nobody(self, error: Exception) -> TradewindError:
        hint = "it has ended, or was killed: the journal says how"
        return exception("not_running", f"{self._place}: nothing answers at {self.url}: {error}", hint)

    def _unanswered(self, verb: str, path: str, error: Exception) -> TradewindError:
        """What can be said of a request that went out."""
        is_late = isinstance(error, TimeoutError)
        how = f"did not answer within {self._timeout:g} s" if is_late else f"broke off without an answer: {error}"
        message = f"{self._place}: the session was asked for {path} and {how}"
        if verb != "GET":
            hint = "look at its status before you repeat it"
            return exception("unreachable", f"{message}; whether it was carried out is not known", hint)
        return exception("unreachable", message, "something holds it up") if is_late else self._nobody(error)


def _check_numbers(name: str, value: Any) -> None:
    """JSON has no NaN and no infinity: they would arrive as null."""
    waiting = [msgspec.to_builtins(value)]
    while waiting:
        match waiting.pop():
            case float() as number if not math.isfinite(number):
                hint = "leave it out, or send a text or null on purpose"
                raise exception("not_a_number", f"{name}: {number} in {value!r} is not a finite number", hint)
            case dict() as held:
                waiting += held.values()
            case list() | tuple() | set() | frozenset() as held:
                waiting += held


class Problem(msgspec.Struct, frozen=True):
    """What went wrong, as it is told to other programs."""

    code: str
    message: str
    hint: str = ""


def _told(content: bytes, otherwise: str) -> TradewindError:
    try:
        problem = msgspec.json.decode(content, type=Problem)
    except msgspec.DecodeError:
        return exception("bad_frame", otherwise, "is this a session's address?")
    return exception(problem.code, problem.message, problem.hint)
