"""The command: bots at a server, until SIGTERM, SIGINT, or the end of standard input where that is asked for.

What goes wrong is said on standard error, a line each; with nothing wrong it is silent.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
from pathlib import Path

from client.bots import crowd
from client.bots.accounts import MOST, Accounts


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m client.bots", description="Walkers that move and chat like people, around the origin."
    )
    parser.add_argument("origin", help="of the server: http://localhost:8000")
    parser.add_argument("count", type=int, choices=range(1, MOST + 1), metavar="count", help=f"1 to {MOST}")
    parser.add_argument("accounts", type=Path, help="the file that their accounts are kept in")
    parser.add_argument(
        "--until-stdin-ends",
        action="store_true",
        help="leave when standard input ends, as it does when the process that holds it is gone, however it went",
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        accounts = Accounts(options.accounts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"the accounts in {options.accounts} cannot be read: {error}")
    asyncio.run(_live(options, accounts))


async def _live(options: argparse.Namespace, accounts: Accounts) -> None:
    leaving = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leaving.set)

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            leaving.set()

    if options.until_stdin_ends:
        loop.add_reader(sys.stdin.fileno(), read)
    await crowd.live(options.origin, options.count, accounts, random.Random(), leaving)


if __name__ == "__main__":
    main()
