"""A socket that stays: how it comes back after each kind of end, and how it notices one that nobody tells."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from client import Hereabouts, HereaboutsError
from server import errors
from server.errors import Close
from tests.client.steps import Told, connected, dismiss, proxied
from tests.harness import Server

USER = {"id": "1", "username": "ann", "display_name": "ann"}


@asynccontextmanager
async def web(handler: type[RequestHandler]) -> AsyncIterator[str]:
    """The origin of a web server that is not ours: this handler for every path."""
    server = HTTPServer(Application([(".*", handler)]))
    listening, port = bind_unused_port()
    server.add_socket(listening)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        await server.close_all_connections()


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """The origin of a server that takes connections and answers nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the client goes away
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def mute() -> AbstractAsyncContextManager[str]:
    """The same for one that does the handshake, and then says nothing."""

    class Mute(WebSocketHandler):
        pass

    return web(Mute)


@pytest.mark.parametrize("close", [errors.restarting(0.4), errors.try_later(0.4)], ids=["1012", "1013"])
async def test_it_comes_back_when_the_server_asked_it_to(close: Close, server: Server) -> None:
    """Not before; until then it says when."""
    bob = await server.person("bob")
    async with connected(server, bob) as his:
        states = Told(his.chat, "state")
        dismiss(server, bob, close)
        waiting = await states.next(state="waiting")
        assert 0.2 < waiting["retry_at"] - time.time() <= 0.4
        assert (his.chat.state, his.chat.retry_at) == ("waiting", waiting["retry_at"])
        assert his.chat.close_code == close.code
        with pytest.raises(HereaboutsError, match="closed"):
            await his.chat.join("room")
        await states.next(state="connecting")
        assert time.time() > waiting["retry_at"] - 0.01
        await states.next(state="open")
        assert (his.chat.state, his.chat.retry_at) == ("open", None)


async def test_one_who_was_too_slow_comes_back_soon_and_one_who_flooded_pauses(server: Server) -> None:
    """4008 and 4029."""
    bob = await server.person("bob")
    async with connected(server, bob) as his:
        states = Told(his.chat, "state")
        dismiss(server, bob, errors.TOO_SLOW)
        waiting = await states.next(state="waiting")
        assert waiting["retry_at"] - time.time() < 0.5
        await states.next(state="open")
        dismiss(server, bob, errors.FLOODING)
        waiting = await states.next(state="waiting")
        assert waiting["retry_at"] - time.time() > 9
        his.retry_now()
        await states.next(state="open")


async def test_a_refused_token_is_replaced_first(server: Server) -> None:
    """4001: the next connection is opened with another one."""
    bob = await server.person("bob")
    async with connected(server, bob) as his:
        states, tokens = Told(his.chat, "state"), Told(his.auth, "tokens")
        dismiss(server, bob, errors.TOKEN_EXPIRED)
        await states.next(state="waiting")
        await states.next(state="open")
        assert len(tokens.events) == 1


async def test_a_login_that_ended_elsewhere_ends_here(server: Server) -> None:
    """4003: signed out, and nothing is tried any more; one may sign in again."""
    bob = await server.person("bob")
    async with connected(server, bob) as his:
        states, ends = Told(his.chat, "state"), Told(his.auth, "signed_out")
        message = his.chat.send("room", "hello")
        dismiss(server, bob, errors.LOGGED_OUT)
        await states.next(state="closed")
        assert ends.events == [{"reason": "ended"}]
        assert his.user is None
        assert (await message.settled()).state == "failed"
        for waiting in (his.chat.ready(), his.auth.token()):
            with pytest.raises(HereaboutsError):
                await waiting
        await his.auth.use_token(bob.token)
        await his.chat.ready()


