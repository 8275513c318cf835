"""Coming back: nothing is lost and nothing is told or written twice, whatever the network did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from client import Hereabouts
from server import errors
from server.codec import encode
from server.services.resuming import MOST_MISSED
from tests.client.steps import Told, connected, contents, dismiss, proxied, say
from tests.harness import Person, Server

AWAY = errors.try_later(60)  # until the test calls `retry_now`


async def room_of(kind: str, ann: Person, bob: Person) -> str:
    if kind == "land":
        return await ann.land()
    return await ann.private(bob) if kind == "private" else await ann.group(bob)


async def send_away(server: Server, person: Person, client: Hereabouts) -> None:
    states = Told(client.chat, "state")
    dismiss(server, person, AWAY)
    await states.next(state="waiting")


@pytest.mark.parametrize("kind", ["land", "private", "group"])
async def test_what_was_said_and_deleted_meanwhile_is_told(
    kind: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order and once; what was deleted is named, whether it had been told before or not. The resume is enough."""
    ann, bob = await server.person("ann"), await server.person("bob")
    room = await room_of(kind, ann, bob)
    async with connected(server, bob) as his:
        await his.chat.join(room)
        heard = Told(his.chat, "message")
        deleted, synced, resumed = (Told(his.chat, type) for type in ("message_deleted", "synced", "resumed"))
        pages: list[str] = []
        read = his.api.messages

        async def counted(room_id: str, **page: int) -> dict[str, Any]:
            pages.append(room_id)
            return await read(room_id, **page)

        monkeypatch.setattr(his.api, "messages", counted)
        said = await say(ann, room, "one", "two", "three")
        await heard.until(lambda events: len(events) == 3)
        await send_away(server, bob, his)
        said += await say(ann, room, "four", "five", "six")
        for gone in (said[1], said[3]):
            await ann.ok("DELETE", f"/chat/sessions/{room}/messages/{gone['id']}")
        his.retry_now()
        await synced.next()
        said += await say(ann, room, "seven")
        await heard.until(lambda events: contents(events)[-1] == "seven")
        assert contents(heard.events) == ["one", "two", "three", "five", "six", "seven"]
        assert {event["id"] for event in deleted.events} == {said[1]["id"], said[3]["id"]}
        (answer,) = resumed.events
        assert (answer["kind"], answer["last_seq"], answer["complete"]) == (kind, 6, True)
        assert pages == []


async def test_a_session_is_followed_from_its_first_message_on(server: Server) -> None:
    """Without a word of the program's: made while connected, or with a message while connected."""
    ann, bob = await server.person("ann"), await server.person("bob")
    old = await ann.private(bob)
    await say(ann, old, "long ago")
    async with connected(server, bob) as his:
        heard, made = Told(his.chat, "message"), Told(his.chat, "session_created")
        new = await ann.group(bob)
        await made.next()
        await say(ann, old, "now")
        await heard.next(content="now")
        await send_away(server, bob, his)
        await say(ann, old, "old")
        await say(ann, new, "new")
        his.retry_now()
        await heard.until(lambda events: len(events) == 2)
        assert sorted(contents(heard.events)) == ["new", "old"]


async def test_a_bot_goes_on_from_the_place_that_it_kept(server: Server) -> None:
    """Handed over before it is connected, or after."""
    ann, bob = await server.person("ann"), await server.person("bob")
    rooms = [await ann.private(bob), await ann.group(bob)]
    for room in rooms:
        await say(ann, room, "one", "two", "three")
    async with Hereabouts(server.origin) as his:
        heard = Told(his.chat, "message")
        sessions = {
            session["id"]: session
            for _, answer in [await bob.call("GET", "/chat/sessions")]
            for session in answer["sessions"]
        }
        his.chat.follow(sessions[rooms[0]], after_seq=1)
        await his.auth.use_token(bob.token)
        await his.chat.ready()
        his.chat.follow(sessions[rooms[1]], after_seq=2)
        await heard.until(lambda events: len(events) == 3)
        assert [(message["room_id"], message["content"]) for message in heard.events] == [
            (rooms[0], "two"),
            (rooms[0], "three"),
            (rooms[1], "three"),
        ]


