"""The control interface: accounts and faults over HTTP, for who has the token."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from tradewind.errors import TradewindError, exception
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
    except msgspec.DecodeError as error:
        told = exception("wrong_type", f"the body is not a JSON object: {error}", "send an object, such as {}")
        return 400, msgspec.json.encode({"error": str(told)})


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
            message = f"{verb} /control/{'/'.join(parts)} is not known"
            raise exception("bad_setting", message, "there are faults, faults/NAME and schedule")
    return {}
