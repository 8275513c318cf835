"""What is said aloud, by the library against a real server: once and in order, whatever the network does."""

from __future__ import annotations

from client import Hereabouts
from server.errors import restarting
from server.services.resuming import MOST_MISSED
from tests.client.steps import Told, connected, contents, dismiss, proxied
from tests.harness import Person, Server, Socket


async def at(person: Person) -> Socket:
    socket = await person.chat()
    await socket.ask("location_updated", type="update_location", x=0, y=0)
    return socket


async def away(hereabouts: Hereabouts, server: Server, person: Person) -> None:
    """Its connection is gone, and it waits for `retry_now`."""
    states = Told(hereabouts.chat, "state")
    dismiss(server, person, restarting(60))
    await states.next(state="waiting")


async def test_what_one_says_those_near_are_told_and_so_is_who_speaks(server: Server) -> None:
    """As it is sent, with its id; what was said before one came is not told."""
    ann, bob = await server.person("ann"), await server.person("bob")
    early = await at(ann)
    await early.ask("speech_ack", type="say", content="before")
    async with connected(server, ann) as hers, connected(server, bob) as his:
        heard = {who: Told(who.chat, "speech") for who in (hers, his)}
        states = Told(hers.chat, "outgoing")
        nowhere = await his.chat.say("too soon").settled()
        assert nowhere.error is not None and nowhere.error.code == "not_joined"
        for who in (hers, his):
            await who.chat.update_location(1, 2)
        said = hers.chat.say("hello")
        assert (said.state, said.room_id) == ("sending", None)
        await said.settled()
        assert (said.state, said.seq) == ("sent", None)
        assert states.events == [said, said]
        for told in heard.values():
            speech = await told.next(sender_id=ann.id)
            assert (speech["content"], speech["id"], speech["x"]) == ("hello", said.id, 1)
        his.chat.retry(nowhere.client_id)
        await nowhere.settled()
        assert nowhere.state == "sent"
        await heard[hers].next(content="too soon")
        page = await hers.api.speech(limit=2)
        assert contents(page["speech"]) == ["too soon", "hello"]
        page = await hers.api.speech(before=page["next_before"])
        assert contents(page["speech"]) == ["before"]


async def test_what_was_missed_is_told_in_order_and_once(server: Server) -> None:
    """Also by one who had heard nothing yet, and after a second loss."""
    ann, bob = await server.person("ann"), await server.person("bob")
    hers, place = await at(ann), await at(bob)
    async with connected(server, bob) as his:
        heard = Told(his.chat, "speech")
        for round in range(3):
            await away(his, server, bob)
            place = await at(bob)
            for number in range(3):
                await hers.ask("speech_ack", type="say", content=f"{round}.{number}")
            his.retry_now()
            await his.chat.ready()
        await hers.ask("speech_ack", type="say", content="live")
        await heard.until(lambda events: len(events) >= 10)
        assert contents(heard.events) == [f"{r}.{n}" for r in range(3) for n in range(3)] + ["live"]
    await place.close()


async def test_who_has_missed_too_much_reads_it_from_history(server: Server) -> None:
    """All of it, in order, while new ones come."""
    ann, bob = await server.person("ann"), await server.person("bob")
    hers, place = await at(ann), await at(bob)
    async with connected(server, bob) as his:
        heard, resumed = Told(his.chat, "speech"), Told(his.chat, "speech_resumed")
        await hers.ask("speech_ack", type="say", content="heard")
        await heard.next(content="heard")
        await away(his, server, bob)
        place = await at(bob)
        missed = [str(number) for number in range(MOST_MISSED + 50)]
        for content in missed:
            await hers.send(type="say", content=content)
        for _ in missed:
            await hers.next("speech_ack")
        his.retry_now()
        assert not (await resumed.next())["complete"]
        await hers.ask("speech_ack", type="say", content="meanwhile")
        await heard.until(lambda events: bool(events) and events[-1]["content"] == "meanwhile")
        assert contents(heard.events) == [*missed, "meanwhile"]
    await place.close()


async def test_what_was_not_acknowledged_is_said_again_and_heard_once(server: Server) -> None:
    """After a loss: when it is known again where one stands, and in the order in which it was said."""
    ann, bob = await server.person("ann"), await server.person("bob")
    his = await at(bob)
    async with proxied(server) as (proxy, origin), connected(server, ann, origin) as hers:
        await hers.chat.update_location(0, 0)
        proxy.lose_answers = True
        first, second = hers.chat.say("first"), hers.chat.say("second")
        await his.next("speech", content="first")
        assert first.state == "sending"
        states = Told(hers.chat, "state")
        proxy.pass_on()
        await states.next(state="open")
        await hers.chat.ready()
        assert (first.state, second.state) == ("sending", "sending")
        await hers.chat.update_location(0, 0)
        for each in (first, second):
            await each.settled()
            assert each.state == "sent"
        assert (await his.next("speech"))["content"] == "second"
        await his.quiet("speech")
