"""The client library in a real Chromium, against a real server: connections that go and come back, and nothing lost."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.client import Client, client_of, forgive, road
from tests.harness import Person, Server, Socket

# The page's sockets, for a test that has to know of one that the library has let go of.
KEEP_SOCKETS = """() => {
  const Real = WebSocket;
  window.sockets = [];
  globalThis.WebSocket = class extends Real {
    constructor(...given) { super(...given); window.sockets.push(this); }
  };
}"""

# Stands in for a database that is away for a moment: the first resume is refused as a whole, of the second its first room.
REFUSE_RESUMES = """() => {
  const Real = WebSocket;
  const refusals = [() => ({}), ({ rooms }) => ({ room_id: rooms.shift().room_id })];
  globalThis.WebSocket = class extends Real {
    send(text) {
      const frame = JSON.parse(text);
      if (frame.type !== 'resume' || !frame.rooms.length || !refusals.length) return super.send(text);
      const refusal = refusals.shift()(frame);
      if (refusal.room_id) super.send(JSON.stringify(frame));
      const error = { type: 'error', code: 'unavailable', message: 'away', retry_after: 0.1, ref: frame.ref };
      this.onmessage({ data: JSON.stringify({ ...error, ...refusal }) });
    }
  };
}"""

README = Path(__file__).resolve().parents[2] / "static/js/client/README.md"


async def post(person: Person, room: str, *texts: str) -> list[str]:
    """Writes messages one after the other; their ids."""
    return [
        (await person.ok("POST", f"/chat/sessions/{room}/messages", {"content": text}))["id"]
        for text in texts
    ]


async def flood(socket: Socket, room: str, count: int) -> None:
    """Writes the first messages of a room, so many at once, and waits until the last one is told."""
    for number in range(1, count + 1):
        await socket.send(type="send_message", room_id=room, content=f"line {number}")
    await socket.next("message", room_id=room, seq=count)


async def contents(person: Person, room: str) -> list[str]:
    """What is written in a room, oldest first."""
    page = await person.ok("GET", f"/chat/sessions/{room}/messages?after=0&limit=200")
    return [message["content"] for message in page["messages"]]


@pytest.mark.gen_test(timeout=180)
async def test_a_return_is_one_resume(server: Server, browse) -> None:
    """What came while the network was away comes once and in order, what was deleted is told; no history is read for it."""
    ann, bob = await server.person("ann"), await server.person("bob")
    land, private, group = await ann.land(), await ann.private(bob), await ann.group(bob)
    seen = await post(ann, land, "seen and stays", "seen and goes")
    async with road(server.app.port) as way, browse(server) as browser:
        client = await client_of(browser, bob, port=way.port)
        await client.run("await chat.join(given)", land)
        seen += await post(ann, land, "as it happens")
        await client.until("told.message.length === 1")

        client.wire.forget()
        way.close()
        await client.until("chat.state !== 'open'")
        missed = await post(ann, land, "missed", "missed and gone", "missed too")
        await post(ann, private, "psst")
        await ann.ok("DELETE", f"/chat/sessions/{land}/messages/{seen[1]}")
        await ann.ok("DELETE", f"/chat/sessions/{land}/messages/{missed[1]}")
        way.open()
        await client.synced(2)
        await post(ann, land, "and on")
        await client.until("told.message.length === 5")

        in_land = [event for event in await client.told("message") if event["room_id"] == land]
        assert [(event["seq"], event["content"]) for event in in_land] == [
            (3, "as it happens"),
            (4, "missed"),
            (6, "missed too"),
            (7, "and on"),
        ]
        assert {seen[1], missed[1]} <= set(await client.told("message_deleted", "id"))
        [resume] = client.wire.of("resume")
        assert {room["room_id"]: room["after_seq"] for room in resume["rooms"]} == {
            land: 3,
            private: 0,
            group: 0,
        }
        assert client.wire.history == []
        assert client.wire.of("join_room") == []
        forgive(client.visitor)


@pytest.mark.gen_test(timeout=180)
async def test_a_return_to_more_rooms_than_one_resume_takes(server: Server, browse) -> None:
    """With more than 200 rooms it takes a second request, and no more."""
    ann, bob = await server.person("ann"), await server.person("bob")
    rooms = [await ann.group(bob, name=f"group {number}") for number in range(201)]
    async with road(server.app.port) as way, browse(server) as browser:
        client = await client_of(browser, bob, port=way.port)
        client.wire.forget()
        way.close()
        await client.until("chat.state !== 'open'")
        for room in (rooms[0], rooms[-1]):
            await post(ann, room, "missed")
        way.open()
        await client.synced(2)
        assert sorted(await client.told("message", "room_id")) == sorted((rooms[0], rooms[-1]))
        assert sorted(len(request["rooms"]) for request in client.wire.of("resume")) == [1, 200]
        forgive(client.visitor)


@pytest.mark.gen_test(timeout=180)
async def test_a_resume_that_is_refused_for_the_moment(server: Server, browse) -> None:
    """It is asked for again, of the rooms that still need it; messages for them wait until then and do not fail."""
    ann, bob = await server.person("ann"), await server.person("bob")
    lands = [await ann.land(), await ann.land(20)]
    async with road(server.app.port) as way, browse(server) as browser:
        client = Client(await browser.visit("bob", port=way.port))
        await client.visitor.page.evaluate(REFUSE_RESUMES)
        await client.sign_in(bob)
        await client.synced(1)
        await client.run("for (const land of given) await chat.join(land)", lands)
        way.close()
        await client.until("chat.state !== 'open'")
        for land in lands:
            await post(ann, land, "missed")
        await client.run("for (const land of given) chat.send(land, 'waits')", lands)
        way.open()
        await client.synced(2)
        await client.until("told.message.length === 4")
        assert await client.told("room_lost") == []
        assert sorted(await client.told("message", "room_id", "content")) == sorted(
            (land, text) for land in lands for text in ("missed", "waits")
        )
        assert client.wire.resumed == [
            [lands[1]],
            [lands[0]],
        ]  # that reached the server: the second land, then the refused first
        assert client.wire.history == []
        forgive(client.visitor)


@pytest.mark.gen_test(timeout=180)
async def test_a_room_that_is_left_without_a_connection(server: Server, browse) -> None:
    """It is left with the connection: the return does not enter it again."""
    ann, bob = await server.person("ann"), await server.person("bob")
    left, kept = await ann.land(), await ann.land(20)
    async with road(server.app.port) as way, browse(server) as browser:
        client = await client_of(browser, bob, port=way.port)
        await client.run("for (const room of given) await chat.join(room)", [left, kept])
        way.close()
        await client.until("chat.state !== 'open'")
        await client.run("await chat.leave(given)", left)
        way.open()
        await client.synced(2)
        assert client.wire.resumed == [[kept]]
        forgive(client.visitor)


@pytest.mark.gen_test(timeout=240)
async def test_who_missed_too_much_reads_it_from_history(server: Server, browse) -> None:
    """Over 1,000 missed messages come by pages of history, each once and in order, and so does what is said meanwhile."""
    ann, bob = await server.person("ann"), await server.person("bob")
    land = await ann.land()
    writer = await ann.chat(land)
    async with road(server.app.port) as way, browse(server) as browser:
        client = await client_of(browser, bob, port=way.port)
        await client.run("await chat.join(given)", land)
        way.close()
        await client.until("chat.state !== 'open'")
        await flood(writer, land, 1_010)
        way.open()
        await client.until("told.resumed.length === 1")
        await post(ann, land, "meanwhile")
        await client.until("told.message.length >= 1011")
        assert await client.told("message", "seq") == list(range(1, 1_012))
        assert await client.told("resumed", "complete") == [False]
        assert len(client.wire.history) >= 6
        forgive(client.visitor)


@pytest.mark.gen_test(timeout=180)
async def test_a_room_that_closed_meanwhile_is_lost(server: Server, browse) -> None:
    """A land that no longer lets one in is told as lost, and what waits for it fails; the other rooms are resumed."""
    ann, bob = await server.person("ann"), await server.person("bob")
    shut, land = (
        await ann.land(access="invited", invited_ids=[bob.id]),
        await ann.land(20),
    )
    async with road(server.app.port) as way, browse(server) as browser:
        client = await client_of(browser, bob, port=way.port)
        await client.run("for (const room of given) await chat.join(room)", [shut, land])
        way.close()
        await client.until("chat.state !== 'open'")
        await client.run("for (const room of given) chat.send(room, 'hello')", [shut, land])
        await ann.ok("PATCH", f"/lands/{shut}", {"invited_ids": []})
        way.open()
        await client.until("told.outgoing.filter(({ state }) => state !== 'sending').length === 2")
        assert await client.told("room_lost", "room_id", "error") == [(shut, "not_found")]
        assert sorted(await client.told("outgoing", "room_id", "state")) == sorted(
            [(shut, "sending"), (land, "sending"), (shut, "failed"), (land, "sent")]
        )
        forgive(client.visitor)


@pytest.mark.gen_test(timeout=180)
async def test_what_is_sent_while_the_server_is_away_waits(server: Server, browse) -> None:
    """It is `sending` for as long as that takes, goes out once and in its order when the server is back, and is `sent`."""
    ann, bob = await server.person("ann"), await server.person("bob")
    land = await ann.land()
    async with browse(server) as browser:
        client = await client_of(browser, bob)
        await client.run("await chat.join(given)", land)
        await server.app.stop()
        await client.until("chat.state === 'waiting' && chat.closeCode === 1012")
        await client.run(
            "chat.typing(given, true); for (const text of ['one', 'two', 'three']) chat.send(given, text); chat.typing(given, false)",
            land,
        )
        assert await client.told("outgoing", "content", "state") == [
            (text, "sending") for text in ("one", "two", "three")
        ]
        await server.start_again()
        await client.run("here.retryNow()")
        await client.until("told.outgoing.length === 6")
        assert (await client.told("outgoing", "content", "state", "seq"))[3:] == [
            ("one", "sent", 1),
            ("two", "sent", 2),
            ("three", "sent", 3),
        ]
        assert await contents(bob, land) == ["one", "two", "three"]
        states = await client.told("state", "state")
        assert states[:3] == ["connecting", "open", "waiting"] and states[-2:] == ["connecting", "open"]
        assert "closed" not in states
        forgive(client.visitor)


@pytest.mark.gen_test(timeout=180)
async def test_an_acknowledgement_that_was_lost(server: Server, browse) -> None:
    """A message that was written, and whose acknowledgement the network lost, is sent again and written once."""
    ann, bob = await server.person("ann"), await server.person("bob")
    land = await ann.land()
    watcher = await ann.chat(land)
    async with road(server.app.port) as way, browse(server) as browser:
        client = await client_of(browser, bob, port=way.port)
        await client.run("await chat.join(given)", land)
        way.lose_answers()
        await client.run("chat.send(given, 'once'); chat.send(given, 'behind it')", land)
        await watcher.next("message", content="once")
        way.open()
        await client.until("told.outgoing.filter(({ state }) => state === 'sent').length === 2")
        assert [frame["content"] for frame in client.wire.of("send_message")] == ["once", "once", "behind it"]
        assert await contents(bob, land) == ["once", "behind it"]
        assert await client.told("message", "content") == ["once", "behind it"]
        forgive(client.visitor)


@pytest.mark.gen_test(timeout=180)
async def test_order_survives_refusals(new_server, browse) -> None:
    """Messages that the server refuses for the moment do not let later ones of the room pass; none fails."""
    async with (
        new_server(rate_limits=True, request_rate=20.0, request_burst=25.0) as server,
        browse(server) as browser,
    ):
        ann = await server.person("ann")
        land = await ann.land()
        client = await client_of(browser, ann)
        texts = [f"line {number}" for number in range(25)]
        await client.run("await chat.join(given)", land)
        await client.run(
            "given.texts.forEach((text) => chat.send(given.land, text))", {"land": land, "texts": texts}
        )
        await client.until("told.outgoing.filter(({ state }) => state !== 'sending').length === 25")
        assert await contents(ann, land) == texts
        assert len(client.wire.of("send_message")) > len(texts)  # some were refused


@pytest.mark.gen_test(timeout=180)
async def test_what_the_server_never_takes_fails(server: Server, browse) -> None:
    """It is `failed` with the reason, those behind it go on; it can be sent again or given up."""
    ann = await server.person("ann")
    land = await ann.land()
    async with browse(server) as browser:
        client = await client_of(browser, ann)
        # Not joined; more than a frame holds, which would close the connection each time that it is tried.
        await client.run("chat.send(given, 'too early'); chat.send(given, 'x'.repeat(70_000))", land)
        await client.until("told.outgoing.length === 4")
        assert (await client.told("outgoing", "state", "error"))[2:] == [
            ("failed", "not_joined"),
            ("failed", "too_large"),
        ]
        early = (await client.told("outgoing"))[0]
        await client.run("await chat.join(given)", land)
        await client.run("chat.retry(given)", early["client_id"])
        await client.until("told.outgoing.length === 6")
        assert (await client.told("outgoing", "client_id", "state", "error"))[4:] == [
            (early["client_id"], "sending", None),
            (early["client_id"], "sent", None),
        ]
        assert await contents(ann, land) == ["too early"]
        assert await client.told("state", "state") == ["connecting", "open"]


def tries(client: Client) -> int:
    """How often the chat's connection was."""
    return sum("/ws/connect" in socket.url for socket in client.wire.sockets)


