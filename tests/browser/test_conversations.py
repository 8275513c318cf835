"""The demo page in a real Chromium: history that scrolls back, ticks that stay, and the order of the list."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import Visitor
from tests.harness import Person, Server

LONG = 130  # messages, more than two pages


async def say(visitor: Visitor, text: str) -> None:
    await visitor.find("chat-input").fill(text)
    await visitor.find("chat-send").click()


async def post(person: Person, room: str, text: str) -> None:
    await person.ok("POST", f"/chat/sessions/{room}/messages", {"content": text})


def talk(visitor: Visitor, title: str) -> Locator:
    return visitor.find("conversation").filter(has_text=title)


async def id_of(visitor: Visitor) -> str:
    return str(await visitor.page.evaluate("window.hereabouts.user.id"))


@pytest.mark.gen_test(timeout=240)
async def test_history_scrolls_back_to_its_beginning(server: Server, browse) -> None:
    """Page after page comes as the top comes near, each message once and in order, and the place one reads at stays."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await server.person("bob")
        room = (await bob.ok("POST", "/chat/sessions", {"participant_ids": [await id_of(ann)]}))["id"]
        for number in range(1, LONG + 1):
            await post(bob, room, f"line {number}")
        await ann.page.reload()  # what came while the page looked on is there without asking
        await talk(ann, "bob").click()
        await expect(ann.find("message", seq=str(LONG))).to_be_visible()
        await expect(ann.find("message", seq="1")).to_have_count(0)

        log = ann.find("chat-log")
        oldest = int(await ann.find("message").first.get_attribute("data-seq") or 0)
        await log.evaluate("log => { log.scrollTop = 100; }")
        before = await ann.find("message", seq=str(oldest)).bounding_box()
        await expect(ann.find("message", seq=str(oldest - 1))).to_have_count(1)
        after = await ann.find("message", seq=str(oldest)).bounding_box()
        assert before and after
        # Its lower edge stays: the upper one goes with the name when the row turns out not to be the first of its sender.
        assert abs(before["y"] + before["height"] - after["y"] - after["height"]) < 3

        for _ in range(5):
            await log.evaluate("log => { log.scrollTop = 0; }")
            if await ann.page.get_by_text("This is where it began.").count():
                break
            await ann.page.wait_for_timeout(300)
        await expect(ann.find("message")).to_have_count(LONG)
        seqs = await ann.find("message").evaluate_all("rows => rows.map((row) => Number(row.dataset.seq))")
        assert seqs == list(range(1, LONG + 1))
        await ann.page.get_by_label("To the newest message").click()
        await expect(ann.find("message", seq=str(LONG))).to_be_in_viewport()


@pytest.mark.gen_test(timeout=240)
async def test_ticks_survive_a_reload(server: Server, browse) -> None:
    """What was read stays read; of what was not, nothing is claimed until the other is heard of again."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await ann.find("person", username="bob").first.click()
        await ann.find("write").click()
        await say(ann, "first")
        await talk(bob, "ann").click()
        ticks = {seq: ann.find("message", seq=seq).locator(".ticks") for seq in "12"}
        await expect(ticks["1"]).to_have_attribute("data-read", "true")
        await bob.page.locator(".row.here").click()
        await say(ann, "second")
        await expect(ticks["2"]).to_have_attribute("data-read", "false")

        await ann.page.reload()
        await talk(ann, "bob").click()
        await expect(ticks["1"]).to_have_attribute("data-read", "true")
        await expect(ann.find("message", seq="2")).to_contain_text("second")
        await expect(ticks["2"]).to_have_count(0)
        await talk(bob, "ann").click()
        await expect(ticks["2"]).to_have_attribute("data-read", "true")


@pytest.mark.gen_test(timeout=240)
async def test_an_answer_tells_that_what_came_before_was_read(server: Server, browse) -> None:
    """Writing marks read: an answer that came while one was away turns the ticks, on a device that knew nothing."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await server.person("bob")
        room = (await bob.ok("POST", "/chat/sessions", {"participant_ids": [await id_of(ann)]}))["id"]
        await talk(ann, "bob").click()
        await say(ann, "are you there?")
        await expect(ann.find("message", seq="1").locator(".ticks")).to_have_attribute("data-read", "false")
        await post(bob, room, "yes")
        await expect(ann.find("message", seq="1").locator(".ticks")).to_have_attribute("data-read", "true")
        await ann.page.evaluate(
            "Object.keys(localStorage).filter((key) => key.includes('.read.')).forEach((key) => localStorage.removeItem(key))"
        )
        await ann.page.reload()
        await talk(ann, "bob").click()
        await expect(ann.find("message", seq="1").locator(".ticks")).to_have_attribute("data-read", "true")


@pytest.mark.gen_test(timeout=240)
async def test_a_new_group_is_on_top(server: Server, browse) -> None:
    """A group that nobody has written in yet stands over older conversations, also after a reload; a message moves up."""
    async with browse(server) as browser:
        ann, bob, cleo = (
            await browser.registered("ann"),
            await server.person("bob"),
            await server.person("cleo"),
        )
        titles = ann.find("conversation").locator("b")
        room = (await bob.ok("POST", "/chat/sessions", {"participant_ids": [await id_of(ann)]}))["id"]
        await post(bob, room, "hello")
        await expect(titles).to_have_text(["bob"])
        ids = [await id_of(ann), bob.id]
        await cleo.ok("POST", "/chat/sessions", {"participant_ids": ids, "name": "Walkers"})
        await expect(titles).to_have_text(["Walkers", "bob"])
        await ann.page.reload()
        await expect(titles).to_have_text(["Walkers", "bob"])
        await post(bob, room, "and again")
        await expect(titles).to_have_text(["bob", "Walkers"])
        await ann.page.reload()
        await expect(titles).to_have_text(["bob", "Walkers"])
