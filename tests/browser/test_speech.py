"""What is said aloud, by the client library in a real Chromium: once and in order, whatever the network does."""

from __future__ import annotations

import pytest

from server.services.resuming import MOST_MISSED
from tests.browser.client import Client, client_of, forgive, road
from tests.harness import Person, Server, Socket


async def at(person: Person) -> Socket:
    socket = await person.chat()
    await socket.ask("location_updated", type="update_location", x=0, y=0)
    return socket


async def say(socket: Socket, *contents: str) -> None:
    for content in contents:
        await socket.ask("speech_ack", type="say", content=content)


async def heard(client: Client, count: int) -> list[str]:
    await client.until("told.speech.length >= given", count)
    return [str(content) for content in await client.told("speech", "content")]


@pytest.mark.gen_test(timeout=180)
async def test_what_one_says_those_near_are_told_and_so_is_who_speaks(server: Server, browse) -> None:
    """With its id when it is sent; what was said before one came is not told, and can be read."""
    ann, bob = await server.person("ann"), await server.person("bob")
    hers = await at(ann)
    await say(hers, "before")
    await at(bob)
    await say(hers, "to bob, elsewhere")
    async with browse(server) as browser:
        client = await client_of(browser, bob)
        await client.run("await chat.updateLocation({ x: 1, y: 2 }); chat.say('hello');")
        speech = await hers.next("speech", sender_id=bob.id)
        assert (speech["content"], speech["x"], speech["y"]) == ("hello", 1, 2)
        await client.until("told.outgoing.length === 2")
        sent = await client.told("outgoing", "state", "id", "room_id", "content")
        assert sent[0][0] == "sending"
        assert sent[1] == ("sent", speech["id"], None, "hello")
        await say(hers, "hello yourself")
        assert await heard(client, 2) == ["hello", "hello yourself"]
        assert (await client.told("speech"))[0] == speech
        page = await client.run(
            "return (await here.api.speech({ limit: 3 })).speech.map(({ content }) => content);"
        )
        assert page == ["hello yourself", "hello", "to bob, elsewhere"]


@pytest.mark.gen_test(timeout=240)
async def test_what_was_missed_is_told_in_order_and_once(server: Server, browse) -> None:
    """Replayed where it was little, also to one who had heard nothing yet; read from history where it was much."""
    ann, bob = await server.person("ann"), await server.person("bob")
    hers = await at(ann)
    await at(bob)
    await say(hers, "before bob signed in here")
    async with road(server.app.port) as way, browse(server) as browser:
        client = await client_of(browser, bob, port=way.port)
        expected: list[str] = []
        for synced in (2, 3):
            way.close()
            await client.until("chat.state !== 'open'")
            missed = [f"{synced}.{number}" for number in range(3)]
            await say(hers, *missed)
            way.open()
            await client.synced(synced)
            await say(hers, f"{synced}.live")
            expected += [*missed, f"{synced}.live"]
            assert await heard(client, len(expected)) == expected
        way.close()
        await client.until("chat.state !== 'open'")
        many = [str(number) for number in range(MOST_MISSED + 50)]
        for content in many:
            await hers.send(type="say", content=content)
        for _ in many:
            await hers.next("speech_ack")
        way.open()
        await client.until("told.speech_resumed.length === 4")
        await say(hers, "meanwhile")
        expected += [*many, "meanwhile"]
        assert await heard(client, len(expected)) == expected
        assert await client.told("speech_resumed", "complete") == [True, True, True, False]
        forgive(client.visitor)


@pytest.mark.gen_test(timeout=180)
async def test_what_was_not_acknowledged_is_said_again_and_heard_once(server: Server, browse) -> None:
    """When it is known again where one stands, and in the order in which it was said."""
    ann, bob = await server.person("ann"), await server.person("bob")
    hers = await at(ann)
    async with road(server.app.port) as way, browse(server) as browser:
        client = await client_of(browser, bob, port=way.port)
        await client.run("await chat.updateLocation({ x: 0, y: 0 });")
        way.lose_answers()
        await client.run("chat.say('first'); chat.say('second');")
        await hers.next("speech", content="first")
        way.open()
        await client.until("told.connected.length === 2")
        await client.synced(2)
        assert await client.told("outgoing", "state") == ["sending", "sending"]
        await client.run("await chat.updateLocation({ x: 0, y: 0 });")
        await hers.next("speech", content="second")
        await client.until("told.outgoing.length === 4")
        assert await client.told("outgoing", "state", "content") == [
            ("sending", "first"),
            ("sending", "second"),
            ("sent", "first"),
            ("sent", "second"),
        ]
        await hers.quiet("speech")
        forgive(client.visitor)