@pytest.mark.gen_test(timeout=180)
async def test_turned_away_before_the_beginning(new_server, browse) -> None:
    """A server that says 1013 in place of `connected` is asked again when it said, or when the user asks, and not before."""
    async with new_server(rate_limits=True, connections_per_user=1) as server, browse(server) as browser:
        ann = await server.person("ann")
        other = await ann.chat()
        client = Client(await browser.visit("ann"))
        await client.sign_in(ann)
        await client.until("chat.state === 'waiting'")
        assert await client.run("return chat.retryAt - Date.now()") > 5_000

        tried = tries(client)
        await client.run("chat.retryNow(); chat.retryNow(); chat.open(); chat.restart()")
        await client.until("chat.state === 'waiting'")
        await other.close()
        while server.app.node.chat.is_online(ann.id):
            await asyncio.sleep(0.01)
        assert tries(client) == tried + 1
        await client.run("chat.retryNow()")
        await client.synced(1)
        assert tries(client) == tried + 2
        assert await client.run("return chat.closeCode") is None


@pytest.mark.gen_test(timeout=180)
@pytest.mark.parametrize(
    ("state", "reach"),
    [
        ("open", ""),
        ("waiting", ""),
        ("connecting", "chat.restart();"),  # the token is being asked for
        (
            "connecting",
            "chat.restart(); await new Promise((later) => setTimeout(later));",
        ),  # a socket is being opened
    ],
)
async def test_closed_is_closed(server: Server, browse, state: str, reach: str) -> None:
    """Whatever it is doing, `close` ends it: requests and messages fail, no connection is made; `open` begins anew."""
    ann = await server.person("ann")
    land = await ann.land()
    async with browse(server) as browser:
        client = await client_of(browser, ann)
        await client.run("await chat.join(given)", land)
        if state == "waiting":
            await server.app.stop()
            await client.until("chat.state === 'waiting'")
        ended = await client.run(
            f"""chat.send(given, 'never');
            const early = chat.request('ping').catch((error) => error.code);
            {reach}
            const state = chat.state;
            const late = chat.request('ping').catch((error) => error.code);
            chat.close();
            chat.retryNow();
            chat.restart();
            return [state, await early, await late, chat.state];""",
            land,
        )
        assert ended == [state, "closed", "closed", "closed"]
        if state == "waiting":
            await server.start_again()
        await client.run("await new Promise((later) => setTimeout(later))")
        opened = tries(client)
        await post(ann, land, "unheard")
        await client.run("chat.open(); await new Promise((synced) => chat.on('synced', synced))")
        assert tries(client) == opened + 1
        assert [event["content"] for event in await client.told("message")] in ([], ["never"])
        assert await client.told("outgoing", "state", "error") == [("sending", None), ("failed", "closed")]
        assert client.wire.resumed == []
        forgive(client.visitor)


