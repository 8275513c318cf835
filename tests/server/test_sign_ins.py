"""Guessing passwords: slow by account and by address, and it tells nothing of who has an account."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from tornado.httpclient import HTTPResponse

from tests.harness import PASSWORD, Server
from tests.server.test_storm import counting

HOME, ELSEWHERE = "198.51.100.1", "203.0.113.1"


async def attempt(
    server: Server, username: str, password: str = "wrong horse", address: str = HOME
) -> HTTPResponse:
    body = {"username": username, "password": password}
    return await server.fetch("POST", "/auth/login", body, headers={"X-Forwarded-For": address})


async def test_a_wrong_password_and_an_unknown_name_are_the_same_work(server: Server) -> None:
    """The same hashes, the same questions to the store, the same answer: body, status and headers.

    Work rather than time: that is what time comes from.
    """
    await server.person("somebody")
    gone = await server.person("somebody-else")
    await gone.ok("DELETE", "/auth/me")
    accounts = server.app.node.accounts
    seen: list[Any] = []
    for name in ("somebody", "SOMEBODY", "nobody", "somebody-else", "$ne", ""):
        operations = counting(server)
        with patch.object(accounts, "_hasher", wraps=accounts._hasher) as hasher:
            response = await attempt(server, name)
        work = [call[0] for call in hasher.method_calls]
        headers = {
            key: value for key, value in response.headers.get_all() if key not in ("X-Request-Id", "Date")
        }
        seen.append((response.code, response.body, headers, dict(operations), work))
    assert all(one == seen[0] for one in seen), seen
    code, body, _, operations_of_one, work = seen[0]
    assert (code, json.loads(body)["error"]["code"]) == (401, "unauthorized")
    assert operations_of_one == {"users.get": 1}
    assert work == ["verify"]


async def test_what_is_hashed_for_an_unknown_name_costs_as_much_as_a_password(server: Server) -> None:
    """The same parameters: 19 MiB, two passes, one lane."""
    await server.person("somebody")
    accounts = server.app.node.accounts
    user = await server.store.users.by_username("somebody")
    assert user is not None and user.password_hash is not None
    assert accounts._nobody.split("$")[:4] == user.password_hash.split("$")[:4]
    assert user.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_an_account_and_a_name_without_one_are_throttled_alike(
    new_server: Callable[..., Server],
) -> None:
    """After as many tries, with as long a wait, in the same words."""
    async with new_server(rate_limits=True, account_login_burst=2) as server:
        server.clock.hold()
        await server.person("somebody")
        answers = []
        for name in ("somebody", "nobody"):
            codes = [(await attempt(server, name)).code for _ in range(3)]
            error = json.loads((await attempt(server, name)).body)["error"]
            answers.append((codes, error["message"], 0 < error["retry_after"] <= 1))
        assert (
            answers[0]
            == answers[1]
            == (
                [401, 401, 429],
                "too many wrong passwords for this account",
                True,
            )
        )


async def test_spellings_of_one_name_are_one_account(new_server: Callable[..., Server]) -> None:
    """Whatever finds the same account waits with it: other cases, letters of another width."""
    async with new_server(rate_limits=True, account_login_burst=3) as server:
        server.clock.hold()
        await server.person("somebody")
        for name in ("somebody", "SomeBody", "ｓｏｍｅbody"):
            assert (await attempt(server, name)).code == 401
        for name in ("sOMEBODY", "somebodｙ", "somebody"):
            assert (await attempt(server, name, PASSWORD)).code == 429
        server.clock.advance(1)
        assert (await attempt(server, "somebodｙ", PASSWORD)).code == 200


async def test_many_guesses_at_once_are_many(new_server: Callable[..., Server]) -> None:
    """Those over the bound are refused before the first is judged, and hash nothing."""
    async with new_server(rate_limits=True, account_login_burst=3) as server:
        server.clock.hold()
        await server.person("somebody")
        codes = [
            response.code
            for response in await asyncio.gather(*(attempt(server, "somebody") for _ in range(20)))
        ]
        assert sorted(codes) == [401] * 3 + [429] * 17


async def test_an_address_that_tries_one_password_on_many_accounts_waits(
    new_server: Callable[..., Server],
) -> None:
    """Longer each time; other addresses do not."""
    async with new_server(rate_limits=True, address_login_burst=3, trusted_proxies=("127.0.0.1",)) as server:
        server.clock.hold()
        await server.person("somebody")
        assert [(await attempt(server, f"name-{number}")).code for number in range(4)] == [401] * 3 + [429]
        response = await attempt(server, "somebody", PASSWORD)
        assert response.code == 429
        assert json.loads(response.body)["error"]["message"] == "too many wrong passwords for this address"
        assert (await attempt(server, "somebody", PASSWORD, ELSEWHERE)).code == 200
        server.clock.advance(1)
        assert (await attempt(server, "name-5")).code == 401
        error = json.loads((await attempt(server, "name-6")).body)["error"]
        assert 1 < error["retry_after"] <= 2


async def test_an_owner_is_not_locked_out_by_a_strangers_guesses(new_server: Callable[..., Server]) -> None:
    """At an address that has signed in before; at a new one everybody waits."""
    async with new_server(rate_limits=True, account_login_burst=2, trusted_proxies=("127.0.0.1",)) as server:
        server.clock.hold()
        await server.person("somebody")
        assert (await attempt(server, "somebody", PASSWORD, HOME)).code == 200
        for _ in range(3):
            await attempt(server, "somebody", address=ELSEWHERE)
        assert (await attempt(server, "somebody", PASSWORD, ELSEWHERE)).code == 429
        assert (await attempt(server, "somebody", PASSWORD, "192.0.2.1")).code == 429
        assert (await attempt(server, "somebody", PASSWORD, HOME)).code == 200


async def test_wrong_old_passwords_are_slowed_down_too(new_server: Callable[..., Server]) -> None:
    """Whoever finds a device unlocked does not get to guess on it."""
    async with new_server(rate_limits=True, account_login_burst=2) as server:
        server.clock.hold()
        ann = await server.person()
        wrong = {"old": "wrong horse", "new": "battery staple"}
        for _ in range(2):
            await ann.refused("forbidden", "POST", "/auth/password", wrong)
        right = {"old": PASSWORD, "new": "battery staple"}
        await ann.refused("rate_limited", "POST", "/auth/password", right)
        server.clock.advance(1)
        await ann.ok("POST", "/auth/password", right)


async def test_fifty_sign_ins_at_once_do_not_stall_the_loop(server: Server) -> None:
    """Somebody else's pings are answered all the while; that no turn of the loop is long is watched in every test."""
    await server.person("somebody")
    socket = await (await server.people(1))[0].chat()
    logins = asyncio.gather(*(attempt(server, "somebody", PASSWORD) for _ in range(50)))
    answered = 0
    while not logins.done():
        await socket.ask("pong", type="ping")
        answered += 1
    assert [response.code for response in await logins] == [200] * 50
    assert answered >= 50
