"""The demo page in a real Chromium: what is said aloud, who hears it, and where it is read again."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.client import forgive, road
from tests.browser.conftest import Browser, Visitor
from tests.harness import Person, Server, Socket


async def arrived(browser: Browser, name: str, x: float, y: float, size: str = "desktop", **options: object) -> Visitor:
    """Somebody whom the server knows to stand at a place."""
    visitor = await browser.registered(name, size, **options)
    await stand(visitor, x, y)
    return visitor


async def stand(visitor: Visitor, x: float, y: float) -> None:
    """As another tab of the same person would have walked there."""
    await visitor.page.evaluate(
        "([x, y]) => Object.assign(window.hereaboutsApp.world.self, { x, y })", [x, y]
    )
    await visitor.page.evaluate("([x, y]) => window.hereabouts.chat.updateLocation({ x, y })", [x, y])


async def bystander(server: Server, name: str, x: float, y: float) -> tuple[Person, Socket]:
    person = await server.person(name)
    socket = await person.chat()
    await socket.ask("location_updated", type="update_location", x=x, y=y)
    return person, socket


async def say(visitor: Visitor, text: str) -> None:
    await visitor.find("chat-input").fill(text)
    await visitor.find("chat-send").click()


async def texts(visitor: Visitor) -> list[str]:
    return await visitor.page.locator(".message .content").all_inner_texts()


@pytest.mark.gen_test(timeout=120)
async def test_those_near_hear_each_other_and_those_further_off_do_not(server: Server, browse) -> None:
    """On nobody's land the panel is the talk of those near; whoever stood too far has nothing of it, live or later."""
    async with browse(server) as browser:
        ann = await arrived(browser, "ann", 0, 0)
        bob = await arrived(browser, "bob", 5, 3)
        far = await arrived(browser, "far", 40, 0)
        await expect(ann.find("earshot")).to_have_text("bob hears you")
        await expect(bob.find("earshot")).to_have_text("ann hears you")
        await expect(far.find("earshot")).to_have_text("Nobody is near enough to hear you")
        await say(ann, "is anybody here?")
        await expect(bob.find("message")).to_contain_text("is anybody here?")
        await expect(ann.find("message", state="sent")).to_have_count(1)
        await say(bob, "I am")
        await expect(ann.find("message", state="sent")).to_have_count(2)
        await bob.until("() => window.hereaboutsApp.world.speech.size > 0")  # over the head too
        await ann.shot("say-desktop")

        await say(far, "nobody hears me")
        await expect(far.find("message", state="sent")).to_have_count(1)
        for visitor, expected in (
            (ann, ["is anybody here?", "I am"]),
            (bob, ["is anybody here?", "I am"]),
            (far, ["nobody hears me"]),
        ):
            assert await texts(visitor) == expected
            await visitor.page.reload()
            await expect(visitor.find("message")).to_have_count(len(expected))
            assert await texts(visitor) == expected