@pytest.mark.gen_test(timeout=180)
async def test_connections_that_are_given_up_while_messages_pour_in(server: Server, browse) -> None:
    """Each `restart` ends one connection in the middle of things; every message is told once and in order all the same."""
    ann, bob = await server.person("ann"), await server.person("bob")
    private = await ann.private(bob)
    writer = await ann.chat()
    async with browse(server) as browser:
        client = await client_of(browser, bob)
        flooding = asyncio.ensure_future(flood(writer, private, 200))
        for _ in range(5):
            await client.run(
                "const connected = new Promise((told) => chat.on('connected', told)); chat.restart(); await connected"
            )
        await flooding
        await client.until("told.message.length >= 200")
        assert await client.told("message", "seq") == list(range(1, 201))


@pytest.mark.gen_test(timeout=180)
async def test_a_superseded_connection_says_nothing(server: Server, browse) -> None:
    """What still comes on a connection that was given up, its close included, is nobody's concern."""
    async with browse(server) as browser:
        client = Client(await browser.visit("ann"))
        await client.visitor.page.evaluate(KEEP_SOCKETS)
        await client.sign_in(await server.person("ann"))
        await client.synced(1)
        told = await client.run(
            """const old = window.sockets.find(({ url }) => url.endsWith('/ws/connect'));
            const heard = [];
            chat.on('typing', (frame) => heard.push(frame));
            const frame = { data: JSON.stringify({ type: 'typing', room_id: 'r' }) };
            old.onmessage(frame);
            chat.restart();
            old.onmessage(frame);
            old.onclose({ code: 4003, reason: '' });
            return [heard.length, chat.state, here.user !== null];"""
        )
        assert told == [1, "connecting", True]
        await client.synced(2)


