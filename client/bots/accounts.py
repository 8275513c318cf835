"""Who the bots are: names for people, and a file with the accounts that were made, so that the same come back.

The file is JSON, for its owner alone (0600), as it holds passwords: random ones, one each. It belongs to one
server; where that does not know an account any more, another takes its place. Called by `crowd`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

from client.auth import Auth
from client.backoff import full_jitter
from client.bots.talking import SUFFIX, first_name
from client.errors import HereaboutsError

log = logging.getLogger("hereabouts.bots")

MOST: Final = 500  # bots: a quarter of the sockets that a server grants one address by default
OTHER_NAMES: Final = 100  # tried where a name is taken

_NAMES: Final = """
    Ada Bruno Clara Dario Edith Felix Greta Hugo Ines Jonas Kaia Leo Mira Nils Olive Pablo Quinn Rosa Samir Tilda
    Umar Vera Wanda Xenia Yara Zeno Alma Basil Cleo Dina Elio Flora Gaspar Hanna Ivo Juno Kasper Lina Milo Nora
    Otto Petra Rafael Selma Theo Ursula Viktor Wilma Yusuf Zora Amir Bea Cyrus Delia Emil Freya Goran Helga Igor
    Judith Kenji Lotte Marek Nadia Oscar Pia Remy Saskia Tomas Una Vito Willa Yann Zelda Anton Beatrix Carlo Dora
    Esra Fabian Gwen Henrik Isolde Janus Karim Luisa Magnus Nina Orla Priya Rufus Sofia Timo Ulla Vincent Wren
    Agnes Boris Celine Dmitri Elsa Fergus Gloria Hakim Iris Jasper Katja Liam Marta Noah Oona Pascal Rita Stefan
    Tessa Valentin Winnie Yasmin Zack Anouk Bjorn Cora Damian Eva Finn Gina Harald Ida Julius Kira Lorenz Maud
    Nico Odile Philip Romy Silas Thea Viola Walter Yuki Aron Birgit Conrad Daphne Edgar Fatima Gabriel Hedda
    Isaac Jana Kurt Lea Mateo Naomi Orson Paula Ramon Sara Tariq Veronica William Aisha Benno Carmen Diego
    Elena Franz Giulia Hassan Irma Joel Klara Lukas Malin Nelson Olga Pavel Ruth Simon Toni Vasco Astrid
    Balthasar Dagny Enzo Fanny Gregor Hilda Ilya Jorge Kamala Lars Minna Ngozi Pekka Rosalind Sven Tove
"""
NAMES: Final = tuple(_NAMES.split())


Done = TypeVar("Done")


async def patiently(request: Callable[[], Awaitable[Done]]) -> Done:
    """Makes a request until it succeeds or is refused for good, as seldom as the server asks for."""
    attempt = 0
    while True:
        try:
            return await request()
        except HereaboutsError as error:
            if not error.transient:
                raise
            wait = full_jitter(attempt)
            # Others were asked to come back at the same time.
            await asyncio.sleep(wait if error.retry_after is None else error.retry_after + wait)
            attempt += 1


class Accounts:
    def __init__(self, path: Path) -> None:
        """Raises OSError, or ValueError for a file that is none of ours."""
        self._path = path
        self._kept: dict[int, tuple[str, str]] = {}  # by number: username, password
        if path.exists():
            for number, account in enumerate(json.loads(path.read_text())["accounts"]):
                if account is not None:
                    self._kept[number] = account["username"], account["password"]

    async def sign_in(self, auth: Auth, number: int) -> None:
        """Signs in the bot of a number, whose account is made if there is none.

        Waits for as long as the server asks to. Raises HereaboutsError: for good.
        """
        if number in self._kept:
            try:
                await patiently(lambda: auth.login(*self._kept[number]))
                return
            except HereaboutsError as error:
                if error.code != "unauthorized":
                    raise
                log.warning("%s is not known here any more", self._kept.pop(number)[0])
        for username in _usernames(number):
            password = secrets.token_urlsafe(24)
            display_name = f"{first_name(username)} (bot)"
            try:
                await patiently(lambda: auth.register(username, password, display_name))  # noqa: B023
            except HereaboutsError as error:
                if error.code != "conflict":
                    raise
                continue  # somebody's already, or an answer was lost: then it is nobody's
            self._kept[number] = username, password
            self._save()
            return
        raise HereaboutsError("conflict", f"{OTHER_NAMES} names for bot {number} are taken")

    def _save(self) -> None:
        accounts = [
            {"username": kept[0], "password": kept[1]} if (kept := self._kept.get(number)) else None
            for number in range(max(self._kept) + 1)
        ]
        fresh = self._path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps({"accounts": accounts}, indent=1))
        fresh.replace(self._path)


def _usernames(number: int) -> list[str]:
    """Of a bot, the best first: beyond the names that there are, and where one is taken, with a number."""
    name = NAMES[number % len(NAMES)]
    rounds = number // len(NAMES)
    numbers = range(rounds + 1, rounds + 1 + OTHER_NAMES)
    return [f"{name}{SUFFIX}" if nth == 1 else f"{name}-{nth}{SUFFIX}" for nth in numbers]
