"""From opening the page to being heard and answered, as somebody does it who reads nothing: what has to be done for it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from client.bots import crowd
from client.bots.accounts import Accounts
from tests.browser.conftest import ARGUMENTS, Browser, Visitor, sign_up
from tests.browser.states import machine, sit_down
from tests.harness import Server

# A name, a password, in; hello to whoever is nearest, the words, and sent. Each word typed and each press counts.
MOST = 7


class Hands:
    """Whoever sits before a page; counts what they do."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.done: list[str] = []

    async def type(self, text: str) -> None:
        """Where the caret is: nobody is asked to look for it."""
        self.done.append(f"type {text!r}")
        await self.visitor.page.keyboard.type(text)

    async def press(self, key: str) -> None:
        self.done.append(key)
        await self.visitor.page.keyboard.press(key)

    async def click(self, testid: str) -> None:
        self.done.append(f"click {testid}")
        await self.visitor.find(testid).click()


@pytest.mark.gen_test(timeout=240)
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_the_first_word_is_heard(server: Server, browse, tmp_path: Path, size: str) -> None:
    """In the demo's village a newcomer stands among others, says hello in seven steps, and is answered."""
    leaving = asyncio.Event()
    village = asyncio.create_task(
        crowd.live(server.origin, 8, Accounts(tmp_path / "bots"), random.Random(3), leaving)
    )
    try:
        owner = await server.person("owner")
        async with browse(server) as browser:
            await at_least(owner, "/ws/online-users", "users", 8)
            ann = await browser.visit("ann", **machine(size))
            hands = Hands(ann)
            await expect(ann.find("username")).to_be_focused()
            await hands.type("ann")
            await hands.click("password")
            await hands.type("correct horse")
            await hands.press("Enter")
            await expect(ann.find("say-hello")).to_be_visible(timeout=30_000)
            await hands.click("say-hello")
            await expect(ann.find("chat-input")).to_be_focused()
            await hands.type("hello!")
            await hands.press("Enter")
            assert len(hands.done) <= MOST, hands.done
            await expect(ann.find("message", state="sent").filter(has_text="hello!")).to_be_visible()
            answers = (
                "() => hereaboutsApp.conversation.rows.some(({ sender_id: id }) => id !== hereabouts.user.id)"
            )
            await ann.until(answers, seconds=60)
            await expect(ann.find("say-hello")).to_have_count(0)
    finally:
        leaving.set()
        await village


@pytest.mark.gen_test(timeout=240)
@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("ground", ["a land", "open ground"])
async def test_hello_goes_to_where_one_stands(server: Server, browse, ground: str, size: str) -> None:
    """On a land to its conversation, on nobody's ground aloud; whoever stands there has it on their page."""
    if ground == "a land":
        owner = await server.person("owner")
        await owner.land(-50, -50, width=100, height=100, name="Everywhere")
    async with browse(server) as browser:
        bob = await browser.registered("bob")
        ann = await browser.registered("ann", **machine(size))
        await ann.find("say-hello").click()
        await expect(ann.find("chat-input")).to_be_focused()
        placeholder = "Write to everybody here" if ground == "a land" else "Say something aloud"
        await expect(ann.find("chat-input")).to_have_attribute("placeholder", placeholder)
        await ann.page.keyboard.type("hello, bob")
        await ann.page.keyboard.press("Enter")
        await expect(ann.find("message", state="sent")).to_contain_text("hello, bob")
        await expect(bob.find("message", state="sent")).to_contain_text("hello, bob")
        rows = await ann.page.evaluate("hereaboutsApp.conversations.nearby.rows.length")
        assert rows == (0 if ground == "a land" else 1)
        await expect(ann.find("say-hello")).to_have_count(0)


async def at_least(person: Any, path: str, key: str, count: int) -> None:
    while len((await person.ok("GET", path))[key]) < count:
        await asyncio.sleep(0.1)