@pytest.mark.gen_test(timeout=180)
async def test_voice_outlives_a_connection(server: Server, browse) -> None:
    """Each link is told once and ends once; those that another device has left are made anew."""
    ann, bob = await server.person("ann"), await server.person("bob")
    for person in (ann, bob):
        await (await person.chat()).ask("location_updated", type="update_location", x=0, y=0)
    his, phone = await bob.signal(), await ann.signal()
    for socket in (his, phone):
        await socket.ask("voice_peers", type="voice_join")
    left = (await phone.next("voice_peers"))["connect"][0]["call_id"]
    async with browse(server) as browser:
        client = await client_of(browser, ann)
        await client.run(
            "const { signal } = here; signal.on('voice_peers', (event) => (told.voice ??= []).push(event)); "
            "await signal.joinVoice()"
        )
        await client.until("told.voice?.length === 1")
        [event] = await client.run("return told.voice")
        [peer] = event["connect"]
        assert peer["call_id"] != left and event["disconnect"] == []
        await client.run("await here.signal.muteVoice(true)")
        assert (await his.next("voice_muted"))["muted"] is True
        await client.run(
            "const { signal } = here; const back = new Promise((told) => signal.on('voice_gains', told)); "
            "signal.restart(); await back; signal.notify('offer', { call_id: given, sdp: 'v=0' })",
            peer["call_id"],
        )
        await his.next("offer", call_id=peer["call_id"], from_user_id=ann.id)
        assert await client.run("return told.voice.length") == 1
        await his.ask("voice_peers", type="voice_leave")
        await client.until("told.voice.length === 2 && here.signal.voice.size === 0")
        await his.ask("voice_peers", type="voice_join")
        await client.until("told.voice.length === 3")
        await client.run("await here.signal.leaveVoice()")
        assert await client.run("return [told.voice.length, here.signal.voice]") == [4, None]


