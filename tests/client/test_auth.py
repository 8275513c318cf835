"""Signing in and out, and the tokens of a login."""

from __future__ import annotations

import asyncio

import pytest

from client import Hereabouts, HereaboutsError
from tests.client.steps import Told, connected
from tests.harness import PASSWORD, Server


async def test_who_registers_is_signed_in_and_may_log_in_elsewhere(server: Server) -> None:
    async with Hereabouts(server.origin) as here, Hereabouts(server.origin) as there:
        user = await here.auth.register("ann", PASSWORD, display_name="Ann")
        assert (user["username"], user["display_name"]) == ("ann", "Ann")
        assert await there.auth.login("ANN", PASSWORD) == user
        assert await here.auth.token() != await there.auth.token()


async def test_what_the_server_refuses_is_raised_with_its_code(server: Server) -> None:
    async with Hereabouts(server.origin) as ann:
        await ann.auth.register("ann", PASSWORD)
        for code, attempt in (
            ("conflict", ann.auth.register("Ann", PASSWORD)),
            ("invalid_message", ann.auth.register("ann", "short")),
            ("unauthorized", ann.auth.login("ann", "wrong password")),
        ):
            with pytest.raises(HereaboutsError) as refused:
                await attempt
            assert (refused.value.code, refused.value.transient) == (code, False)


async def test_another_login_takes_the_place_of_the_first(server: Server) -> None:
    """Its sockets are the new user's."""
    ann, bob = await server.people(2)
    async with Hereabouts(server.origin) as one:
        ends = Told(one.auth, "signed_out")
        for person in (ann, bob):
            await one.auth.use_token(person.token)
            await one.chat.ready()
            assert one.chat.user_id == person.id
        assert ends.events == [{"reason": "replaced"}]


async def test_logging_out_ends_the_login_here_and_at_the_server(server: Server) -> None:
    """The other one of the same user goes on."""
    ann = await server.person("ann")
    async with connected(server, ann) as here, connected(server, ann) as there:
        token, states = await here.auth.token(), Told(here.chat, "state")
        ends = Told(here.auth, "signed_out")
        await here.auth.logout()
        assert ends.events == [{"reason": "logout"}]
        assert states.events == [{"state": "closed", "retry_at": None}]
        await server.refused("unauthorized", "GET", "/auth/me", token=token)
        await there.chat.request("ping")


async def test_a_deleted_account_is_signed_out(server: Server) -> None:
    ann = await server.person("ann")
    async with connected(server, ann) as hers:
        ends = Told(hers.auth, "signed_out")
        await hers.auth.delete_account()
        assert ends.events == [{"reason": "deleted"}]
    await server.refused("unauthorized", "POST", "/auth/login", {"username": "ann", "password": PASSWORD})


@pytest.mark.parametrize("whole", [True, False], ids=["the whole answer", "the refresh token alone"])
async def test_a_login_may_be_taken_up_again(whole: bool, server: Server) -> None:
    ann = await server.person("ann")
    async with Hereabouts(server.origin) as hers:
        pair = ann.pair if whole else {"refresh_token": ann.pair["refresh_token"]}
        assert (await hers.auth.resume_with(pair))["id"] == ann.id
        await hers.chat.ready()
        assert (hers.auth.refresh_token == ann.pair["refresh_token"]) == whole


async def test_a_login_that_has_ended_is_not_taken_up(server: Server) -> None:
    ann = await server.person("ann")
    await ann.ok("POST", "/auth/logout")
    async with Hereabouts(server.origin) as hers:
        with pytest.raises(HereaboutsError, match="unauthorized"):
            await hers.auth.resume_with({"refresh_token": ann.pair["refresh_token"]})
        assert (hers.user, hers.auth.refresh_token, hers.chat.state) == (None, None, "closed")


async def test_the_newest_refresh_token_is_told(server: Server) -> None:
    """With which another process goes on."""
    ann = await server.person("ann")
    async with Hereabouts(server.origin) as hers:
        tokens = Told(hers.auth, "tokens")
        await hers.auth.resume_with({"refresh_token": ann.pair["refresh_token"]})
        kept = tokens.events[-1]["refresh_token"]
    async with Hereabouts(server.origin) as hers:
        assert (await hers.auth.resume_with({"refresh_token": kept}))["id"] == ann.id


async def test_a_token_alone_serves_until_it_expires(server: Server) -> None:
    """Then the login ends, as nobody can renew it, unless a newer one was given in time."""
    ann = await server.person("ann")
    async with Hereabouts(server.origin) as hers:
        states, ends = Told(hers.chat, "state"), Told(hers.auth, "signed_out")
        assert (await hers.auth.use_token(ann.token))["id"] == ann.id
        await hers.chat.ready()
        server.clock.advance(server.settings.token_seconds - 5)
        await hers.auth.use_token(
            (await ann.ok("POST", "/auth/refresh", {"refresh_token": ann.pair["refresh_token"]}))[
                "access_token"
            ]
        )
        server.clock.advance(10)
        await states.next(state="waiting")
        await states.next(state="open")
        server.clock.advance(server.settings.token_seconds)
        await states.next(state="closed")
        assert ends.events == [{"reason": "expired"}]


async def test_one_who_asks_and_goes_away_does_not_break_a_refresh(server: Server) -> None:
    """A refresh token works once: its answer has to be kept, whoever waits for it."""
    ann = await server.person("ann")
    async with Hereabouts(server.origin) as hers:
        await hers.auth.resume_with(ann.pair)
        server.clock.advance(1)  # within a second, two tokens of a login are the same
        hers.auth.discard_token(ann.token)
        tokens = Told(hers.auth, "tokens")
        asking = asyncio.ensure_future(hers.auth.token())
        await asyncio.sleep(0)
        asking.cancel()
        assert await hers.auth.token() != ann.token
        assert len(tokens.events) == 1


async def test_a_token_that_is_not_the_current_one_is_not_discarded(server: Server) -> None:
    """Two are refused the same old one, and the second says so when the first has a new one already."""
    ann = await server.person("ann")
    async with Hereabouts(server.origin) as hers:
        await hers.auth.resume_with(ann.pair)
        server.clock.advance(1)
        hers.auth.discard_token(ann.token)
        new = await hers.auth.token()
        hers.auth.discard_token(ann.token)
        assert await hers.auth.token() == new
