"""A banned user is out, by every way in, until the ban is lifted. It is made beside the server, in its store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from storage.errors import Unavailable
from tests.harness import PASSWORD, Person, Server
from tests.server.test_identity_provider import AUDIENCE, ISSUER, pem, token

BANNED = (4003, "this account is banned")
SENTENCE = "this account is banned"


async def ban(server: Server, user_id: str) -> None:
    """As `run.py ban` does; returns once the server knows."""
    await server.store.bans.ban(user_id, now=server.clock.now())
    while user_id not in server.app.node.bans._banned:
        await asyncio.sleep(0.01)


async def unban(server: Server, user_id: str) -> None:
    await server.store.bans.unban(user_id)
    while user_id in server.app.node.bans._banned:
        await asyncio.sleep(0.01)


async def test_a_ban_closes_every_socket_of_the_user(server: Server) -> None:
    """On both paths and of every login, with a code of its own; others notice nothing."""
    ann, bob = await server.person(), await server.person()
    login = {"username": ann.name, "password": PASSWORD}
    _, pair = await server.call("POST", "/auth/login", login)
    sockets = [await ann.chat(), await ann.signal(), await Person(server, pair).chat()]
    his = await bob.chat()
    await server.store.bans.ban(ann.id, now=server.clock.now())
    for socket in sockets:
        assert await socket.ended() == BANNED
    await his.ask("pong", type="ping")


async def test_a_banned_user_comes_in_by_no_way(server: Server) -> None:
    """A token that still holds, a ticket, a refresh, a sign-in, on both sockets and over REST; unbanned, all of them."""
    ann, bob = await server.person(), await server.person()
    early = [(await ann.ok("POST", "/auth/ticket"))["ticket"] for _ in range(2)]
    login = {"username": ann.name, "password": PASSWORD}
    refresh = {"refresh_token": ann.pair["refresh_token"]}
    await ban(server, ann.id)
    for path in ("/auth/me", "/chat/sessions", "/ws/online-users"):
        assert await ann.refused("forbidden", "GET", path) == SENTENCE
    await ann.refused("forbidden", "POST", "/auth/ticket")
    await ann.refused("forbidden", "DELETE", "/auth/me")
    for path, ticket in (("/ws/connect", early[0]), ("/webrtc/signal", early[1])):
        for socket in (
            await server.connect(path, query=f"?ticket={ticket}"),
            await server.connect(path, query=f"?token={ann.token}"),
            await server.connect(path, subprotocols=["bearer", ann.token]),
            await server.connect(path, token=ann.token),
        ):
            assert await socket.ended() == BANNED
            assert socket.events == []
    assert await server.refused("forbidden", "POST", "/auth/login", login) == SENTENCE
    assert await server.refused("forbidden", "POST", "/auth/refresh", refresh) == SENTENCE
    # Who does not know the password learns nothing of the ban.
    wrong = {**login, "password": "wrong horse"}
    assert "wrong" in await server.refused("unauthorized", "POST", "/auth/login", wrong)
    await bob.ok("GET", "/auth/me")

    await unban(server, ann.id)
    await ann.ok("GET", "/auth/me")
    await ann.chat()
    assert (await server.call("POST", "/auth/login", login))[0] == 200
    assert (await server.call("POST", "/auth/refresh", refresh))[0] == 200


async def test_a_socket_is_not_renewed_past_a_ban(server: Server) -> None:
    """Whichever the server gets to first, the socket ends."""
    ann = await server.person()
    socket = await ann.chat()
    with patch.object(server.app.node.bans, "close_sockets", return_value=0):
        await ban(server, ann.id)
    await socket.refused("forbidden", type="renew_token", access_token=ann.token)


async def test_a_ban_holds_for_a_server_that_is_started_later(server: Server) -> None:
    """From its first request on."""
    ann, bob = await server.person(), await server.person()
    await server.stop()
    await server.start()
    await ann.ok("GET", "/auth/me")
    await server.store.bans.ban(ann.id, now=server.clock.now())
    await server.stop()
    await server.start()
    await ann.refused("forbidden", "GET", "/auth/me")
    await bob.ok("GET", "/auth/me")


async def test_a_ban_holds_for_whom_an_identity_provider_vouches_for(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    """By the user that its subject is here, with whatever token; other subjects are others."""
    key_file = tmp_path / "key.pem"
    key_file.write_text(pem("EdDSA"))
    async with new_server(oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_key_file=str(key_file)) as server:
        _, me = await server.call("GET", "/auth/me", token=token(sid="a"))
        socket = await server.connect(token=token(sid="b"))
        await socket.next("connected")
        await server.store.bans.ban(me["id"], now=server.clock.now())
        assert await socket.ended() == BANNED
        fresh = token(sid="c", preferred_username="another name")
        assert await server.refused("forbidden", "GET", "/auth/me", token=fresh) == SENTENCE
        assert await (await server.connect(token=fresh)).ended() == BANNED
        assert (await server.call("GET", "/auth/me", token=token(sub="2")))[0] == 200


async def test_what_was_known_holds_while_the_database_is_away(server: Server) -> None:
    """A look that fails changes nothing, and the next one finds what was missed."""
    ann, bob = await server.person(), await server.person()
    await ban(server, ann.id)
    bans = server.app.node.bans
    with patch.object(server.store.bans, "version", side_effect=Unavailable("away")):
        await server.store.bans.ban(bob.id, now=server.clock.now())
        await bans.look()
        await ann.refused("forbidden", "GET", "/auth/me")
        await bob.ok("GET", "/auth/me")
    await bans.look()
    await bob.refused("forbidden", "GET", "/auth/me")


@pytest.mark.parametrize("moment", ["looked up", "signing in"])
async def test_a_ban_that_comes_in_between_holds(moment: str, server: Server) -> None:
    """Nobody slips in because the ban came while something was waited for."""
    ann = await server.person()
    node = server.app.node
    if moment == "looked up":
        arrive = node.people.arrive

        async def slowly(user_id: str) -> object:
            person = await arrive(user_id)
            await ban(server, ann.id)
            return person

        with patch.object(node.people, "arrive", slowly):
            socket = await server.connect(token=ann.token)
            assert await socket.ended() == BANNED
    else:
        matches = node.accounts._matches

        async def slowly_too(*given: object) -> bool:
            await ban(server, ann.id)
            return await matches(*given)  # type: ignore[arg-type]

        with patch.object(node.accounts, "_matches", slowly_too):
            await server.refused(
                "forbidden", "POST", "/auth/login", {"username": ann.name, "password": PASSWORD}
            )
