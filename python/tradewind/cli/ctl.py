"""``tradewind ctl``: a running session is steered from outside."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from cyclopts import App, Parameter
from rich.console import Console

from tradewind._core import error_codes
from tradewind.cli.screen import note, show_json
from tradewind.control import Control, Done
from tradewind.control.status import OrderStatus
from tradewind.control.view import rendered
from tradewind.errors import exception

_HELP = ("--help", "-h")

actions = App(
    name="tradewind ctl RUN_FOLDER",
    default_parameter=Parameter(negative=(), show_default=False),
    result_action="return_value",
)
# The folder comes before the command, so that help is asked for behind both.
actions.meta.help_flags = ()
_Session = Annotated[Control, Parameter(parse=False)]
_Json = Annotated[bool, Parameter(help="Print the answer as JSON.")]
_Token = Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]


@actions.meta.default
def ctl(run_folder: Annotated[str, Parameter(allow_leading_hyphen=True)] = "", /, *tokens: _Token) -> Any:
    """Steer a running session, which is found by the folder of its run.

    Every change is an input in the session's journal, and in there before it is answered. For example:

    ```
    tradewind ctl runs/demo/paper status
    tradewind ctl runs/demo/paper trading off
    tradewind ctl runs/demo/paper open cross binance_spot:BTCUSDT buy 0.01 --price 60000
    ```

    Parameters
    ----------
    run_folder
        The folder of the run, such as runs/demo/paper.

    """
    wanted = [token for token in tokens if token not in _HELP]
    if run_folder in ("", *_HELP) or len(wanted) < len(tokens) or not wanted:
        actions.help_print(wanted)
        return 0
    command, bound, _ = actions.parse_args(wanted, exit_on_error=False, print_error=False)
    bound.arguments["session"] = Control(run_folder)
    return command(*bound.args, **bound.kwargs)


@actions.command
def status(*, json: _Json = False, session: _Session) -> None:
    """Say how the session is: positions, orders, profit, latency, health."""
    found = session.status()
    if json:
        show_json(found)
    else:
        Console(highlight=False).print(rendered(found))


@actions.command
def value(name: str, value: str, /, *, text: bool = False, json: _Json = False, session: _Session) -> None:
    """Send a value from outside to the strategies that named its stream.

    Parameters
    ----------
    name
        The stream.
    value
        A number, any JSON, or else a text.
    text
        Send what is written as a text, whatever it looks like: NaN, too, which is refused as a number.

    """
    done = session.value(name, value if text else _plain(name, value))
    if done.strategies:
        _say(done, f"{name} went to {', '.join(done.strategies)}", json=json)
    else:
        _say(done, f"{name} is in the journal; no strategy named it in on_start", json=json)


@actions.command
def trading(switch: Literal["on", "off"], /, *, json: _Json = False, session: _Session) -> None:
    """Allow strategies to open positions, or let them only reduce."""
    _say(session.trading(switch == "on"), f"trading is {switch}", json=json)


@actions.command
def cancel(
    *,
    strategy: str | None = None,
    instrument: str | None = None,
    order: int | None = None,
    json: _Json = False,
    session: _Session,
) -> None:
    """Cancel open orders: all, or those of a filter.

    Parameters
    ----------
    strategy
        Only those of this strategy.
    instrument
        Only those in this instrument.
    order
        Only this one, by its number as status shows it.

    """
    done = session.cancel(strategy=strategy, instrument=instrument, order=order)
    _say(done, f"cancelling {_listed([f'#{number}' for number in done.orders or ()], 'no order')}", json=json)


@actions.command
def close(*, strategy: str | None = None, instrument: str | None = None, json: _Json = False, session: _Session) -> int:
    """Cancel orders and close positions at the market: all, or those of a filter.

    Parameters
    ----------
    strategy
        Only those of this strategy.
    instrument
        Only those in this instrument.

    """
    done = session.close(strategy=strategy, instrument=instrument)
    held = [f"{instrument} of {owner}" for owner, instrument in done.positions or ()]
    refused = [f"{one.instrument} of {one.strategy} stays: its {_told(one)}" for one in done.refused or ()]
    closing = [f"closing {_listed(held, 'no position')}"] if held or not refused else []
    _say(done, "\n".join([*closing, *refused]), json=json)
    return int(bool(refused))


@actions.command
def open(
    strategy: str,
    instrument: str,
    side: Literal["buy", "sell"],
    quantity: str,
    /,
    *,
    price: str | None = None,
    time_in_force: Literal["gtc", "ioc", "post_only"] = "gtc",
    json: _Json = False,
    session: _Session,
) -> int:
    """Open an order in the name of a strategy; risk looks at it as at any other.

    Parameters
    ----------
    strategy
        Whose order it is.
    instrument
        What is traded.
    side
        Whether it buys or sells.
    quantity
        How much.
    price
        The limit; at the market where there is none.
    time_in_force
        How long it stands.

    """
    done = session.open(strategy, instrument, side, quantity, price=price, time_in_force=time_in_force)
    order = done.order
    if order is None:
        _say(done, "the order has gone its way", json=json)
        return 0
    _say(done, _told(order), json=json)
    return int(order.status == "rejected")


@actions.command(name="set")
def set_parameter(
    strategy: str, name: str, value: str, /, *, text: bool = False, json: _Json = False, session: _Session
) -> None:
    """Set a parameter of a strategy while it runs.

    It acts where a callback reads it, self.NAME, from then on, and the answer says which do. One that on_start alone
    reads, such as the period of an indicator, has no effect: write it into the system file, for the next run.

    Parameters
    ----------
    strategy
        Whose parameter it is.
    name
        Which.
    value
        What it becomes: a number, any JSON, or else a text.
    text
        Take what is written as a text, whatever it looks like.

    """
    done = session.set_parameter(strategy, name, value if text else _plain(f"{strategy}: {name}", value))
    if done.is_taken:
        _say(done, f"{strategy}: {name} = {value}{effect(done.readers or [])}", json=json)
    else:
        own = "the strategy's own set_parameter was given that, and did not pass it to super().set_parameter"
        _say(done, f"{strategy}: {name} is not {value}: {own}", json=json)


@actions.command
def stop(*, json: _Json = False, session: _Session) -> None:
    """End the session in order, as Ctrl-C does."""
    _say(session.stop(), "the session is ending; its own terminal says how it went", json=json)


def effect(readers: list[str]) -> str:
    """What becomes of a parameter that was set, by who reads it."""
    live = [name for name in readers if name != "on_start"]
    if live:
        return f", which {', '.join(live)} {'reads' if len(live) == 1 else 'read'}"
    if readers:
        return "; it has no effect in this run: only on_start reads it, so write it into the system file for the next"
    return "; it has no effect: no callback reads it"


def _say(done: Done, text: str, *, json: bool) -> None:
    if json:
        show_json(done)
    else:
        print(text)
        note(f"in the journal up to entry {done.sequence:,}")


def _told(order: OrderStatus) -> str:
    """What became of an order at once."""
    why = "" if order.reason is None else f" [{order.reason}]: {order.note or dict(error_codes())[order.reason]}"
    return f"order #{order.number} is {order.status.replace('_', ' ')}{why}"


def _plain(name: str, text: str) -> Any:
    """What is written, as JSON where it is that.

    A number or a table that is miswritten is not meant as a text: a strategy that counts with it would fail.
    """
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if _is_number(text):
            hint = "write a finite number as JSON has it, such as 0.5; --text sends it as a text"
            raise exception("not_a_number", f"{name}: {text} is not a number of JSON", hint) from None
        if text.lstrip().startswith(("{", "[", '"')):
            message = f"{name}: {text} begins as JSON and is none: {error}"
            raise exception("wrong_type", message, "put it right; --text sends it as a text") from None
        return text


def _is_number(text: str) -> bool:
    """Whether it is one to Python: NaN and infinity are."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _listed(names: list[str], none: str) -> str:
    return ", ".join(names) or none
