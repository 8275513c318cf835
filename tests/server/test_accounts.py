"""Accounts over REST: signing up, in and out, refreshing, passwords, and the end of an account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest

from storage.errors import Unavailable
from storage.keyring import Keyring
from storage.records import Login, User
from tests.harness import PASSWORD, Person, Server
from tests.storage.proxy import Proxy


async def sign_in(server: Server, name: str, password: str = PASSWORD) -> Person:
    status, pair = await server.call("POST", "/auth/login", {"username": name, "password": password})
    assert status == 200, pair
    return Person(server, pair)


# Registering and signing in


async def test_registering_answers_with_a_user_and_a_pair_of_tokens(server: Server) -> None:
    """Every field of the contract and nothing else; signing in answers the same."""
    body = {"username": "Ann-1._x", "password": PASSWORD, "display_name": "Ann 👋"}
    status, pair = await server.call("POST", "/auth/register", body)
    assert status == 201
    assert pair.keys() == {"user", "access_token", "token_type", "expires_in", "refresh_token"}
    assert (pair["token_type"], pair["expires_in"]) == ("bearer", 900)
    assert pair["user"] == {"id": pair["user"]["id"], "username": "Ann-1._x", "display_name": "Ann 👋"}
    status, again = await server.call("POST", "/auth/login", {"username": "Ann-1._x", "password": PASSWORD})
    assert status == 200
    assert again.keys() == pair.keys()
    assert again["user"] == pair["user"]
    assert again["refresh_token"] != pair["refresh_token"]


async def test_without_a_display_name_the_username_is_shown(server: Server) -> None:
    """So that `display_name` is never empty."""
    ann = await server.person("ann")
    assert ann.pair["user"]["display_name"] == "ann"


async def test_a_username_is_unique_whatever_the_case(server: Server) -> None:
    """The second is a conflict, and the first can still sign in, in any case."""
    ann = await server.person("Ann")
    await server.refused("conflict", "POST", "/auth/register", {"username": "aNN", "password": "another one"})
    assert (await sign_in(server, "ANN")).id == ann.id
    await server.refused(
        "unauthorized", "POST", "/auth/login", {"username": "ann", "password": "another one"}
    )


REGISTER = {"username": "somebody", "password": PASSWORD}


async def test_lengths_are_of_code_points_up_to_the_limit(server: Server) -> None:
    """At the limit it is taken, as it was sent."""
    good: list[dict[str, Any]] = [
        {"username": "abc", "password": "k7-horse"},
        {"username": "a" * 32, "password": "xyz-" * 64},
        {"username": "horse", "password": "🐎🐴" * 127 + "ab", "display_name": "🐎" * 64},
        {"username": "strange", "password": "pass\u0000word", "display_name": "$ne.{}"},
        {"username": "plain", "password": "🐎🐴🦄🐎🐴🦄🐎🐴", "display_name": None},
    ]
    for body in good:
        status, pair = await server.call("POST", "/auth/register", body)
        assert status == 201, body
        assert pair["user"]["display_name"] == (body.get("display_name") or body["username"])
        await sign_in(server, body["username"], body["password"])


async def test_what_cannot_be_an_account_makes_none(server: Server) -> None:
    """One code past a limit, a wrong type or character, an unknown or missing field."""
    bad: list[Any] = [
        {**REGISTER, "username": "ab"},
        {**REGISTER, "username": "a" * 33},
        {**REGISTER, "username": "some body"},
        {**REGISTER, "username": "some\u0000body"},
        {**REGISTER, "username": "somebody\n"},
        {**REGISTER, "username": "$where"},
        {**REGISTER, "username": "a/b"},
        {**REGISTER, "username": {"$gt": ""}},
        {**REGISTER, "username": 123},
        {**REGISTER, "username": None},
        {**REGISTER, "password": "1234567"},
        {**REGISTER, "password": "🐎" * 7},
        {**REGISTER, "password": "x" * 257},
        {**REGISTER, "password": ["x" * 8]},
        {**REGISTER, "display_name": ""},
        {**REGISTER, "display_name": "x" * 65},
        {**REGISTER, "admin": True},
        {**REGISTER, "user.name": "x"},
        {"username": "somebody"},
        {"password": PASSWORD},
        [REGISTER],
    ]
    for body in bad:
        await server.refused("invalid_message", "POST", "/auth/register", body)
    ann = await server.person("somebody")
    assert await ann.ok("GET", "/users?username=somebody") == ann.pair["user"]


async def test_a_wrong_password_and_an_unknown_name_are_one_answer(server: Server) -> None:
    """Nobody learns from it who has an account, whatever stands in the place of the name."""
    await server.person("ann")
    sentences = {
        await server.refused("unauthorized", "POST", "/auth/login", {"username": name, "password": password})
        for name, password in [
            ("ann", "wrong horse"),
            ("ann", ""),
            ("nobody", PASSWORD),
            ("$ne", PASSWORD),
            ("", PASSWORD),
            ("a\u0000b", PASSWORD),
        ]
    }
    assert len(sentences) == 1
    await server.refused(
        "invalid_message", "POST", "/auth/login", {"username": {"$ne": ""}, "password": PASSWORD}
    )


async def test_wrong_passwords_are_slowed_down(new_server: Callable[..., Server]) -> None:
    """For the one account alone, with the seconds to wait; the right password waits too."""
    async with new_server(rate_limits=True, account_login_burst=2) as server:
        server.clock.hold()
        await server.person("ann")
        await server.person("bob")
        wrong = {"username": "ann", "password": "wrong horse"}
        for _ in range(2):
            await server.refused("unauthorized", "POST", "/auth/login", wrong)
        right = {"username": "Ann", "password": PASSWORD}
        response = await server.fetch("POST", "/auth/login", right)
        assert response.code == 429
        status, answer = await server.call("POST", "/auth/login", right)
        assert answer["error"]["code"] == "rate_limited"
        assert 0 < answer["error"]["retry_after"] <= 1
        assert response.headers["Retry-After"] == "1"
        await sign_in(server, "bob")
        server.clock.advance(1)
        await server.refused("unauthorized", "POST", "/auth/login", wrong)
        await server.refused("rate_limited", "POST", "/auth/login", right)  # two seconds by now
        server.clock.advance(2)
        await sign_in(server, "ann")
        for _ in range(2):  # all is forgiven, and this address is known by now
            await server.refused("unauthorized", "POST", "/auth/login", wrong)
        await server.refused("rate_limited", "POST", "/auth/login", right)


# Refreshing


async def test_a_refresh_token_gives_a_new_pair(server: Server) -> None:
    """Both tokens are new and work; the old access token does too, until it expires."""
    ann = await server.person()
    status, pair = await server.call("POST", "/auth/refresh", {"refresh_token": ann.pair["refresh_token"]})
    assert status == 200
    assert pair.keys() == ann.pair.keys()
    assert pair["user"] == ann.pair["user"]
    assert pair["refresh_token"] != ann.pair["refresh_token"]
    for token in (ann.token, pair["access_token"]):
        assert (await server.call("GET", "/auth/me", token=token))[0] == 200


async def test_a_refresh_token_works_again_within_ten_seconds_only(server: Server) -> None:
    """The answer may have been lost; but later reuse is theft, and ends the family with its sockets."""
    ann = await server.person()
    socket = await ann.chat()
    first = {"refresh_token": ann.pair["refresh_token"]}
    _, pair = await server.call("POST", "/auth/refresh", first)
    server.clock.advance(9)
    status, second = await server.call("POST", "/auth/refresh", first)
    assert status == 200
    server.clock.advance(2)
    await server.refused("unauthorized", "POST", "/auth/refresh", first)
    assert await socket.ended() == (4003, "logged out")
    for got in (pair, second):
        await server.refused("unauthorized", "POST", "/auth/refresh", {"refresh_token": got["refresh_token"]})
        await server.refused("unauthorized", "GET", "/auth/me", token=got["access_token"])
    await sign_in(server, ann.name)


@pytest.mark.logs("storage_failed")
@pytest.mark.parametrize("step", ["rotate", "user"])
async def test_a_refresh_that_was_not_answered_can_be_repeated_much_later(step: str, server: Server) -> None:
    """The database went away during it, and what was asked of it happened all the same."""
    ann = await server.person()
    first = {"refresh_token": ann.pair["refresh_token"]}
    logins, people = server.store.logins, server.app.node.people
    rotate = logins.rotate

    async def fail_to_rotate(*tokens: bytes, **options: int) -> Login:
        await rotate(*tokens, **options)
        raise Unavailable("the answer is lost")

    async def fail_to_get(user_id: str) -> User:
        raise Unavailable("gone after the rotation")

    broken = (logins, "rotate", fail_to_rotate) if step == "rotate" else (people, "get", fail_to_get)
    with patch.object(*broken):
        await server.refused("unavailable", "POST", "/auth/refresh", first)
    server.clock.advance(60)
    status, pair = await server.call("POST", "/auth/refresh", first)
    assert status == 200
    assert (await server.call("POST", "/auth/refresh", {"refresh_token": pair["refresh_token"]}))[0] == 200
    server.clock.advance(11)
    await server.refused("unauthorized", "POST", "/auth/refresh", first)


@pytest.mark.logs("refresh_token_not_used_up")
async def test_a_refresh_whose_token_could_not_be_used_up_is_answered(server: Server) -> None:
    """The pair is good; once it is used, the old token counts as used as well."""
    ann = await server.person()
    first = {"refresh_token": ann.pair["refresh_token"]}
    with patch.object(server.store.logins, "used", side_effect=Unavailable("away")):
        status, pair = await server.call("POST", "/auth/refresh", first)
    assert status == 200
    await server.call("POST", "/auth/refresh", {"refresh_token": pair["refresh_token"]})
    server.clock.advance(11)
    await server.refused("unauthorized", "POST", "/auth/refresh", first)


@pytest.mark.logs("storage_failed")
async def test_a_refresh_during_an_outage_of_the_database_can_be_repeated(
    mongodb_uri: str, database_name: str, keyring: Keyring
) -> None:
    """What waited for the database is carried out after the answer was 503."""
    proxy = Proxy(urlsplit(mongodb_uri).port or 0)
    try:
        async with Server(await proxy.start(), database_name, keyring, storage_timeout=1.0) as server:
            ann = await server.person()
            first = {"refresh_token": ann.pair["refresh_token"]}
            proxy.lose_answers = True
            await server.refused("unavailable", "POST", "/auth/refresh", first)
            proxy.pass_on()
            server.clock.advance(60)
            status, _ = await server.call("POST", "/auth/refresh", first)
            assert status == 200
    finally:
        await proxy.stop()


async def test_reuse_ends_no_other_login(server: Server) -> None:
    """A family is one sign-in, not the person."""
    ann = await server.person()
    other = await sign_in(server, ann.name)
    stolen = {"refresh_token": ann.pair["refresh_token"]}
    await server.call("POST", "/auth/refresh", stolen)
    server.clock.advance(11)
    await server.refused("unauthorized", "POST", "/auth/refresh", stolen)
    await other.ok("GET", "/auth/me")
    await other.ok("POST", "/auth/refresh", {"refresh_token": other.pair["refresh_token"]})


async def test_a_refresh_token_lives_thirty_days(server: Server) -> None:
    """From its own making: who comes back in time goes on for ever."""
    ann = await server.person()
    token = ann.pair["refresh_token"]
    for _ in range(2):
        server.clock.advance(30 * 86_400 - 60)
        status, pair = await server.call("POST", "/auth/refresh", {"refresh_token": token})
        assert status == 200
        token = pair["refresh_token"]
    server.clock.advance(30 * 86_400 + 1)
    await server.refused("unauthorized", "POST", "/auth/refresh", {"refresh_token": token})


async def test_what_is_no_refresh_token_is_refused(server: Server) -> None:
    """Unknown ones alike, an access token too; a wrong type is a bad request."""
    ann = await server.person()
    for token in ("x", "$ne", "\u0000", ann.token):
        await server.refused("unauthorized", "POST", "/auth/refresh", {"refresh_token": token})
    for body in ({"refresh_token": {"$gt": ""}}, {"refresh_token": ""}, {"refresh_token": "x" * 4097}, {}):
        await server.refused("invalid_message", "POST", "/auth/refresh", body)
    await server.refused("unauthorized", "GET", "/auth/me", token=ann.pair["refresh_token"])


# Signing out, changing the password


async def test_signing_out_ends_this_login_alone(server: Server) -> None:
    """Both its sockets close with 4003, its tokens are worth nothing; the other device stays."""
    ann = await server.person()
    other = await sign_in(server, ann.name)
    chat, signal, kept = await ann.chat(), await ann.signal(), await other.chat()
    assert await ann.call("POST", "/auth/logout") == (204, None)
    assert await chat.ended() == (4003, "logged out")
    assert await signal.ended() == (4003, "logged out")
    await ann.refused("unauthorized", "GET", "/auth/me")
    await server.refused(
        "unauthorized", "POST", "/auth/refresh", {"refresh_token": ann.pair["refresh_token"]}
    )
    await kept.ask("pong", type="ping")
    await other.ok("GET", "/auth/me")


async def test_a_login_that_ended_stays_ended_after_a_restart(server: Server) -> None:
    """What was revoked is remembered for as long as its tokens would live."""
    ann = await server.person()
    await ann.ok("POST", "/auth/logout")
    await server.stop()
    await server.start()
    await ann.refused("unauthorized", "GET", "/auth/me")


async def test_a_changed_password_ends_the_other_logins(server: Server) -> None:
    """This one goes on; the old password is worth nothing."""
    ann = await server.person()
    other = await sign_in(server, ann.name)
    mine, others = await ann.chat(), await other.chat()
    body = {"old": PASSWORD, "new": "battery staple"}
    assert await ann.call("POST", "/auth/password", body) == (204, None)
    assert await others.ended() == (4003, "logged out")
    await other.refused("unauthorized", "GET", "/auth/me")
    await mine.ask("pong", type="ping")
    await ann.ok("POST", "/auth/refresh", {"refresh_token": ann.pair["refresh_token"]})
    await server.refused("unauthorized", "POST", "/auth/login", {"username": ann.name, "password": PASSWORD})
    await sign_in(server, ann.name, "battery staple")


async def test_a_password_is_not_changed_without_the_old_one(server: Server) -> None:
    """Nor to one that registering would refuse; nothing ends then."""
    ann = await server.person()
    other = await sign_in(server, ann.name)
    await ann.refused("forbidden", "POST", "/auth/password", {"old": "wrong horse", "new": "battery staple"})
    for body in (
        {"old": PASSWORD, "new": "1234567"},
        {"old": PASSWORD, "new": "x" * 257},
        {"old": PASSWORD},
        {"old": {"$ne": ""}, "new": "battery staple"},
    ):
        await ann.refused("invalid_message", "POST", "/auth/password", body)
    await server.refused("unauthorized", "POST", "/auth/password", {"old": PASSWORD, "new": "battery staple"})
    await other.ok("GET", "/auth/me")


# Oneself


async def test_oneself_is_a_user_with_two_settings(server: Server) -> None:
    """Their defaults are the contract's."""
    ann = await server.person("ann")
    expected = {**ann.pair["user"], "invisible": False, "share_location": True}
    assert await ann.ok("GET", "/auth/me") == expected