@pytest.mark.parametrize("lost", ["the request", "its acknowledgement"])
async def test_what_was_not_acknowledged_is_written_once(lost: str, server: Server) -> None:
    """The connection is cut before the server has it, or after: it is sent again as the same message."""
    ann, bob = await server.person("ann"), await server.person("bob")
    room = await ann.private(bob)
    hers = await ann.chat()
    async with proxied(server) as (proxy, origin), connected(server, bob, origin) as his:
        proxy.lose_answers = True
        proxy.lose_requests = lost == "the request"
        states = Told(his.chat, "outgoing")
        heard = Told(his.chat, "message")
        message = his.chat.send(room, "hello")
        behind = his.chat.send(room, "and again")
        if lost == "its acknowledgement":
            await hers.next("message", client_id=message.client_id)
        assert (message.state, states.events) == ("sending", [message, behind])
        proxy.pass_on()
        for sent in (message, behind):
            await sent.settled()
        assert [(sent.state, sent.seq) for sent in (message, behind)] == [("sent", 1), ("sent", 2)]
        assert states.events == [message, behind, message, behind]
        await heard.until(lambda events: len(events) >= 1 and contents(events)[-1] == "and again")
    history = await ann.ok("GET", f"/chat/sessions/{room}/messages?after=0")
    assert contents(history["messages"]) == ["hello", "and again"]


async def test_two_who_talk_over_a_bad_network_miss_nothing(server: Server) -> None:
    """Cut off again and again in mid-sentence, both see one order, and each the other's in the order written."""
    ann, bob = await server.person("ann"), await server.person("bob")
    room = await ann.private(bob)
    await say(ann, room, "the first")
    async with (
        proxied(server) as (proxy, origin),
        connected(server, ann, origin) as hers,
        connected(server, bob, origin) as his,
    ):
        heard = []
        for who in (hers, his):
            who.chat.follow((await who.api.all_sessions())[0])
            heard.append(Told(who.chat, "message"))
        for who in (hers, his):
            who.chat.on("message", lambda message: proxy.cut() if message["seq"] % 20 == 0 else None)
        sent = [
            who.chat.send(room, f"{name}{i}") for i in range(50) for name, who in (("a", hers), ("b", his))
        ]
        for message in sent:
            assert (await message.settled()).state == "sent"
        for told in heard:
            await told.until(lambda events: len(events) >= 100)
            assert [message["seq"] for message in told.events] == list(range(2, 102))
        assert contents(heard[0].events) == contents(heard[1].events)
        for name in ("a", "b"):
            own = [content for content in contents(heard[0].events) if content.startswith(name)]
            assert own == [f"{name}{i}" for i in range(50)]


async def test_the_order_stays_when_the_server_refuses_some_for_the_moment(
    new_server: Callable[..., Server],
) -> None:
    """Over its rate; nothing overtakes what has to be sent again."""
    async with new_server(rate_limits=True, request_rate=40.0, request_burst=25.0) as server:
        ann, bob = await server.people(2)
        room = await ann.private(bob)
        async with Hereabouts(server.origin) as his:
            await his.auth.use_token(bob.token)
            await his.chat.ready()
            sent = [his.chat.send(room, str(number)) for number in range(30)]
            for message in sent:
                await message.settled()
            assert [message.seq for message in sent] == list(range(1, 31))
            counted = (await server.fetch("GET", f"{server.origin}/metrics")).body.decode()
            assert 'outcome="rate_limited",type="send_message"' in counted