@pytest.mark.gen_test(timeout=180)
async def test_tokens_are_renewed(server: Server, browse) -> None:
    """Before its token ends a connection tells the server a new one, each time, and stays."""
    async with browse(server) as browser:
        client = Client(await browser.visit("ann"))
        await client.visitor.page.clock.install()
        await client.sign_in(await server.person("ann"))
        await client.synced(1)
        for times in (1, 2):
            await client.visitor.page.clock.fast_forward(server.settings.token_seconds * 900)
            await client.until("told.token_renewed.length === given", times)
        # The two sockets take the same new token.
        assert len([url for url in client.wire.requests if url.endswith("/auth/refresh")]) == 2
        assert await client.told("state", "state") == ["connecting", "open"]


@pytest.mark.gen_test(timeout=180)
async def test_the_example_of_the_readme(server: Server, browse) -> None:
    """It runs as it stands there, and shows what it says: each state, and what was missed."""
    ada = await server.person("ada")
    land = await ada.land(10, -10)
    found = re.search(r"```js\n(import (.+?) from (.+?);\n.+?)```", README.read_text(), re.DOTALL)
    assert found
    example = found[1].replace(
        f"import {found[2]} from {found[3]}", f"const {found[2]} = await import({found[3]})"
    )
    async with browse(server) as browser:
        visitor = await browser.visit("ada")
        await visitor.page.evaluate(f"async () => {{ {example} }}")
        body = visitor.page.locator("body")
        for line in ("connecting", "open", "sending: Hello", "sent: Hello", "ada: Hello, whoever is here"):
            await expect(body).to_contain_text(line)
        await server.app.stop()
        await expect(body).to_contain_text("no connection, next try at")
        await server.start_again()
        await post(ada, land, "you are back")
        await visitor.page.evaluate("window.dispatchEvent(new Event('online'))")
        await expect(body).to_contain_text("ada: you are back")
        forgive(visitor)


