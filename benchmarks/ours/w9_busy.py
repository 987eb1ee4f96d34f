"""W9 in a session that waits busily (`[run] busy_wait`): see `w9.py`."""

from __future__ import annotations

from w9 import main

if __name__ == "__main__":
    main(is_busy=True)
