"""The command line. Data go to the standard output; progress, logs and errors to the standard error."""

from tradewind.cli.app import app, main, run

__all__ = ["app", "main", "run"]
