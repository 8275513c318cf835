"""The demo page in a real Chromium: emoji are found, put in at the caret, and large where there is nothing else."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_say import say
from tests.harness import Server

SLOW = 20_000  # milliseconds: the picker is loaded when it is first opened

LARGE = "(content) => parseFloat(getComputedStyle(content).fontSize) > 24"


@pytest.mark.gen_test(timeout=240)
async def test_an_emoji_is_picked_by_keyboard(server: Server, browse) -> None:
    """By a word or with the arrow keys, and stands where the caret was; Escape goes back to the line."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        line, words = ann.find("chat-input"), ann.find("emoji-words")
        await line.fill("hello  all")
        for _ in range(4):
            await line.press("ArrowLeft")
        await ann.find("emoji-open").focus()
        await ann.page.keyboard.press("Enter")
        await expect(words).to_be_focused(timeout=SLOW)
        await ann.shot("emoji-desktop")
        await words.fill("hello")
        await expect(ann.find("emoji-picker").locator("[data-emoji]")).to_have_count(1)
        await words.press("Enter")
        await expect(line).to_have_value("hello 👋 all")
        await expect(line).to_be_focused()
        await ann.page.keyboard.type("!")
        await expect(line).to_have_value("hello 👋! all")

        # Two down and one to the right of the first, in the grid.
        await ann.find("emoji-open").click()
        await expect(words).to_be_focused()
        focused = "document.activeElement.dataset.emoji"
        steps = {"ArrowDown": "😀", "ArrowRight": "😄", "End": "💯", "Home": "😀"}
        for key, expected in steps.items():
            await ann.page.keyboard.press(key)
            assert await ann.page.evaluate(focused) == expected
        await ann.page.keyboard.press("ArrowDown")
        assert await ann.page.evaluate(focused) == "😘"
        await ann.page.keyboard.press("ArrowUp")
        await ann.page.keyboard.press("ArrowUp")
        await expect(words).to_be_focused()
        await ann.page.keyboard.press("Escape")
        await expect(ann.find("emoji-picker")).to_have_count(0)
        await expect(line).to_be_focused()
        await expect(line).to_have_value("hello 👋! all")


@pytest.mark.gen_test(timeout=240)
async def test_an_emoji_is_picked_by_touch(server: Server, browse) -> None:
    """Nothing of the picker leaves the screen; one to three emoji alone are large, more or with words they are not."""
    async with browse(server) as browser:
        ann = await browser.registered("ann", "phone", has_touch=True, is_mobile=True)
        await ann.find("tab-chat").tap()
        await ann.find("emoji-open").tap()
        picker = ann.find("emoji-picker")
        await expect(picker).to_be_visible(timeout=SLOW)
        await expect(ann.find("emoji-words")).not_to_be_focused()
        box = await picker.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] >= 0
        target = await picker.locator("[data-emoji]").first.bounding_box()
        assert target and target["height"] >= 44
        await ann.shot("emoji-phone")
        await picker.locator('[data-emoji="❤️"]').tap()
        await expect(ann.find("chat-input")).to_have_value("❤️")
        await ann.find("chat-send").tap()
        for text in ("👩‍🚀🇩🇪 👍🏽", "👍👍👍👍", "yes 👍"):
            await say(ann, text)
        await expect(ann.find("message")).to_have_count(4)
        large = [
            await content.evaluate(LARGE) for content in await ann.page.locator(".message .content").all()
        ]
        assert large == [True, True, False, False]
        await ann.shot("emoji-large-phone")
