"""The demo page in a real Chromium: people one blocked, messages that are refused, and a group from a click on somebody."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_conversations import id_of, post, say, talk
from tests.harness import Server


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
