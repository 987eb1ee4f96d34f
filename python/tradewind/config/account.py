"""An account at a venue: what it starts with, what of it is adopted, and where its keys are."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from tradewind.config.base import (
    Amount,
    InstrumentName,
    Name,
    PathText,
    Positive,
    Section,
    StrategyName,
    Text,
    Whole,
    mistake,
)


def _variable(text: str) -> str:
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,99}", text):
        hint = 'export BINANCE_KEY=... in the shell, and write key_variable = "BINANCE_KEY" here'
        raise mistake("bad_setting", "is not the name of an environment variable in capitals (not shown)", hint)
    return text


def _is_a_path(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9+=_-]{32,}", text):
        hint = "write the secret into a file of your own (chmod 600), and its path here"
        raise mistake("bad_setting", "looks like a secret and not like a path (not shown)", hint)
    return text


Variable = Annotated[str, AfterValidator(_variable)]


class Credentials(Section):
    """Where the keys of an account are; they are never in this file. Either two variables or a file."""

    key_variable: Variable | None = None
    """The environment variable that holds the API key, such as "BINANCE_KEY"."""
    secret_variable: Variable | None = None
    """The environment variable that holds the secret: an HMAC secret, or a private key (RSA or Ed25519) in PEM."""
    file: Annotated[PathText, AfterValidator(_is_a_path)] | None = None
    """A file that only its owner can read (chmod 600), TOML with `api_key` and `secret`, or the file of keys that
    `tradewind sandbox` writes."""

    @model_validator(mode="after")
    def _is_one_way(self) -> Credentials:
        variables = (self.key_variable, self.secret_variable)
        if (self.file is None) == (variables == (None, None)) or (self.file is None and None in variables):
            hint = "state key_variable and secret_variable, or file"
            raise mistake("missing_setting", "credentials are named in one way of two", hint)
        return self


class Adoption(Section):
    """A holding that is there at the first start and belongs to a strategy from then on, with its cost (M3)."""

    strategy: StrategyName
    """The strategy. Required."""
    instrument: InstrumentName
    """The instrument, which is spot so far. Required."""
    quantity: Positive
    """How much of it. Required."""
    cost: Amount
    """What all of it has cost, in the quote asset; profit counts from there. Required."""


class Account(Section):
    """An account at a venue. There is one for each venue so far."""

    venue: Name
    """The venue. Required."""
    balances: dict[Text, Amount] = Field(default_factory=dict)
    """What backtest and paper start with, by asset: { USDT = "10000" }; live asks the venue. Default: nothing."""
    leverage: Annotated[Whole, Field(gt=0, le=1000)] | None = None
    """The leverage of perpetuals. Default: the highest that the instrument allows."""
    credentials: Credentials | None = None
    """Where the keys are: { key_variable = "NAME", secret_variable = "NAME" } or { file = "PATH" }. Required for
    live."""
    adopt: tuple[Adoption, ...] = ()
    """Paper and live: holdings that strategies take over at the first start; all others belong to no strategy. Default:
    none."""
