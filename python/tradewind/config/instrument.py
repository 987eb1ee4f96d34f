"""Instruments that are traded: packaged ones, and those that the file describes."""

from __future__ import annotations

import inspect
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from pydantic import create_model
from pydantic.fields import FieldInfo

from tradewind.config.base import Amount, Fraction, PathText, Positive, Section
from tradewind.instruments import InstrumentFields, packaged

if TYPE_CHECKING:
    from tradewind.config.data import Locate
    from tradewind.config.venue import Fees


class Specified(Section):
    """An instrument, by its name venue:symbol. A packaged one needs no keys; a stated key replaces what it says."""

    file: PathText | None = None
    """A TOML file with its specification. Default: the packaged specification, where there is one."""

    def fields(self, name: str, fees: Fees, locate: Locate) -> InstrumentFields:
        """The specification: that of the file or the package, with the venue's fees and the keys that are stated."""
        venue, _, symbol = name.partition(":")
        own: dict[str, Any] = self.model_dump(exclude={"file"}, exclude_unset=True, exclude_none=True)
        base = self._base(name, locate)
        mine = {f"{side}_fee": fee for side in ("maker", "taker") if (fee := getattr(fees, side)) is not None}
        if not own and not mine and (base["venue"], base["symbol"]) == (venue, symbol):
            return InstrumentFields(**base)
        if base.keys() > {"venue", "symbol"}:
            changed = ", ".join(sorted(mine | own))
            base["source"] = f"{base['source']}; the system file: {changed}"
        return InstrumentFields(**base | mine | own | {"venue": venue, "symbol": symbol})

    def _base(self, name: str, locate: Locate) -> dict[str, Any]:
        if self.file is not None:
            return packaged.load_file(locate(self.file)).model_dump()
        if name in packaged.names():
            return packaged.load(name).model_dump()
        if not self.model_fields_set:
            raise packaged.not_packaged(name, 'name it: file = "FILE.toml"')
        venue, _, symbol = name.partition(":")
        return {"venue": venue, "symbol": symbol}


def _described(cls: type) -> dict[str, str]:
    """What the docstring of a class says about each of its parameters."""
    text = inspect.getdoc(cls) or ""
    section = text.partition("Parameters\n----------\n")[2].partition("\nExamples\n")[0]
    found: dict[str, str] = {}
    for names, body in re.findall(r"^(\w[\w, ]*)\n((?:    .*\n?)+)", section, re.MULTILINE):
        found |= dict.fromkeys(re.split(r",\s*", names), " ".join(body.split()))
    return found


def _field(name: str) -> tuple[Any, Any]:
    annotation = InstrumentFields.model_fields[name].annotation
    kinds: dict[Any, Any] = {Decimal: Amount}
    kind = kinds.get(annotation, annotation)
    if name in ("tick", "lot", "multiplier", "initial_margin", "maintenance_margin"):
        kind = Positive
    elif name.endswith("_fee"):
        kind = Fraction
    text = f"{_DESCRIPTIONS[name]} Default: that of the file or the packaged specification."
    return Optional[kind], FieldInfo(default=None, description=text)  # noqa: UP045 - a type of the run time


_DESCRIPTIONS = _described(InstrumentFields)
_KEYS = {name: _field(name) for name in InstrumentFields.model_fields if name not in ("venue", "symbol")}

if TYPE_CHECKING:
    Instrument = Specified
else:
    Instrument = create_model("Instrument", __base__=Specified, __doc__=Specified.__doc__, **_KEYS)