async def test_a_change_of_oneself_answers_and_lasts(server: Server) -> None:
    """Only what is given changes."""
    ann = await server.person()
    expected = await ann.ok("GET", "/auth/me")
    for changes in (
        {"invisible": True},
        {"share_location": False},
        {"display_name": "🐎" * 64},
        {"display_name": "A", "invisible": False, "share_location": True},
        {},
    ):
        expected.update(changes)
        assert await ann.ok("PATCH", "/auth/me", changes) == expected
        assert await ann.ok("GET", "/auth/me") == expected


async def test_a_bad_change_of_oneself_changes_nothing(server: Server) -> None:
    """Not even the part of it that was right."""
    ann = await server.person()
    before = await ann.ok("GET", "/auth/me")
    for body in (
        {"invisible": True, "share_location": "no"},
        {"invisible": True, "username": "bob"},
        {"invisible": True, "id": "x"},
        {"invisible": 1},
        {"invisible": None},
        {"display_name": ""},
        {"display_name": None},
        {"display_name": "x" * 65},
        {"$set": {"invisible": True}},
    ):
        await ann.refused("invalid_message", "PATCH", "/auth/me", body)
    assert await ann.ok("GET", "/auth/me") == before


# The end of an account


async def test_a_deleted_account_is_gone(server: Server) -> None:
    """Sockets close, tokens and password are worth nothing, and the name is free again."""
    ann, bob = await server.person("ann"), await server.person("bob")
    other = await sign_in(server, "ann")
    sockets = [await ann.chat(), await ann.signal(), await other.chat()]
    await bob.ok("PUT", f"/users/{ann.id}/block")
    assert await ann.call("DELETE", "/auth/me") == (204, None)
    for socket in sockets:
        assert await socket.ended() == (4003, "logged out")
    for gone in (ann, other):
        await gone.refused("unauthorized", "GET", "/auth/me")
        await server.refused(
            "unauthorized", "POST", "/auth/refresh", {"refresh_token": gone.pair["refresh_token"]}
        )
    await server.refused("unauthorized", "POST", "/auth/login", {"username": "ann", "password": PASSWORD})
    await bob.refused("not_found", "GET", f"/users/{ann.id}")
    await bob.refused("not_found", "GET", "/users?username=ann")
    assert await bob.ok("GET", "/auth/me/blocks") == {"users": []}
    assert (await server.person("Ann")).id != ann.id