async def test_who_has_missed_too_much_for_a_replay_reads_it_from_history(server: Server) -> None:
    """Page by page, while new ones come; one of them was deleted."""
    ann, bob = await server.person("ann"), await server.person("bob")
    room = await ann.private(bob)
    hers = await ann.chat()
    async with connected(server, bob) as his:
        heard, deleted, synced = (Told(his.chat, type) for type in ("message", "message_deleted", "synced"))
        await say(ann, room, "one")
        await heard.next(seq=1)
        await send_away(server, bob, his)
        missed = MOST_MISSED + 50
        for number in range(missed):
            await hers.send(type="send_message", room_id=room, content=str(number))
        await hers.next("message", seq=1 + missed)
        gone = await hers.next("message", seq=500)
        await ann.ok("DELETE", f"/chat/sessions/{room}/messages/{gone['id']}")
        his.retry_now()
        pages = Told(his.chat, "resumed")
        answer = await pages.next(room_id=room)
        assert not answer["complete"]
        await hers.send(type="send_message", room_id=room, content="meanwhile")
        await synced.next()
        last = 2 + missed
        await heard.until(lambda events: bool(events) and events[-1]["seq"] == last)
        assert [message["seq"] for message in heard.events] == [
            seq for seq in range(2, last + 1) if seq != 500
        ]
        assert {event["id"] for event in deleted.events} == {gone["id"]}


async def test_a_resume_that_is_cut_off_is_done_again_from_there(server: Server) -> None:
    ann, bob = await server.person("ann"), await server.person("bob")
    room = await ann.private(bob)
    hers = await ann.chat()
    async with proxied(server) as (proxy, origin), connected(server, bob, origin) as his:
        heard, synced, opened = (
            Told(his.chat, "message"),
            Told(his.chat, "synced"),
            Told(his.chat, "connected"),
        )
        await say(ann, room, "one")
        await heard.next(seq=1)
        await send_away(server, bob, his)
        for number in range(600):
            await hers.send(type="send_message", room_id=room, content=str(number))
        await hers.next("message", seq=601)
        cuts = [100, 300]

        def cut(message: dict[str, Any]) -> None:
            if cuts and message["seq"] == cuts[0]:
                del cuts[0]
                his.chat.restart()

        his.chat.on("message", cut)
        his.retry_now()
        await synced.next()
        assert [message["seq"] for message in heard.events] == list(range(2, 602))
        assert len(opened.events) == 3


async def test_a_room_that_is_lost_meanwhile_is_told_and_the_others_go_on(server: Server) -> None:
    """What waits to be sent there fails."""
    ann, bob = await server.person("ann"), await server.person("bob")
    land, room = await ann.land(), await ann.private(bob)
    async with connected(server, bob) as his:
        heard, lost, synced = (Told(his.chat, type) for type in ("message", "room_lost", "synced"))
        for joined in (land, room):
            await his.chat.join(joined)
        await send_away(server, bob, his)
        await ann.ok("PATCH", f"/lands/{land}", {"access": "invited"})
        await say(ann, room, "still here")
        there, here = his.chat.send(land, "hello?"), his.chat.send(room, "yes")
        his.retry_now()
        event = await lost.next(room_id=land)
        assert event["error"].code == "not_found"
        await synced.next()
        await heard.next(content="still here")
        for message in (there, here):
            await message.settled()
        assert (there.state, here.state) == ("failed", "sent")
        assert there.error is not None and there.error.code == "not_found"


async def test_a_room_that_was_left_is_not_resumed(server: Server) -> None:
    """Left while away, or before; although messages of a private session still come while connected."""
    ann, bob = await server.person("ann"), await server.person("bob")
    before, away, kept = await ann.private(bob), await ann.land(x=20), await ann.land(x=40)
    async with connected(server, bob) as his:
        heard, synced, resumed = (Told(his.chat, type) for type in ("message", "synced", "resumed"))
        for room in (before, away, kept):
            await his.chat.join(room)
        await his.chat.leave(before)
        await say(ann, before, "still there?")
        await heard.next(content="still there?")
        await send_away(server, bob, his)
        await his.chat.leave(away)
        his.retry_now()
        await synced.next()
        assert [event["room_id"] for event in resumed.events] == [kept]
        (connection,) = server.app.node.chat.of_user(bob.id)
        assert connection.rooms == {kept}


