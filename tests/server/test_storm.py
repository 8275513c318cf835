"""Many who come at once: let in at a pace, the others told when, before anything is looked up for them."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

from cryptography.fernet import Fernet

from storage.keyring import Keyring
from tests.harness import PASSWORD, Person, Server, Socket


def counting(server: Server) -> Counter[str]:
    """What the database is asked for from now on."""
    operations: Counter[str] = Counter()

    def observe(operation: str, seconds: float) -> None:
        operations[operation] += 1

    server.store.observe = observe
    return operations


async def test_a_crowd_is_let_in_at_a_pace(mongodb_uri: str, database_name: str) -> None:
    """Those who are sent away come back when they were told, and are in; each was told another time."""
    keyring = Keyring([Fernet.generate_key()])
    async with Server(
        mongodb_uri, database_name, keyring, rate_limits=True, connect_rate=20.0, connect_burst=20.0
    ) as server:
        people = await server.people(80)
        told: list[float] = []

        async def come(person: Person) -> Socket:
            """As a client does, however often it takes."""
            while True:
                socket = await server.connect(token=person.token)
                first = await socket.first()
                if first is not None:
                    assert first["type"] == "connected"
                    return socket
                code, reason = await socket.ended()
                assert code == 1013 and reason is not None
                found = re.fullmatch(r"retry_after=([0-9.]+)", reason)
                assert found is not None
                told.append(float(found[1]))
                await asyncio.sleep(told[-1])

        await asyncio.gather(*(come(person) for person in people))
        assert 20 <= len(told) < 120, "some are sent away, few of them twice"
        assert len(set(told)) == len(told)


async def test_who_is_sent_away_costs_the_database_nothing(mongodb_uri: str, database_name: str) -> None:
    """The pace is asked first: for a crowd of which one is let in, one person is looked up."""
    keyring = Keyring([Fernet.generate_key()])
    async with Server(
        mongodb_uri, database_name, keyring, rate_limits=True, connect_rate=0.01, connect_burst=1.0
    ) as server:
        people = await server.people(30)
        operations = counting(server)
        sockets = await asyncio.gather(*(server.connect(token=person.token) for person in people))
        ends = await asyncio.gather(*(socket.first() for socket in sockets))
        assert sum(event is not None for event in ends) == 1
        assert operations.total() <= 2, operations


async def test_sign_ins_queue_so_far_and_no_further(mongodb_uri: str, database_name: str) -> None:
    """Over the bound: 503 with a time of its own for each, no password hashed and nobody looked up."""
    keyring = Keyring([Fernet.generate_key()])
    async with Server(mongodb_uri, database_name, keyring, rate_limits=True, sign_ins_waiting=3) as server:
        ann = await server.person()
        operations = counting(server)
        body = {"username": ann.name, "password": PASSWORD}
        answers = await asyncio.gather(*(server.call("POST", "/auth/login", body) for _ in range(12)))
        refused = [answer["error"] for status, answer in answers if status == 503]
        assert [status for status, _ in answers].count(200) == 12 - len(refused) >= 3
        assert len(refused) >= 4
        assert {error["code"] for error in refused} == {"unavailable"}
        assert len({error["retry_after"] for error in refused}) == len(refused)
        assert operations["users.get"] == 12 - len(refused)
        token = {"refresh_token": ann.pair["refresh_token"]}
        answers = await asyncio.gather(*(server.call("POST", "/auth/refresh", token) for _ in range(12)))
        assert {status for status, _ in answers} == {200, 503}
