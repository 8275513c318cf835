"""The demo page in a real Chromium: its network goes and comes back, and the conversation is what it would have been."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.client import Wire, forgive, road
from tests.browser.conftest import Visitor
from tests.harness import Server


async def say(visitor: Visitor, *texts: str) -> None:
    for text in texts:
        await visitor.find("chat-input").fill(text)
        await visitor.find("chat-send").click()
        await expect(visitor.find("message").last).to_contain_text(text)


async def delete(visitor: Visitor, seq: int) -> None:
    row = visitor.find("message", seq=str(seq))
    await row.hover()
    await row.locator('[data-testid="delete-message"]').click()
    await visitor.page.get_by_role("button", name="Delete", exact=True).click()
    await expect(visitor.find("message", seq=str(seq), state="deleted")).to_be_visible()


async def rows(visitor: Visitor) -> list[tuple[str | None, str]]:
    """What is shown of the conversation: each message's number, if it has one yet, and state."""
    return [
        (row.get("seq"), row["state"])
        for row in await visitor.find("message").evaluate_all(
            "rows => rows.map((row) => ({ ...row.dataset }))"
        )
    ]


@pytest.mark.gen_test(timeout=240)
async def test_somebody_who_was_cut_off_has_missed_nothing(server: Server, browse) -> None:
    """What was said meanwhile is there once, what was deleted shows as deleted; it took one resume and no history."""
    owner = await server.person("owner")
    await owner.land(-50, -50, width=100, height=100, name="Everywhere")
    async with road(server.app.port) as way, browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob", port=way.port)
        for visitor in (ann, bob):
            await expect(visitor.find("land-label")).to_contain_text("Everywhere")
        await say(ann, "one", "two")
        await expect(bob.find("message")).to_have_count(2)
        wire = Wire(bob)

        way.close()
        await expect(bob.find("lost")).to_be_visible()
        await say(ann, "three", "four", "five")
        await delete(ann, 2)
        await delete(ann, 4)
        way.open()

        await expect(bob.find("message", seq="5")).to_contain_text("five", timeout=40_000)
        await expect(bob.find("message", seq="2", state="deleted")).to_be_visible()
        await say(bob, "six")
        await expect(ann.find("message", seq="6")).to_contain_text("six")
        await expect(bob.find("message", seq="6", state="sent")).to_be_visible()
        # What came and went while one was away was never there.
        assert await rows(bob) == [
            ("1", "sent"),
            ("2", "deleted"),
            ("3", "sent"),
            ("5", "sent"),
            ("6", "sent"),
        ]
        assert await rows(ann) == [(str(seq), "deleted" if seq in (2, 4) else "sent") for seq in range(1, 7)]
        assert len(wire.of("resume")) == 1
        assert wire.history == []
        forgive(bob)


@pytest.mark.gen_test(timeout=240)
async def test_what_is_written_while_the_network_is_away(server: Server, browse) -> None:
    """It stands there as on its way, in its order, and is sent once when the network is back, after what was said before."""
    owner = await server.person("owner")
    await owner.land(-50, -50, width=100, height=100, name="Everywhere")
    async with road(server.app.port) as way, browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob", port=way.port)
        for visitor in (ann, bob):
            await expect(visitor.find("land-label")).to_contain_text("Everywhere")
        way.close()
        await expect(bob.find("lost")).to_be_visible()
        await bob.find("chat-input").press_sequentially("half a sent", delay=20)
        await say(bob, "first", "second")
        assert await rows(bob) == [(None, "sending"), (None, "sending")]
        await say(ann, "meanwhile")
        way.open()
        await expect(bob.find("message", state="sent")).to_have_count(3, timeout=40_000)
        for visitor in (ann, bob):
            await expect(visitor.find("message")).to_have_count(3)
            for seq, text in enumerate(("meanwhile", "first", "second"), 1):
                await expect(visitor.find("message", seq=str(seq))).to_contain_text(text)
        forgive(bob)