async def test_a_gap_is_read_from_history(server: Server) -> None:
    """A message that skips ahead waits until what comes before it is there."""
    ann, bob = await server.person("ann"), await server.person("bob")
    land = await ann.land()
    async with connected(server, bob) as his:
        heard = Told(his.chat, "message")
        his.chat.follow({"id": land, "last_seq": 0})  # not joined, so none of these comes
        said = await say(ann, land, "one", "two", "three")
        (connection,) = server.app.node.chat.of_user(bob.id)
        connection.send(encode({"type": "message", **said[2]}))
        await heard.until(lambda events: len(events) == 3)
        assert contents(heard.events) == ["one", "two", "three"]


async def test_a_place_beyond_the_end_of_the_room_is_given_up(server: Server) -> None:
    """As after a restored backup: what the server counts anew is told."""
    ann, bob = await server.person("ann"), await server.person("bob")
    room = await ann.private(bob)
    await say(ann, room, "one", "two")
    async with Hereabouts(server.origin) as his:
        heard = Told(his.chat, "message")
        his.chat.follow({"id": room, "last_seq": 9})
        await his.auth.use_token(bob.token)
        await his.chat.ready()
        await say(ann, room, "three")
        assert (await heard.next())["content"] == "three"
        assert heard.events == []


async def test_more_rooms_than_one_request_holds(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are asked for in several, and each is resumed once."""
    monkeypatch.setattr("client.chat.RESUME_ROOMS", 3)
    ann, bob = await server.person("ann"), await server.person("bob")
    rooms = [await ann.group(bob, name=str(number)) for number in range(7)]
    async with connected(server, bob) as his:
        heard, synced, resumed = (Told(his.chat, type) for type in ("message", "synced", "resumed"))
        for room in rooms:
            await his.chat.join(room)
        await send_away(server, bob, his)
        for room in rooms:
            await say(ann, room, "hello")
        his.retry_now()
        await synced.next()
        assert sorted(event["room_id"] for event in resumed.events) == sorted(rooms)
        assert len({event["ref"] for event in resumed.events}) == 3
        assert len(heard.events) == 7


async def test_a_resume_that_is_refused_for_the_moment_is_asked_again(
    new_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the rate of requests: what waits to be sent goes out when its room is there."""
    monkeypatch.setattr("client.chat.RESUME_ROOMS", 1)
    async with new_server(rate_limits=True, request_rate=100.0, request_burst=45.0) as server:
        ann, bob = await server.people(2)
        rooms = [await ann.land(x=20 * number) for number in range(6)]
        async with Hereabouts(server.origin) as his:
            await his.auth.use_token(bob.token)
            await his.chat.ready()
            heard, synced, resumed = (Told(his.chat, type) for type in ("message", "synced", "resumed"))
            for room in rooms:
                his.chat.follow({"id": room, "last_seq": 0})
            await send_away(server, bob, his)
            sent = []
            for room in rooms:
                await say(ann, room, "hello")
                sent.append(his.chat.send(room, "hello yourself"))
            his.retry_now()
            await synced.next()
            for message in sent:
                assert (await message.settled()).state == "sent"
            assert sorted(event["room_id"] for event in resumed.events) == sorted(rooms)
            await heard.until(lambda events: len(events) == 12)
            counted = (await server.fetch("GET", f"{server.origin}/metrics")).body.decode()
            assert 'outcome="rate_limited",type="resume"' in counted


@pytest.mark.logs("hereabouts.client ERROR a listener to 'message' raised")
async def test_a_listener_that_raises_breaks_nothing(server: Server) -> None:
    """Neither the messages behind it nor coming back."""
    ann, bob = await server.person("ann"), await server.person("bob")
    room = await ann.private(bob)
    async with connected(server, bob) as his:
        heard = Told(his.chat, "message")

        def broken(message: dict[str, Any]) -> None:
            raise RuntimeError(message["content"])

        his.chat.on("message", broken)
        await say(ann, room, "one", "two")
        await heard.until(lambda events: len(events) == 2)
        await send_away(server, bob, his)
        await say(ann, room, "three", "four")
        his.retry_now()
        await heard.until(lambda events: len(events) == 4)
        assert contents(heard.events) == ["one", "two", "three", "four"]
