"""The demo page in a real Chromium: what is said aloud, who hears it, and where it is read again."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.client import forgive, road
from tests.browser.conftest import Browser, Visitor
from tests.browser.test_hostile_words import MESSAGES, NAMES, WATCH, in_order, watch
from tests.harness import Person, Server, Socket


async def arrived(
    browser: Browser, name: str, x: float, y: float, size: str = "desktop", **options: object
) -> Visitor:
    """Somebody whom the server knows to stand at a place."""
    visitor = await browser.registered(name, size, **options)
    await stand(visitor, x, y)
    return visitor


async def stand(visitor: Visitor, x: float, y: float) -> None:
    """As another tab of the same person would have walked there."""
    await visitor.until("() => window.hereabouts.chat.state === 'open'")
    await visitor.page.evaluate(
        """([x, y]) => {
          const key = `hereabouts.place.${hereabouts.user.id}.main`;
          localStorage.setItem(key, JSON.stringify({ x, y }));
          dispatchEvent(new StorageEvent('storage', { key }));
        }""",
        [x, y],
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


@pytest.mark.gen_test(timeout=240)
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
            await expect(visitor.find("message")).to_have_count(len(expected), timeout=60_000)
            assert await texts(visitor) == expected


@pytest.mark.gen_test(timeout=240)
async def test_on_a_land_one_chooses_who_is_to_hear(server: Server, browse) -> None:
    """The land's room and those near are two conversations: what is heard meanwhile counts as unread until it is seen, not in the title."""
    async with browse(server) as browser:
        owner = await server.person("owner")
        await owner.land(-50, -50, width=100, height=100, name="Everywhere")
        _, bob = await bystander(server, "bob", 2, 2)
        ann = await arrived(browser, "ann", 0, 0, "phone", has_touch=True, is_mobile=True)
        await expect(ann.find("land-label")).to_contain_text("Everywhere")
        await ann.find("tab-chat").tap()
        await say(ann, "to everybody")
        await expect(ann.find("message", state="sent")).to_have_count(1)
        await bob.ask("speech_ack", type="say", content="psst, over here")
        await expect(ann.find("scope-nearby")).to_contain_text("1")
        await expect(ann.page).to_have_title("Hereabouts")  # chatter is not counted there
        await ann.shot("scope-phone")
        await ann.find("tab-talks").tap()
        await expect(ann.find("nearby")).to_contain_text("1 within earshot")
        await expect(ann.find("nearby").locator(".count")).to_have_text("1")
        await ann.find("nearby").tap()
        await expect(ann.page.locator(".message .content")).to_have_text(["psst, over here"])
        await expect(ann.find("earshot")).to_have_text("bob hears you")
        await say(ann, "coming")
        assert (await bob.next("speech"))["content"] == "psst, over here"
        assert (await bob.next("speech"))["content"] == "coming"
        await ann.shot("nearby-phone")
        await ann.find("scope-here").tap()
        await expect(ann.page.locator(".message .content")).to_have_text(["to everybody"])


@pytest.mark.gen_test(timeout=240)
async def test_what_was_heard_is_read_back_page_by_page(server: Server, browse) -> None:
    """As one scrolls, each once and in order, to where it began; by one who comes to the page anew."""
    async with browse(server) as browser:
        ann = await arrived(browser, "ann", 0, 0)
        _, bob = await bystander(server, "bob", 1, 1)
        spoken = [f"line {number}" for number in range(120)]
        for content in spoken:
            await bob.ask("speech_ack", type="say", content=content)
        await ann.page.reload()
        await expect(ann.page.get_by_text("line 119")).to_be_visible()
        await expect(ann.page.get_by_text("line 5", exact=True)).to_have_count(0)
        log = ann.find("chat-log")
        for count in (100, 120):
            await log.evaluate("log => { log.scrollTop = 0; }")
            await expect(ann.find("message")).to_have_count(count)
        await expect(ann.page.get_by_text("This is where it began.")).to_be_attached()
        assert await texts(ann) == spoken


@pytest.mark.gen_test(timeout=240)
async def test_what_is_said_without_a_connection_is_said_afterwards(server: Server, browse) -> None:
    """In its order, once, and by then one stands somewhere again; what the other said meanwhile comes first."""
    async with road(server.app.port) as way, browse(server) as browser:
        _, bob = await bystander(server, "bob", 1, 1)
        ann = await arrived(browser, "ann", 0, 0, port=way.port)
        await say(ann, "before")
        await expect(ann.find("message", state="sent")).to_have_count(1)
        way.close()
        await expect(ann.find("lost")).to_be_visible()
        for text in ("first", "second"):
            await say(ann, text)
        await expect(ann.find("message", state="sending")).to_have_count(2)
        await expect(ann.page.get_by_label("Waiting for the connection")).to_have_count(2)
        await ann.shot("say-offline")
        way.open()
        await expect(ann.find("message", state="sent")).to_have_count(3, timeout=60_000)
        assert await texts(ann) == ["before", "first", "second"]
        assert [(await bob.next("speech"))["content"] for _ in range(3)] == ["before", "first", "second"]
        await bob.quiet("speech")
        forgive(ann)


@pytest.mark.gen_test(timeout=240)
async def test_nothing_that_is_said_aloud_does_anything_to_a_page(server: Server, browse) -> None:
    """The hostile corpus, heard live and read again, searched for, from somebody of such a name: shown, and inert."""
    async with browse(server) as browser:
        bob, socket = await bystander(server, "bob", 1, 1)
        ann = await arrived(browser, "ann", 0, 0)
        watch(ann)
        await ann.page.add_init_script(WATCH)
        await ann.page.reload()
        await expect(ann.find("earshot")).to_have_text("bob hears you")
        for index, content in enumerate(MESSAGES):
            if index < len(NAMES):
                await bob.ok("PATCH", "/auth/me", {"display_name": NAMES[index]})
            await socket.ask("speech_ack", type="say", content=content)
        await expect(ann.find("message")).to_have_count(len(MESSAGES), timeout=60_000)
        await in_order(ann)
        await ann.page.reload()
        await expect(ann.find("message").last).to_be_visible()
        await in_order(ann)
        await ann.find("search").click()
        for words in ("<script", "canary.invalid", "\u202e", "Z\u0350", "漢", "$", ".*", "\\", "fired=1"):
            await ann.find("search-words").fill(words)
            await in_order(ann)
        await expect(ann.page.locator("mark").first).to_be_visible()
        await ann.shot("hostile-aloud")


@pytest.mark.gen_test(timeout=240)
async def test_a_past_that_does_not_come_is_asked_for_again(server: Server, browse) -> None:
    """The panel says that it could not be read; it is there when asked once more, and what is said meanwhile shows."""
    async with browse(server) as browser:
        _, bob = await bystander(server, "bob", 1, 1)
        ann = await arrived(browser, "ann", 0, 0)
        await bob.ask("speech_ack", type="say", content="before")
        await ann.page.route("**/chat/speech?*", lambda route: route.abort())
        async with ann.page.expect_response("**/chat/sessions") as known:  # which asks for the past once more
            await ann.page.reload()
        await known.value
        again = ann.page.get_by_role("button", name="Try again")
        await expect(again).to_be_visible()
        await bob.ask("speech_ack", type="say", content="meanwhile")
        await expect(ann.find("message")).to_have_count(1)
        await ann.page.unroute("**/chat/speech?*")
        await again.click()
        await expect(ann.find("message")).to_have_count(2)
        assert await texts(ann) == ["before", "meanwhile"]
        await expect(again).to_have_count(0)
        forgive(ann)
