"""The demo page in a real Chromium: people one blocked, messages that are refused, and a group from a click on somebody."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import APIResponse, Route, expect

from tests.browser.conftest import sign_up
from tests.browser.test_conversations import id_of, post, say, talk
from tests.harness import Server

# What the page asks for to know who is online, and whom to hide.
LISTS = re.compile("/ws/online-users|/auth/me/blocks")
LANDS = re.compile(r"/lands\?")


@pytest.mark.gen_test(timeout=240)
async def test_what_the_other_does_not_take_has_failed_and_can_be_sent_again(server: Server, browse) -> None:
    """It says so and why, over the next reload too; again is once; and what is given up is gone."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await server.person("bob")
        room = (await bob.ok("POST", "/chat/sessions", {"participant_ids": [await id_of(ann)]}))["id"]
        await post(bob, room, "hello")
        await talk(ann, "bob").click()
        await bob.ok("PUT", f"/users/{await id_of(ann)}/block")
        await say(ann, "first")
        await say(ann, "second")
        failed = ann.find("message", state="failed")
        await expect(failed).to_have_count(2)
        await expect(failed.first.get_by_role("alert")).to_contain_text("Not sent. This person cannot")
        await ann.shot("failed-desktop")
        await ann.page.reload()
        await talk(ann, "bob").click()
        await expect(failed).to_have_count(2)
        await failed.last.get_by_role("button", name="Discard").click()
        await bob.ok("DELETE", f"/users/{await id_of(ann)}/block")
        await failed.get_by_role("button", name="Send again").click()
        await expect(ann.find("message", state="sent")).to_have_count(2)
        await expect(failed).to_have_count(0)
        history = (await bob.ok("GET", f"/chat/sessions/{room}/messages"))["messages"]
        assert [message["content"] for message in history] == ["first", "hello"]
        await ann.page.reload()
        await talk(ann, "bob").click()
        await expect(ann.find("message")).to_have_count(2)
        # That somebody types is refused too, which the page tells developers alone.
        ann.complaints = [text for text in ann.complaints if "cannot be written to" not in text]


@pytest.mark.gen_test(timeout=240)
async def test_what_the_blocked_say_is_folded_away(server: Server, browse) -> None:
    """In a group it shows when asked for; in private nothing can be written until they are not blocked any more."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        cleo = await server.person("cleo")
        # A group from a click on somebody, who is in it to begin with.
        await ann.find("person", username="bob").first.click()
        await ann.find("group").click()
        await expect(ann.find("pick", username="bob")).to_be_checked()
        await ann.find("group-name").fill("Walkers")
        await ann.find("group-submit").click()
        await talk(bob, "Walkers").click()
        await say(bob, "in the group")
        await expect(ann.find("message", state="sent")).to_contain_text("in the group")

        await ann.find("person", username="bob").first.click()
        await ann.find("block").click()
        folded = ann.find("message", state="blocked")
        await expect(folded).to_have_count(1)
        await expect(folded).not_to_contain_text("in the group")
        await folded.get_by_role("button", name="Show").click()
        await expect(ann.find("message", state="sent")).to_contain_text("in the group")

        await ann.page.evaluate("(id) => window.hereaboutsApp.people.block(id)", cleo.id)
        await ann.page.evaluate("(id) => window.hereaboutsApp.write({ id })", cleo.id)
        await expect(ann.find("blocked")).to_be_visible()
        await expect(ann.find("chat-input")).to_have_count(0)
        await ann.find("blocked").get_by_role("button", name="Unblock").click()
        await expect(ann.find("chat-input")).to_be_visible()


@pytest.mark.gen_test(timeout=240)
async def test_what_happened_while_the_list_was_read_is_newer_than_it(server: Server, browse) -> None:
    """Who came meanwhile stays in the list, and who was blocked meanwhile stays out of it."""
    async with browse(server) as browser:
        await browser.registered("bob")
        ann = await browser.visit("ann")
        held: list[tuple[Route, APIResponse]] = []
        most = 2

        async def hold(route: Route) -> None:
            if len(held) < most:
                held.append((route, await route.fetch()))
            else:
                await route.continue_()

        async def let_go() -> None:
            for route, response in held:
                await route.fulfill(response=response)
            await ann.until("() => hereaboutsApp.people.online.some(({ username }) => username === 'bob')")
            await ann.page.evaluate("() => new Promise((later) => setTimeout(later, 200))")

        await ann.page.route(LISTS, hold)
        await sign_up(ann)
        while len(held) < most:
            await asyncio.sleep(0.05)
        cleo = await server.person("cleo")
        socket = await cleo.chat()
        x, y = await ann.page.evaluate("(({ x, y }) => [x, y])(hereaboutsApp.world.self)")
        await socket.ask("location_updated", type="update_location", x=x + 3, y=y)
        there = ann.find("person", username="cleo")
        await expect(there).to_be_visible()
        await let_go()
        online = await ann.page.evaluate("hereaboutsApp.people.online.map(({ username }) => username)")
        assert online == ["bob", "cleo"]

        held.clear()
        await ann.page.evaluate("hereabouts.chat.emit('synced', { sessions: [] })")
        while len(held) < most:
            await asyncio.sleep(0.05)
        await ann.page.evaluate("(id) => hereaboutsApp.people.block(id)", cleo.id)
        await expect(there).to_have_count(0)
        await let_go()
        await expect(there).to_have_count(0)


@pytest.mark.gen_test(timeout=180)
async def test_a_land_that_was_made_while_lands_were_read_stays(server: Server, browse) -> None:
    """An older answer does not take it off the map again until the next look; it is asked for anew instead."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        await ann.map()
        held: asyncio.Queue[tuple[Route, APIResponse]] = asyncio.Queue()

        async def hold(route: Route) -> None:
            if route.request.method == "GET":
                await held.put((route, await route.fetch()))
            else:
                await route.continue_()

        await ann.page.route(LANDS, hold)
        await ann.page.evaluate("hereaboutsApp.map.lookAt({ x: 500, y: 500 })")  # where nothing is known yet
        route, older = await held.get()
        await ann.page.evaluate("""async () => {
          const { lands } = hereaboutsApp;
          await lands.claim({ name: 'Newer', x: 480, y: 480, width: 40, height: 40 });
          window.seen = [];
          lands.on('changed', () => seen.push([...lands.byId.values()].map(({ name }) => name)));
        }""")
        await route.fulfill(response=older)
        route, newer = await held.get()
        await route.fulfill(response=newer)
        await ann.until("() => window.seen.length > 0")
        assert await ann.page.evaluate("window.seen") == [["Newer"]]
