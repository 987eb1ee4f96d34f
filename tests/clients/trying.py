"""One client's way through all that is asked of it, at an exchange of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import course
import pushes
from agreement import WrongError
from clients import Client
from driver import AbsentError, Driver, RefusedError
from exchange import Exchange
from installing import FOLDER

_SANDBOX = (sys.executable, "-m", "tradewind")


@dataclass(frozen=True)
class Outcome:
    """What came of a row: whether it is right, and a word on it where it is not."""

    kind: Literal["ok", "absent", "failed"]
    text: str = ""


Outcomes = dict[tuple[str, str], Outcome]


def attempt(act: Callable[[], Any]) -> Outcome:
    """What comes of a row."""
    try:
        act()
    except AbsentError as error:
        return Outcome("absent", str(error))
    except (WrongError, RefusedError) as error:
        return Outcome("failed", str(error))
    except Exception as error:  # a row that fails must not hide the others
        last = (str(error).strip().splitlines() or ["no word why"])[-1]
        return Outcome("failed", f"{type(error).__name__}: {last}")
    return Outcome("ok")


def run(client: Client, start: tuple[list[str], Path]) -> Outcomes:
    """Let a client do everything; the outcome by table and row."""
    folder = FOLDER / "run" / client.script.partition(".")[0]
    folder.mkdir(parents=True, exist_ok=True)
    command, scripts = start
    with Exchange(_SANDBOX, folder) as exchange:
        setting = {
            "rest_url": exchange.rest_url,
            "stream_url": exchange.stream_url,
            "api_url": exchange.api_url,
            "key": exchange.keys[client.key]["api_key"],
            "secret": exchange.keys[client.key]["secret"],
            "kind": client.key,
            "snippets": {name: exchange.snippet(name) for name in ("ccxt", "python-binance")},
        }
        with Driver([*command, str(scripts / client.script)], setting, folder / "errors.txt") as driver:
            return _rows(client, exchange, driver)


def _rows(client: Client, exchange: Exchange, driver: Driver) -> Outcomes:
    found: Outcomes = {}
    watch = pushes.Watch(exchange, driver, client.words) if client.is_pushed else None
    maker = exchange.fill_one()
    with exchange.quiet():
        way = course.Course(exchange, driver, client.words, maker)
        for name, call in course.ROWS.items():
            found["calls", name] = attempt(lambda call=call: call(way))
            way.tidy()
        if watch is not None:
            for name, push in pushes.ROWS.items():
                found["pushes", name] = attempt(lambda push=push: push(watch))
    return found
