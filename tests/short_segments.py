"""The command, where a segment may span a second: nobody waits minutes for a test."""

from tradewind.cli import main
from tradewind.config import operation

if __name__ == "__main__":
    operation.SHORTEST_SEGMENT = "1s"
    main()