async def test_the_token_is_renewed_before_it_expires(
    new_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection outlives the token that it was opened with."""
    monkeypatch.setattr("client.auth.RENEW_AFTER", 0.5 / 60)
    async with new_server(token_seconds=60) as server:
        bob = await server.person("bob")
        async with connected(server, bob) as his:
            states, renewed = Told(his.chat, "state"), Told(his.chat, "token_renewed")
            await renewed.until(lambda events: len(events) == 2)
            server.clock.advance(40)
            await renewed.until(lambda events: len(events) == 4)
            server.clock.advance(40)
            await his.chat.request("ping")
            assert states.events == []


async def test_a_token_that_ran_out_meanwhile_is_replaced(server: Server) -> None:
    """A machine that slept: REST is answered at the second try, with one new token for all who ask."""
    bob = await server.person("bob")
    async with connected(server, bob) as his:
        tokens = Told(his.auth, "tokens")
        server.clock.advance(server.settings.token_seconds + 1)
        answers = await asyncio.gather(*(his.api.me() for _ in range(5)))
        assert {answer["username"] for answer in answers} == {"bob"}
        assert len(tokens.events) == 1


async def test_silence_of_two_heartbeats_is_a_dead_connection() -> None:
    """It was asked, and did not answer. The one that takes its place may live."""
    asked: list[str] = []

    class Frozen(WebSocketHandler):
        """Says `connected`, and from then on nothing."""

        def open(self) -> None:
            self.write_message({"type": "connected", "user_id": "1", "heartbeat_seconds": 0.2})

        def on_message(self, message: str | bytes) -> None:
            asked.append(json.loads(message)["type"])

    async with web(Frozen) as origin, Hereabouts(origin) as ann:
        states = Told(ann.chat, "state")
        await ann.auth.use_token("a token", USER)
        for _ in range(2):
            await states.next(state="open")
            begun = time.monotonic()
            await states.next(state="waiting")
            assert time.monotonic() - begun > 0.3
            ann.retry_now()
        assert set(asked) == {"resume", "ping"}


async def test_a_network_that_swallows_everything_is_left_behind(new_server: Callable[..., Server]) -> None:
    """When it is back, so are we."""
    async with new_server(heartbeat_seconds=0.3) as server:
        bob = await server.person("bob")
        async with proxied(server) as (proxy, origin), connected(server, bob, origin) as his:
            states = Told(his.chat, "state")
            proxy.lose_answers = proxy.lose_requests = True
            await states.next(state="waiting")
            proxy.pass_on()
            await states.next(state="open")


async def test_a_request_without_an_answer_times_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that goes away with its connection says so."""
    monkeypatch.setattr("client.socket.REQUEST_SECONDS", 0.2)
    bob = await server.person("bob")
    async with proxied(server) as (proxy, origin), connected(server, bob, origin) as his:
        proxy.lose_answers = True
        with pytest.raises(HereaboutsError) as late:
            await his.chat.request("ping")
        asking = asyncio.ensure_future(his.chat.request("ping"))
        await asyncio.sleep(0)
        proxy.pass_on()
        with pytest.raises(HereaboutsError) as gone:
            await asking
        assert [(raised.value.code, raised.value.transient) for raised in (late, gone)] == [
            ("timeout", True),
            ("closed", True),
        ]


async def test_a_refusal_is_raised_where_it_was_asked_and_nowhere_else(server: Server) -> None:
    """What no frame may hold is not even sent: it would close the connection."""
    bob = await server.person("bob")
    async with connected(server, bob) as his:
        states, told = Told(his.chat, "state"), Told(his.chat, "error")
        with pytest.raises(HereaboutsError) as absent:
            await his.chat.join("absent")
        with pytest.raises(HereaboutsError) as large:
            await his.chat.request("join_room", room_id="x" * 65_536)
        assert [raised.value.code for raised in (absent, large)] == ["not_found", "too_large"]
        his.chat.notify("nonsense")
        assert (await told.next(type="error"))["code"] == "invalid_message"
        assert (told.events, states.events) == ([], [])


async def test_a_server_that_is_not_there_is_tried_until_it_is(server: Server) -> None:
    bob = await server.person("bob")
    async with connected(server, bob) as his:
        states = Told(his.chat, "state")
        await server.app.stop()
        for _ in range(2):
            await states.next(state="waiting")
            his.retry_now()
        await states.next(state="waiting")
        await server.start_again()
        his.retry_now()
        await his.chat.ready()
        assert his.chat.close_code == 1012


@pytest.mark.logs("tornado.access ERROR 503 GET /api/v1/ws/connect")
async def test_a_refusal_over_http_says_when_to_come_back() -> None:
    """A proxy, or a server that admits no more for now."""

    class Busy(RequestHandler):
        def get(self) -> None:
            self.set_status(503)
            self.set_header("Retry-After", "7")

    async with web(Busy) as origin, Hereabouts(origin) as ann:
        states = Told(ann.chat, "state")
        await ann.auth.use_token("a token", USER)
        waiting = await states.next(state="waiting")
        assert 6 < waiting["retry_at"] - time.time() <= 7


@pytest.mark.parametrize("place", [silent, mute], ids=["before the handshake", "before `connected`"])
async def test_a_server_that_says_nothing_is_given_up(
    place: Callable[[], AbstractAsyncContextManager[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And tried again."""
    monkeypatch.setattr("client.socket.CONNECT_SECONDS", 0.1)
    monkeypatch.setattr("client.socket.HANDSHAKE_SECONDS", 0.1)
    async with place() as origin, Hereabouts(origin) as ann:
        states = Told(ann.chat, "state")
        await ann.auth.use_token("a token", USER)
        for _ in range(2):
            await states.next(state="connecting")
            await states.next(state="waiting")
            ann.retry_now()
        assert ann.chat.close_code is None


async def test_it_may_be_closed_at_any_moment(server: Server) -> None:
    """While it connects, as soon as it is open, from a listener; nothing is left open behind it."""
    bob = await server.person("bob")
    for state in ("connecting", "open"):
        async with Hereabouts(server.origin) as his:
            states = Told(his.chat, "state")

            def close(event: dict[str, object], his: Hereabouts = his, state: str = state) -> None:
                if event["state"] == state:
                    his.chat.close()

            his.chat.on("state", close)
            await his.auth.use_token(bob.token)
            await states.next(state="closed")
    for moment in range(10):
        async with Hereabouts(server.origin) as his:
            await his.auth.use_token(bob.token)
            for _ in range(moment):
                await asyncio.sleep(0)
    async with asyncio.timeout(5):
        while server.app.node.chat.of_user(bob.id):
            await asyncio.sleep(0.01)
