"""Specifications of instruments: packaged and dated ones, and those in a user's file."""

from tradewind.instruments.fields import InstrumentFields
from tradewind.instruments.packaged import load, load_file, names

__all__ = ["InstrumentFields", "load", "load_file", "names"]
