"""`python -m tests.counterpart [--port N] [--home FOLDER]`: Telegram on this machine, for a try.

Put the two lines it prints into the environment of `coach run`, then speak by HTTP:
`curl -d '{"text": "/start"}' ADDRESS/people/Ana/says`, `curl ADDRESS/people/Ana`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from pathlib import Path

from tests.counterpart.server import serve_alone

if __name__ == "__main__":
    asking = argparse.ArgumentParser(prog="python -m tests.counterpart")
    asking.add_argument("--port", type=int, default=0)
    asking.add_argument("--home", type=Path)
    given = asking.parse_args()
    ledger = given.home / "counterpart.json" if given.home else None
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve_alone(given.port, ledger))
