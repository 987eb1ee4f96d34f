"""A small client of our own, which signs as the venue's documentation says."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding
from patience import PATIENCE_SECONDS

from tradewind.sandbox import Credentials, Sandbox


def signed(credentials: Credentials, payload: bytes) -> str:
    """The signature of a payload."""
    if credentials.kind == "HMAC":
        return hmac.new(credentials.secret.encode(), payload, hashlib.sha256).hexdigest()
    private: Any = serialization.load_pem_private_key(credentials.secret.encode(), None)
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return base64.b64encode(private.sign(payload)).decode()
    return base64.b64encode(private.sign(payload, padding.PKCS1v15(), hashes.SHA256())).decode()


class Client:
    """REST and WebSocket API, for one key."""

    def __init__(self, sandbox: Sandbox, credentials: Credentials, http: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.credentials = credentials
        self.http = http
        self.headers: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []
        """Errors that answer no request."""
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def get(self, path: str, **values: Any) -> tuple[int, Any]:
        """A public request."""
        return await self.send("GET", f"{path}?{urlencode(values)}" if values else path)

    async def send(self, verb: str, path: str, body: str | None = None, key: str | None = None) -> tuple[int, Any]:
        """A request as it is."""
        from yarl import URL

        headers = {"X-MBX-APIKEY": key} if key is not None else {}
        url = URL(f"{self.sandbox.rest_url}{path}", encoded=True)
        async with self.http.request(verb, url, data=body, headers=headers) as answer:
            self.headers = dict(answer.headers)
            text = await answer.read()
            return answer.status, msgspec.json.decode(text)

    async def ask(self, verb: str, path: str, **values: Any) -> tuple[int, Any]:
        """A signed request."""
        query = urlencode({**values, "timestamp": values.get("timestamp", int(time.time() * 1_000))})
        signature = urlencode({"signature": signed(self.credentials, query.encode())})
        return await self.send(verb, f"/api/v3/{path}?{query}&{signature}", key=self.credentials.api_key)

    async def open(self) -> None:
        """Connect to the WebSocket API."""
        self._socket = await self.http.ws_connect(self.sandbox.api_url)
        self._reader = asyncio.create_task(self._read(self._socket))

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            value = msgspec.json.decode(message.data)
            if value.get("id", 0) is None:
                self.notices.append(value)
            elif "id" in value:
                self._answers.pop(value["id"]).set_result(value)
            else:
                self.events.append(value)

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A request on the WebSocket API, as it is."""
        assert self._socket is not None
        number = next(self._ids)
        self._answers[number] = asyncio.get_running_loop().create_future()
        future = self._answers[number]
        await self._socket.send_json({"id": number, "method": method, "params": params})
        return await asyncio.wait_for(future, PATIENCE_SECONDS)

    async def call_signed(self, method: str, **params: Any) -> dict[str, Any]:
        """A signed request on the WebSocket API."""
        values = {**params, "apiKey": self.credentials.api_key, "timestamp": int(time.time() * 1_000)}
        payload = "&".join(f"{name}={values[name]}" for name in sorted(values))
        return await self.call(method, **values, signature=signed(self.credentials, payload.encode()))

    async def event(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event like that."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for event in self.events:
                    if wanted(event["event"]):
                        found: dict[str, Any] = event["event"]
                        return found
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Disconnect."""
        if self._socket is not None and self._reader is not None:
            await self._socket.close()
            await self._reader
