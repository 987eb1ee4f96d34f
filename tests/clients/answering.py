"""The other end of `driver`: a script in the clients' environment that does what it is asked.

The first line of input says where the exchange is and which key to use; each further one names a call. An answer is a
line of JSON: ``ok`` with the value, ``absent`` where the client has no such call, ``refused`` with the client's
exception and the exchange's code, or ``failed``. What the client is pushed is a line with ``push``, at any time.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any


class AbsentError(Exception):
    """The client does not offer that."""


def push(name: str, value: Any) -> None:
    """Hand on what the client was pushed."""
    _write({"push": name, "value": value})


def _write(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


def serve(make: Callable[[dict[str, Any]], Any], refusal: Callable[[Exception], tuple[str, int] | None]) -> None:
    """Answer until the input ends; the client is an object with a method for each call."""
    asyncio.run(_serve(make, refusal))


async def _serve(make: Callable[[dict[str, Any]], Any], refusal: Callable[[Exception], tuple[str, int] | None]) -> None:
    loop = asyncio.get_running_loop()
    client = make(json.loads(await loop.run_in_executor(None, sys.stdin.readline)))
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        _write(await _answer(client, asked["call"], asked["arguments"], refusal))
    if hasattr(client, "close"):
        await client.close()


async def _answer(
    client: Any, call: str, arguments: dict[str, Any], refusal: Callable[[Exception], tuple[str, int] | None]
) -> dict[str, Any]:
    method = getattr(client, call, None)
    if method is None:
        return {"absent": ""}
    try:
        value = method(**arguments)
        return {"ok": await value if inspect.isawaitable(value) else value}
    except AbsentError as error:
        return {"absent": str(error)}
    except Exception as error:
        if (refused := refusal(error)) is not None:
            return {"refused": refused}
        return {"failed": "".join(traceback.format_exception(error))[-1_500:]}
