"""The page in `static/examples`, on nothing but the client library: whoever opens it meets whoever has."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.client import forgive, road
from tests.browser.conftest import Browser, Visitor
from tests.browser.states import sit_down
from tests.harness import Server

PATH = "/static/examples/campfire.html"


async def come(browser: Browser, name: str, port: int | None = None) -> Visitor:
    visitor = await browser.visit(name, port=port)
    await visitor.page.goto(visitor.page.url.rstrip("/") + PATH)
    return visitor


async def say(visitor: Visitor, text: str) -> None:
    await visitor.page.get_by_label("Say something").fill(text)
    await visitor.page.get_by_label("Say something").press("Enter")


@pytest.mark.gen_test(timeout=180)
async def test_two_meet_at_the_fire(server: Server, browse) -> None:
    """They see each other come, hear each other, and one sees the other go; markup that is said stays text."""
    async with browse(server) as browser:
        ann, bob = await come(browser, "ann"), await come(browser, "bob")
        for visitor in (ann, bob):
            await sit_down(visitor)
        for visitor, other in ((ann, "bob"), (bob, "ann")):
            await expect(visitor.page.get_by_label("By the fire").get_by_text(other)).to_be_visible()
            await expect(visitor.page.locator("#people .me")).to_have_text(visitor.name)
        await say(ann, "Is it <b>warm</b>?")
        await say(bob, "Come closer")
        for visitor in (ann, bob):
            await expect(visitor.page.locator("#log p")).to_have_text(
                ["ann Is it <b>warm</b>?", "bob Come closer"]
            )
        await bob.page.close()
        await expect(ann.page.get_by_label("By the fire").get_by_text("bob")).to_have_count(0)


@pytest.mark.gen_test(timeout=180)
async def test_a_name_that_is_taken_and_a_network_that_goes(server: Server, browse) -> None:
    """Both are said in words; what was said meanwhile is heard after the connection is back."""
    await server.person("ann")
    async with road(server.app.port) as way, browse(server) as browser:
        ann = await come(browser, "ann", way.port)
        await ann.page.get_by_label("Your name").fill("ann")
        await ann.page.get_by_role("button", name="Sit down").click()
        await expect(ann.page.get_by_role("status")).to_have_text("Somebody already goes by that name")
        ann.complaints = [text for text in ann.complaints if "409" not in text]
        ann.name = "anna"
        await sit_down(ann)
        bob = await come(browser, "bob")
        await sit_down(bob)
        await expect(ann.page.get_by_label("By the fire").get_by_text("bob")).to_be_visible()
        way.close()
        await expect(ann.page.get_by_role("status")).to_contain_text("Coming back")
        await say(ann, "Are you still there?")
        way.open()
        await expect(bob.page.locator("#log p")).to_have_text(["anna Are you still there?"], timeout=30_000)
        forgive(ann)
