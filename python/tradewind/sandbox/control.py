"""The control interface: accounts and faults over HTTP, for who has the token."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from tradewind.errors import TradewindError
from tradewind.sandbox.faults import Schedule

if TYPE_CHECKING:
    from tradewind.sandbox.server import Server


def handle(server: Server, verb: str, path: str, body: str, authorization: str) -> tuple[int, bytes]:
    """Answer a control request: ``/control/faults``, ``/control/faults/NAME``, ``/control/schedule``."""
    if not secrets.compare_digest(authorization.encode(), f"Bearer {server.control_token}".encode()):
        return 401, b'{"error":"the token is missing or wrong"}'
    try:
        given = msgspec.json.decode(body or "{}", type=dict[str, Any])
        return 200, msgspec.json.encode(_answer(server, verb, path.removeprefix("/control/").split("/"), given))
    except TradewindError as error:
        return 400, msgspec.json.encode({"error": str(error)})
    except (msgspec.DecodeError, TypeError, ValueError, KeyError) as error:
        return 400, msgspec.json.encode({"error": f"{type(error).__name__}: {error}"})


def _answer(server: Server, verb: str, parts: list[str], given: dict[str, Any]) -> Any:
    match verb, parts:
        case "GET", ["faults"]:
            return server.faults.listed()
        case "POST", ["faults", name]:
            server.faults.on(name, **given)
        case "DELETE", ["faults", name]:
            server.faults.off(name)
        case "DELETE", ["faults"]:
            server.faults.clear()
        case "POST", ["schedule"]:
            server.faults.schedule(Schedule.read(given))
        case _:
            raise ValueError(f"{verb} {'/'.join(parts)} is not known")
    return {}
