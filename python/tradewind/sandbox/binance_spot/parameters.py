"""The parameters of a request, read as strictly as Binance reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tradewind.sandbox import units
from tradewind.sandbox.binance_spot.failure import Failure, illegal, mandatory, precise

_SYMBOL = re.compile(r"[\w\-.&]{1,50}\Z")
_SYMBOL_RANGE = r"^[\\w\\-._&&[^a-z]]{1,50}$"
_CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_.:/]{1,36}\Z", re.ASCII)
_CLIENT_ID_RANGE = "^[a-zA-Z0-9-_]{1,36}$"
_AMOUNT_RANGE = "^([0-9]{1,20})(\\.[0-9]{1,20})?$"
_INTEGER = re.compile(r"[0-9]{1,19}\Z", re.ASCII)
_INTEGER_RANGE = "^[0-9]{1,20}$"
_LOWER = re.compile(r"[a-z]", re.ASCII)
_PERMISSIONS = re.compile(r'(?:[A-Z0-9_]+|\["[A-Z0-9_]+"(?:,"[A-Z0-9_]+")*\])\Z')
_SYMBOL_STATUSES = ("TRADING", "END_OF_DAY", "HALT", "BREAK", "CANCEL_ONLY")
_LARGEST_INTEGER = 2**63 - 1

# A time of more digits than milliseconds have until the year 2286 is in microseconds.
_LARGEST_MS = 10**13


class Parameters:
    """What was sent; what nobody reads is an error in the end."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._read: set[str] = set()

    def replace(self, name: str, change: Callable[[str], str]) -> None:
        """Change a value that was sent, as a fault wants it."""
        if name in self._values:
            self._values = {**self._values, name: change(self._values[name])}

    def has(self, name: str) -> bool:
        """Whether a value was sent."""
        return name in self._values

    def text(self, name: str) -> str | None:
        """A value, if it was sent."""
        self._read.add(name)
        value = self._values.get(name)
        if value == "":
            raise Failure(-1105, f"Parameter '{name}' was empty.")
        return value

    def needed(self, name: str) -> str:
        """A value that must be there."""
        self._read.add(name)
        value = self._values.get(name)
        if not value:
            raise mandatory(name)
        return value

    def symbol(self, name: str = "symbol") -> str:
        """The name of a symbol that must be there."""
        return self._symbol(name, self.needed(name))

    def optional_symbol(self) -> str | None:
        """The name of a symbol, if it was sent."""
        value = self.text("symbol")
        return None if value is None else self._symbol("symbol", value)

    @staticmethod
    def _symbol(name: str, value: str) -> str:
        if not _SYMBOL.match(value) or _LOWER.search(value):
            raise illegal(name, _SYMBOL_RANGE)
        return value

    def amount(self, name: str) -> int | None:
        """A price or quantity in units of 1e-8."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return units.parse(value)
        except units.TooPreciseError:
            raise precise(name) from None
        except ValueError:
            raise illegal(name, _AMOUNT_RANGE) from None

    def positive_amount(self, name: str) -> int | None:
        """A price or quantity above zero, if it was sent."""
        amount = self.amount(name)
        if amount == 0:
            raise Failure(-1013, f"Invalid {name}.")
        return amount

    def needed_amount(self, name: str) -> int:
        """A price or quantity that must be there and above zero."""
        self.needed(name)
        amount = self.positive_amount(name)
        assert amount is not None
        return amount

    def integer(self, name: str) -> int | None:
        """A whole number, if it was sent."""
        value = self.text(name)
        if value is None:
            return None
        if not _INTEGER.match(value):
            raise illegal(name, _INTEGER_RANGE)
        number = int(value)
        if number > _LARGEST_INTEGER:
            raise Failure(-1108, f"Parameter '{name}' overflowed.")
        return number

    def time_ms(self, name: str) -> int | None:
        """A time in milliseconds; microseconds are understood too."""
        value = self.integer(name)
        return value // 1_000 if value is not None and value > _LARGEST_MS else value

    def limit(self, default: int, maximum: int) -> int:
        """How many rows are asked for; more than there may be gives as many as there may be."""
        value = self.integer("limit")
        if value is None:
            return default
        if value == 0:
            raise mandatory("limit")
        return min(value, maximum)

    def choice(self, name: str, known: tuple[str, ...], default: str) -> str:
        """One of several words."""
        value = self.text(name)
        if value is None:
            return default
        if value not in known:
            raise mandatory(name)
        return value

    def client_id(self, name: str) -> str | None:
        """A client's own id of an order."""
        value = self.text(name)
        if value is not None and not _CLIENT_ID.match(value):
            raise illegal(name, _CLIENT_ID_RANGE)
        return value

    def flag(self, name: str) -> bool | None:
        """True or false, if it was sent."""
        value = self.text(name)
        if value is None:
            return None
        if value.lower() not in ("true", "false"):
            raise mandatory(name)
        return value.lower() == "true"

    def symbols(self) -> list[str] | None:
        """A list of symbols in JSON, if it was sent."""
        value = self.text("symbols")
        if value is None:
            return None
        if not re.fullmatch(r'\[("[^"]{1,50}"(,"[^"]{1,50}")*)?\]', value):
            raise illegal("symbols", r"^\\[\"[\\w\\-._&&[^a-z]]{1,50}\"(,\"[\\w\\-._&&[^a-z]]{1,50}\"){0,}\\]$")
        names = re.findall(r'"([^"]+)"', value)
        if len(set(names)) < len(names):
            raise Failure(-1151, "Symbol is present multiple times in the list.")
        return [self._symbol("symbols", name) for name in names]

    def permissions(self) -> list[str] | None:
        """One permission or a list of them in JSON, if it was sent."""
        value = self.text("permissions")
        if value is None:
            return None
        if not _PERMISSIONS.match(value):
            raise Failure(-1130, "Data sent for parameter 'permissions' is not valid.")
        return re.findall(r"\w+", value)

    def symbol_status(self) -> str | None:
        """The state that symbols shall be in, if it was sent."""
        value = self.text("symbolStatus")
        if value is not None and value not in _SYMBOL_STATUSES:
            raise Failure(-1122, "Invalid symbolStatus.")
        return value

    def ignore(self, *names: str) -> None:
        """Count parameters as read that are for somebody else."""
        self._read.update(names)

    def finish(self) -> None:
        """Refuse what nobody read."""
        sent = len(self._values)
        read = sum(name in self._read for name in self._values)
        if read == sent:
            return
        if not read:
            raise Failure(-1101, f"Too many parameters; expected '0' and received '{sent}'.")
        raise Failure(-1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.")