@pytest.mark.gen_test(timeout=180)
async def test_nearby_is_who_is_in_view(server: Server, browse) -> None:
    """Entering, moving and leaving; watched again after a reconnect; and nobody after `unwatchNearby`."""
    ann, bob = await server.person("ann"), await server.person("bob")
    walker = await ann.chat()

    async def walk(x: float) -> None:
        await walker.ask("location_updated", type="update_location", x=x, y=1)

    async with road(server.app.port) as way, browse(server) as browser:
        client = await client_of(browser, bob, port=way.port)
        await client.run("await chat.updateLocation({ x: 0, y: 0 }); chat.watchNearby(20)")
        shown = "JSON.stringify([...chat.nearby.values()].map(({ username, x, y }) => [username, x, y]))"
        for x in (5, 7.5, 50, 6):
            await walk(x)
            await client.until(f"{shown} === given", f'[["ann",{x},1]]' if x < 20 else "[]")
        way.close()
        await client.until("chat.state !== 'open'")
        await walk(30)
        way.open()
        await client.synced(2)
        await client.run("await chat.updateLocation({ x: 20, y: 0 })")
        await client.until(f"{shown} === given", '[["ann",30,1]]')
        assert [frame["radius"] for frame in client.wire.of("watch_nearby")] == [20, 20]
        await client.run("chat.unwatchNearby()")
        await client.until("chat.nearby.size === 0")
        forgive(client.visitor)
