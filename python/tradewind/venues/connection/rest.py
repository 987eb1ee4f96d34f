"""Requests over HTTP, within a venue's limits; only what is safe to repeat is tried again."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode
from weakref import WeakValueDictionary

import aiohttp
import msgspec

from tradewind.errors import TradewindError, exception
from tradewind.venues.connection.backoff import Backoff
from tradewind.venues.connection.clock import VenueClock
from tradewind.venues.connection.failures import failure

_Answer = TypeVar("_Answer")
_MISREAD = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, msgspec.MsgspecError)
_ATTEMPTS = 5
_FAR_NS = 1_000_000_000
_TIMEOUT_SECONDS = 10.0
_LARGEST_BODY = 64 << 20
_SERVER_ERROR, _TOO_MANY, _BANNED = 500, 429, 418
_LONGEST_PAUSE_SECONDS = 3 * 86_400.0  # Binance bans for three days at most: what is longer is misread
_SHARE = 0.9  # of the limit, which others on the same address use too
_PATIENT_SHARE = 0.5  # of that, for what can wait: questions about orders find room beside it


class VenueError(TradewindError):
    """A venue's answer that refuses a request, with its own number for the reason."""

    def __init__(self, code: str, message: str, hint: str = "", *, status: int = 0, number: int = 0) -> None:
        super().__init__(code, message, hint)
        self.status = status
        self.number = number


class Allowance:
    """What a venue allows this address, whichever of our clients asks.

    Parameters
    ----------
    weight_per_minute
        The limit.

    """

    def __init__(self, weight_per_minute: float) -> None:
        self._limit = weight_per_minute
        self._minute = 0
        self.paused_until = 0.0
        self.used_weight = 0

    def pause(self, seconds: float) -> None:
        """Ask nothing for so long, or for as long as a ban lasts at most."""
        self.paused_until = max(self.paused_until, time.monotonic() + min(seconds, _LONGEST_PAUSE_SECONDS))

    @property
    def pause_seconds(self) -> float:
        """For how long nothing may be asked yet."""
        return self.paused_until - time.monotonic()

    async def wait(self, weight: int, now_ns: Callable[[], int], share: float = 1.0) -> None:
        """Wait while the venue told us to, and for the next minute where this one's weight, or a share, is used up."""
        while True:
            now = time.monotonic()
            if self.paused_until > now:
                await asyncio.sleep(self.paused_until - now)
                continue
            minute, rest_ns = divmod(now_ns(), 60_000_000_000)
            if minute != self._minute:
                self._minute, self.used_weight = minute, 0
            if self.used_weight + weight <= self._limit * share or weight > self._limit * share:
                self.used_weight += weight
                return
            await asyncio.sleep((60_000_000_000 - rest_ns) / 1e9 + 0.05)


_allowances: WeakValueDictionary[str, Allowance] = WeakValueDictionary()
"""By address, for as long as somebody asks there."""