@pytest.mark.gen_test(timeout=180)
async def test_a_newcomer_stands_beside_somebody(server: Server, browse) -> None:
    """However far off the others are, within sight; and whoever has been here before stands where they stood."""
    other = await server.person("bob")
    socket = await other.chat()
    await socket.ask("location_updated", type="update_location", x=31, y=-18)
    async with browse(server) as browser:
        assert isinstance(browser, Browser)
        ann = await browser.registered("ann")
        await ann.until("() => hereaboutsApp.world.nearby[0]?.distance < 5")
        await ann.page.evaluate("hereaboutsApp.world.walkTo(hereaboutsApp.world.self.x - 12, -18)")
        await ann.until(
            "() => hereaboutsApp.world.nearby[0]?.distance > 10 && !hereaboutsApp.world.self.moving"
        )
        x = await ann.page.evaluate("Math.round(hereaboutsApp.world.self.x * 1000) / 1000")
        await ann.until(
            "(x) => JSON.parse(localStorage[`hereabouts.place.${hereabouts.user.id}.main`]).x === x", x
        )
        await ann.page.reload()
        await ann.until("() => hereaboutsApp.world.nearby.length > 0")
        assert await ann.page.evaluate("hereaboutsApp.world.self.x") == pytest.approx(x, abs=0.001)


@pytest.mark.gen_test(timeout=180)
async def test_a_newcomer_stands_beside_somebody_however_late_they_are_seen(server: Server, browse) -> None:
    """On a phone that takes its time until it is connected."""
    socket = await (await server.person("bob")).chat()
    await socket.ask("location_updated", type="update_location", x=31, y=-18)
    async with browse(server) as browser:
        ann = await browser.visit("ann")
        await ann.page.add_init_script(
            """const now = performance.now.bind(performance);
            performance.now = () => now() + (window.hereabouts?.chat.state === 'open' ? 60_000 : 0);"""
        )
        await ann.page.reload()
        await sign_up(ann)
        await ann.until("() => hereaboutsApp.world.nearby[0]?.distance < 5")


@pytest.mark.gen_test(timeout=180)
async def test_a_newcomer_stands_in_nobodys_place(server: Server, browse) -> None:
    """Where chance would put them on top of somebody, they are beside them; on the very spot, too."""
    other = await server.person("bob")
    socket = await other.chat()
    async with browse(server) as browser:
        assert isinstance(browser, Browser)
        ann = await browser.registered("ann")
        await ann.page.evaluate("() => { Math.random = () => 0.5; }")  # the middle
        for world, place in (("east", 0.3), ("middle", 0.0)):
            await socket.ask("location_updated", type="update_location", x=place, y=0, world_id=world)
            await ann.page.evaluate("(world) => hereaboutsApp.world.enter(world)", world)
            await ann.until("() => hereaboutsApp.world.nearby[0]?.distance > 2")


@pytest.mark.gen_test(timeout=180)
async def test_all_newcomers_hear_each_other(server: Server, browse) -> None:
    """Wherever around the middle they are put: in as many worlds as one may enter at a time, each as its first."""
    async with browse(server) as browser:
        assert isinstance(browser, Browser)
        ann = await browser.registered("ann")
        places = await ann.page.evaluate("""() => Array.from({ length: 20 }, (_, number) => {
          hereaboutsApp.world.enter(`world-${number}`);
          return [hereaboutsApp.world.self.x, hereaboutsApp.world.self.y];
        })""")
        for axis in zip(*places, strict=True):
            assert 2 < max(axis) - min(axis) <= 10


@pytest.mark.gen_test(timeout=240)
async def test_without_tls_from_another_machine(server: Server, browse) -> None:
    """A page that is no secure context lacks much of what others have; one signs up, stands on the map and talks all the same."""
    port = server.app.port
    async with browse(server, [*ARGUMENTS, "--host-resolver-rules=MAP plain.test 127.0.0.1"]) as browser:
        ann = await browser.visit("ann")
        await ann.page.goto(f"http://plain.test:{port}")
        assert not await ann.page.evaluate("isSecureContext")
        await sign_up(ann)
        await ann.find("chat-input").fill("Is anybody here?")
        await ann.find("chat-send").click()
        await expect(ann.find("message", state="sent")).to_be_visible()
        await ann.page.goto(f"http://plain.test:{port}/static/examples/campfire.html")
        ann.name = "anna"
        await sit_down(ann)
        await expect(ann.page.get_by_role("status")).to_have_text("Everybody in this ring hears you")
        # What Chromium says of any such page with the header.
        ann.complaints = [text for text in ann.complaints if "Cross-Origin-Opener-Policy" not in text]


@pytest.mark.gen_test(timeout=180)
async def test_how_to_walk_is_said_until_one_has(server: Server, browse) -> None:
    """A word about it over the map goes with the first step, and does not come back."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        await expect(ann.find("how-to-walk")).to_be_visible()
        await ann.map()
        await ann.find("map").click(position={"x": 300, "y": 300})
        await expect(ann.find("how-to-walk")).to_have_count(0)
        await ann.page.reload()
        await ann.map()
        await expect(ann.find("how-to-walk")).to_have_count(0)