async def test_what_a_deleted_account_leaves_behind(server: Server) -> None:
    """Messages show no sender, groups go on without the member, lands stay without an owner."""
    ann, bob, cat = await server.person(), await server.person(), await server.person()
    land = await ann.land(access="invited", invited_ids=[bob.id])
    private, group = await ann.private(bob), await ann.group(bob, cat)
    for room in (land, private, group):
        await ann.ok("POST", f"/chat/sessions/{room}/messages", {"content": "mine"})
    his = await bob.chat()
    await ann.ok("DELETE", "/auth/me")
    changed = await his.next("members_changed")
    assert changed == {"type": "members_changed", "room_id": group, "added": [], "removed": [ann.id]}
    for room in (land, private, group):
        (message,) = (await bob.ok("GET", f"/chat/sessions/{room}/messages"))["messages"]
        assert (message["sender_id"], message["sender_username"]) == (None, None)
        assert message["content"] == "mine"
        session = await bob.ok("GET", f"/chat/sessions/{room}")
        assert ann.id not in [member["id"] for member in session.get("members", [])]
        assert session["last_message"] == message
    assert (await bob.ok("GET", f"/lands/{land}"))["owner_id"] is None
    await bob.refused("forbidden", "POST", f"/chat/sessions/{private}/messages", {"content": "anybody?"})
    await bob.refused("not_found", "POST", "/chat/sessions", {"participant_ids": [ann.id]})
    await bob.refused("not_found", "POST", f"/chat/sessions/{group}/members", {"user_ids": [ann.id]})


async def test_an_account_is_deleted_with_a_token_only(server: Server) -> None:
    """Of all calls this one."""
    await server.refused("unauthorized", "DELETE", "/auth/me")
