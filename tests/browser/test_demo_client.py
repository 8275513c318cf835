"""The demo page in a real Chromium: two people meet and talk, are lost and come back."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visitor
from tests.harness import Server


async def claim_land(visitor: Visitor, name: str) -> None:
    """Draws a land around where the visitor stands, large enough for wherever another newcomer is put."""
    await visitor.map()
    await visitor.find("claim-land").click()
    box = await visitor.find("map").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await visitor.page.mouse.move(x - 300, y - 300)
    await visitor.page.mouse.down()
    await visitor.page.mouse.move(x + 300, y + 300, steps=5)
    await visitor.page.mouse.up()
    await visitor.find("land-name").fill(name)
    await visitor.find("land-submit").click()
    await expect(visitor.find("land-label")).to_contain_text(name)


async def say(visitor: Visitor, text: str) -> None:
    await visitor.find("chat-input").fill(text)
    await visitor.find("chat-send").click()


async def open_menu(visitor: Visitor, name: str) -> None:
    await visitor.find("person", username=name).first.click()
    await visitor.find("person-menu").wait_for()


@pytest.mark.gen_test(timeout=240)
async def test_two_people_meet_in_a_land_and_talk(server: Server, browse) -> None:
    """What one types in a land, the other who stands there reads; typing shows; a reload loses nothing."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        await claim_land(ann, "Harbour")
        bob = await browser.registered("bob")
        await expect(bob.find("land-label")).to_contain_text("Harbour")
        await expect(ann.find("person", username="bob")).to_be_visible()
        await say(ann, "hello <b>bob</b>")
        await expect(bob.find("message")).to_contain_text("hello <b>bob</b>")
        await bob.find("chat-input").press_sequentially("well", delay=20)
        await expect(ann.find("typing")).to_contain_text("bob")
        await say(bob, "hello ann")
        await expect(ann.find("message", seq="2")).to_contain_text("hello ann")
        await ann.shot("land-desktop")
        await bob.page.reload()
        await expect(bob.find("message")).to_have_count(2)


@pytest.mark.gen_test(timeout=240)
async def test_two_people_talk_in_private_and_see_what_was_read(server: Server, browse) -> None:
    """A private message counts as unread until its conversation is opened; then its sender sees it read."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await open_menu(ann, "bob")
        await ann.find("write").click()
        await say(ann, "psst")
        await expect(ann.find("message", state="sent")).to_be_visible()
        conversation = bob.find("conversation").filter(has_text="ann")
        await expect(conversation).to_contain_text("1")
        await conversation.click()
        await expect(bob.find("message")).to_contain_text("psst")
        await expect(ann.find("message").locator('[data-read="true"]')).to_be_visible()
        await ann.shot("private-desktop")


@pytest.mark.gen_test(timeout=240)
async def test_walking_out_of_a_land_leaves_its_room(server: Server, browse) -> None:
    """The label and the room follow one's steps; whoever has left hears nothing more of the land."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        await claim_land(ann, "Harbour")
        await ann.find("map").click(position={"x": 25, "y": 25})
        await expect(ann.find("land-label")).not_to_contain_text("Harbour", timeout=20_000)
        bob = await server.person("bob")
        status, found = await bob.call("GET", "/lands")
        assert status == 200
        socket = await bob.chat()
        joined = await socket.ask("joined_room", type="join_room", room_id=found["lands"][0]["id"])
        assert [member["username"] for member in joined["members"]] == ["bob"]


@pytest.mark.gen_test(timeout=240)
async def test_the_page_works_at_phone_size(server: Server, browse) -> None:
    """By touch, on a small screen: sign up, see the map, open the chat, say something; nothing overflows."""
    async with browse(server) as browser:
        owner = await server.person("owner")
        await owner.land(-50, -50, width=100, height=100, name="Everywhere")
        ann = await browser.registered("ann", "phone", has_touch=True, is_mobile=True)
        await expect(ann.find("land-label")).to_contain_text("Everywhere")
        await ann.shot("map-phone")
        await ann.find("tab-chat").tap()
        await say(ann, "from a phone")
        await expect(ann.find("message", state="sent")).to_contain_text("from a phone")
        await ann.shot("chat-phone")
        wider = await ann.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert not wider


@pytest.mark.gen_test(timeout=240)
async def test_a_lost_server_is_said_and_come_back_to(server: Server, browse, new_server) -> None:
    """While the server is away the page says so; a message written meanwhile is sent when it is back, once."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        await claim_land(ann, "Harbour")
        await say(ann, "before")
        await expect(ann.find("message", state="sent")).to_have_count(1)
        await server.app.stop()
        await expect(ann.find("connection-state").first).not_to_contain_text("Connected")
        await expect(ann.find("lost")).to_contain_text("The server is restarting")
        await say(ann, "meanwhile")
        await server.start_again()
        # The notice is there for a few seconds.
        await asyncio.gather(
            expect(ann.page.get_by_text("Connected again")).to_be_visible(timeout=30_000),
            expect(ann.find("message", state="sent")).to_have_count(2, timeout=30_000),
        )
        await expect(ann.find("connection-state").first).to_contain_text("Connected")
        await expect(ann.find("lost")).to_have_count(0)
        person = await server.person("reader")
        land = (await person.ok("GET", "/lands"))["lands"][0]["id"]
        history = await person.ok("GET", f"/chat/sessions/{land}/messages")
        assert [message["content"] for message in history["messages"]] == ["meanwhile", "before"]
        # While nobody answered, the browser itself complained of each try.
        ann.complaints = [text for text in ann.complaints if "ERR_CONNECTION_REFUSED" not in text]


@pytest.mark.gen_test(timeout=180)
async def test_a_page_opened_while_the_server_is_away_waits_for_it(server: Server, browse) -> None:
    """It says that nobody answers, tries again by itself, and is signed in as before."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        await ann.page.route("**/auth/refresh", lambda route: route.abort())
        await ann.page.reload()
        await expect(ann.page.get_by_text("The server cannot be reached just now")).to_be_visible()
        await ann.page.unroute("**/auth/refresh")
        await expect(ann.find("map")).to_be_visible(timeout=15_000)
        ann.complaints = [text for text in ann.complaints if "ERR_FAILED" not in text]