class Rest:
    """A client of one venue's REST interface.

    Parameters
    ----------
    url
        Where it is.
    weights
        What each path costs.
    patient
        Paths that leave room for others: they use half of the limit at most.
    weight_per_minute, weight_header
        The limit, and the header that tells how much of it is used.
    sign
        Adds what proves who asks: called with the parameters of a signed request, returns query and headers.
    ssl_context
        Whom to trust, where it is not the system's authorities.

    """

    def __init__(
        self,
        url: str,
        clock: VenueClock,
        *,
        weights: Mapping[str, int] | None = None,
        patient: Sequence[str] = (),
        weight_per_minute: int = 6_000,
        weight_header: str = "",
        sign: Callable[[dict[str, Any]], tuple[str, dict[str, str]]] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._clock = clock
        self._weights = weights or {}
        self._patient = frozenset(patient)
        self._header = weight_header
        self._sign = sign
        self._ssl: ssl.SSLContext | bool = True if ssl_context is None else ssl_context
        self._session: aiohttp.ClientSession | None = None
        self.allowance = _allowances.setdefault(self._url, Allowance(weight_per_minute * _SHARE))

    @property
    def used_weight(self) -> int:
        """How much of this minute's weight is used."""
        return self.allowance.used_weight

    async def close(self) -> None:
        """Close its connections."""
        # What asks meanwhile connects anew.
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(self, path: str, parameters: Mapping[str, Any] | None = None, *, is_signed: bool = False) -> Any:
        """Ask for JSON; tried again with back-off, because asking twice does no harm."""
        body = await self.get_bytes(path, parameters, is_signed=is_signed)
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise exception("bad_frame", f"{path}: no JSON in {body[:80]!r}") from error

    async def read(
        self,
        path: str,
        reader: Callable[[Any], _Answer],
        parameters: Mapping[str, Any] | None = None,
        *,
        is_signed: bool = False,
    ) -> _Answer:
        """Ask for JSON and read it."""
        return read_by(reader, path, await self.get(path, parameters, is_signed=is_signed))

    async def get_bytes(
        self, path: str, parameters: Mapping[str, Any] | None = None, *, is_signed: bool = False
    ) -> bytes:
        """Ask for a body as it is; tried again like `get`."""
        return await self._repeated("GET", path, parameters, is_signed)

    async def delete(self, path: str, parameters: Mapping[str, Any]) -> None:
        """Take back what is named, in the account's name; tried again, because taking back twice does no harm."""
        await self._repeated("DELETE", path, parameters, is_signed=True)

    async def _repeated(self, verb: str, path: str, parameters: Mapping[str, Any] | None, is_signed: bool) -> bytes:
        backoff = Backoff()
        for attempt in range(_ATTEMPTS):
            try:
                return await self._once(verb, path, dict(parameters or {}), is_signed)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                found = failure(error)
                unanswered: TradewindError = exception("unreachable", f"{self._url}{path}: {found.text}", found.hint)
                if found.is_lasting:
                    raise unanswered from error
            except VenueError as error:
                if error.status < _SERVER_ERROR and error.status != _TOO_MANY:
                    raise
                unanswered = error
            if attempt + 1 < _ATTEMPTS:
                await asyncio.sleep(backoff.next())
        raise unanswered

    async def observe_clock(self, path: str, times_ns: Callable[[Any], int], samples: int = 5) -> None:
        """Compare clocks: a few exchanges, of which the quickest counts; one that is far from the others is misread."""
        exchanges = []
        for _ in range(samples):
            sent_ns = self._clock.monotonic_ns()
            venue_ns = await self.read(path, times_ns)
            exchanges.append((sent_ns, venue_ns, self._clock.monotonic_ns()))
        offsets = sorted(venue_ns - received_ns for _, venue_ns, received_ns in exchanges)
        middle_ns = offsets[len(offsets) // 2]
        for sent_ns, venue_ns, received_ns in exchanges:
            if abs(venue_ns - received_ns - middle_ns) <= received_ns - sent_ns + _FAR_NS:
                self._clock.observe(sent_ns, venue_ns, received_ns)

    async def _once(self, verb: str, path: str, parameters: dict[str, Any], is_signed: bool) -> bytes:
        share = _PATIENT_SHARE if path in self._patient else 1.0
        # By the venue's minutes as they are: ours may stand still.
        await self.allowance.wait(self._weights.get(path, 20), lambda: self._clock.venue_ns, share)
        headers: dict[str, str] = {}
        query = urlencode(parameters, quote_via=quote)
        if is_signed:
            if self._sign is None:
                raise exception("bad_credentials", f"{path} needs credentials", "give credentials to the venue")
            query, headers = self._sign(parameters)
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS))
        url = f"{self._url}{path}" + (f"?{query}" if query else "")
        from yarl import URL  # noqa: PLC0415 - comes with aiohttp

        # A redirection is not followed: the key would go wherever it leads.
        async with self._session.request(
            verb, URL(url, encoded=True), headers=headers, ssl=self._ssl, allow_redirects=False
        ) as response:
            body = await _whole(path, response)
            self._account(response.headers)
            if response.status == 200:
                return body
            raise self._refusal(path, response, body)

    def _account(self, headers: Mapping[str, str]) -> None:
        used = headers.get(self._header, "") if self._header else ""
        if used.isdecimal():
            self.allowance.used_weight = int(used)

    def _refusal(self, path: str, response: aiohttp.ClientResponse, body: bytes) -> VenueError:
        number, message = 0, body[:200].decode(errors="replace")
        try:
            answer = msgspec.json.decode(body)
        except msgspec.DecodeError:
            answer = None  # a page of a proxy or firewall: its beginning is shown
        if isinstance(answer, dict):
            number, message = answer.get("code", 0), str(answer.get("msg", message))
        if response.status in (_TOO_MANY, _BANNED, 403):
            after = response.headers.get("Retry-After", "")
            stated = float(after) if after.isdecimal() else (600.0 if response.status == 403 else 60.0)
            wait = min(stated, _LONGEST_PAUSE_SECONDS)
            self.allowance.pause(wait)
            return VenueError(
                "rate_limited",
                f"{path}: HTTP {response.status}: {message}; nothing is asked for {wait:g} s",
                status=response.status,
                number=number,
            )
        code = "unreachable" if response.status >= _SERVER_ERROR else "venue_refused"
        return VenueError(
            code, f"{path}: HTTP {response.status}: {number} {message}", status=response.status, number=number
        )


def read_by(reader: Callable[[Any], _Answer], asked: str, answer: Any) -> _Answer:
    """Read an answer; what the reader does not find in it is an error of the venue's, not of ours."""
    try:
        return reader(answer)
    except TradewindError:
        raise
    except _MISREAD as error:
        shown = msgspec.json.encode(answer)[:120]
        raise exception("bad_frame", f"{asked}: {type(error).__name__} {error} in {shown!r}") from error


async def _whole(path: str, response: aiohttp.ClientResponse) -> bytes:
    """The body, which comes in pieces."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _LARGEST_BODY:
            raise exception("bad_frame", f"{path}: an answer of more than {_LARGEST_BODY >> 20} MiB")
    return bytes(body)
