"""The chat socket against a real server."""

from __future__ import annotations

from client import Hereabouts
from tests.client.steps import Told, connected
from tests.harness import PASSWORD, Server


async def test_what_one_sends_the_other_is_told(server: Server) -> None:
    """From registering on, in a land; the sender learns the message's place, and is told it too."""
    async with Hereabouts(server.origin) as ann, Hereabouts(server.origin) as bob:
        for hereabouts, name in ((ann, "ann"), (bob, "bob")):
            user = await hereabouts.auth.register(username=name, password=PASSWORD)
            assert (user["username"], hereabouts.user) == (name, user)
            await hereabouts.chat.ready()
        land = await ann.api.claim_land("here", 0, 0, 10, 10)
        heard = {who: Told(who.chat, "message") for who in (ann, bob)}
        for who in (ann, bob):
            joined = await who.chat.join(land["id"])
            assert (joined["kind"], joined["last_seq"]) == ("land", 0)
        states = Told(ann.chat, "outgoing")
        sent = ann.chat.send(land["id"], "hello")
        assert (sent.state, sent.seq) == ("sending", None)
        await sent.settled()
        assert (sent.state, sent.seq, sent.error) == ("sent", 1, None)
        assert states.events == [sent, sent]
        for told in heard.values():
            message = await told.next(room_id=land["id"])
            assert (message["content"], message["id"], message["seq"]) == ("hello", sent.id, 1)
            assert message["client_id"] == sent.client_id


async def test_messages_of_one_room_are_sent_in_order(server: Server) -> None:
    """However many are handed over at once."""
    ann, bob = await server.person("ann"), await server.person("bob")
    room = await ann.private(bob)
    async with connected(server, ann) as hers, connected(server, bob) as his:
        heard = Told(his.chat, "message")
        sent = [hers.chat.send(room, str(number)) for number in range(50)]
        for message in sent:
            await message.settled()
        assert [message.seq for message in sent] == list(range(1, 51))
        messages = await heard.until(lambda events: len(events) == 50)
        assert [message["content"] for message in messages] == [str(number) for number in range(50)]


async def test_typing_may_be_said_at_every_key(server: Server) -> None:
    """No more of it is sent than the server passes on; what is sent ends it."""
    ann, bob = await server.person("ann"), await server.person("bob")
    room = await ann.private(bob)
    his = await bob.chat(room)
    async with connected(server, ann) as hers:
        await hers.chat.join(room)
        hers.chat.typing(room, False)
        for _ in range(5):
            hers.chat.typing(room)
        hers.chat.typing(room, False)
        hers.chat.typing(room, False)
        await hers.chat.request("ping")
        counted = (await server.fetch("GET", f"{server.origin}/metrics")).body.decode()
        assert 'hereabouts_requests_total{outcome="ok",type="typing"} 2.0' in counted
        assert (await his.next("typing"))["is_typing"]
        hers.chat.typing(room)
        await hers.chat.send(room, "hello").settled()
        hers.chat.typing(room)  # anew
        await hers.chat.request("ping")
        counted = (await server.fetch("GET", f"{server.origin}/metrics")).body.decode()
        assert 'hereabouts_requests_total{outcome="ok",type="typing"} 4.0' in counted


async def test_reading_and_standing_somewhere(server: Server) -> None:
    """The answers are returned; who is near comes as an event."""
    ann, bob = await server.person("ann"), await server.person("bob")
    land = await ann.land()
    async with connected(server, ann) as hers, connected(server, bob) as his:
        await hers.chat.join(land)
        outside = await his.chat.send(land, "not in yet").settled()
        assert outside.error is not None and outside.error.code == "not_joined"
        await his.chat.join(land)
        message = await his.chat.send(land, "hello").settled()
        assert message.seq is not None
        assert (await hers.chat.mark_read(land, message.seq))["seq"] == message.seq
        near = Told(his.chat, "nearby_users")
        await hers.chat.update_location(1, 2)
        where = await his.chat.update_location(3.5, 2, radius=5)
        assert (where["x"], where["y"], where["land_id"]) == (3.5, 2, land)
        (user,) = (await near.next(radius=5))["users"]
        assert (user["username"], user["distance"]) == ("ann", 2.5)
