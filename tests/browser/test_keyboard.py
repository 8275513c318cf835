"""The demo page by the keyboard alone: all that can be done with a mouse, and where the focus is meanwhile."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visitor
from tests.harness import Server

# The element that has the focus, if it can be seen that it has it: it shows, and is outlined, itself or its frame.
FOCUSED = """() => {
  const element = document.activeElement;
  const framed = element.closest('.composer') ?? element;
  const { outlineStyle, boxShadow } = getComputedStyle(framed);
  const seen = outlineStyle !== 'none' || (framed !== element && boxShadow !== 'none');
  return { testid: element.dataset.testid ?? '', label: element.getAttribute('aria-label') ?? element.textContent.trim(),
    tag: element.tagName, seen: seen && element.checkVisibility({ visibilityProperty: true }) };
}"""


async def tab_to(visitor: Visitor, testid: str, key: str = "Tab", most: int = 40) -> None:
    """Presses Tab until that has the focus; whatever has it meanwhile shows it."""
    for _ in range(most):
        await visitor.page.keyboard.press(key)
        focused = await visitor.page.evaluate(FOCUSED)
        assert focused["tag"] == "BODY" or focused["seen"], focused
        if focused["testid"] == testid:
            return
    raise AssertionError(f"{testid} was not reached")


@pytest.mark.gen_test(timeout=180)
async def test_all_of_it_without_a_mouse(server: Server, browse) -> None:
    """Signing up, walking, talking, calling, claiming land; the focus is seen, and comes back from dialogs and menus."""
    async with browse(server) as browser:
        bob = await browser.registered("bob")
        ann = await browser.visit("ann")
        keyboard = ann.page.keyboard

        await expect(ann.find("username")).to_be_focused()
        await keyboard.type("ann")
        await keyboard.press("Tab")
        await keyboard.type("correct horse")
        await keyboard.press("Enter")
        await ann.find("map").wait_for()
        await expect(ann.find("person", username="bob")).to_be_visible()

        # The map is one skip away from the top, and walking needs no more than the arrow keys.
        await keyboard.press("Tab")
        assert (await ann.page.evaluate(FOCUSED))["label"] == "Skip to the map"
        await keyboard.press("Enter")
        await expect(ann.find("map")).to_be_focused()
        await ann.map()
        x = await ann.page.evaluate("hereaboutsApp.world.self.x")
        await keyboard.down("ArrowRight")
        await ann.until("(x) => hereaboutsApp.world.self.x > x + 1", x)
        await keyboard.up("ArrowRight")

        # Land, by numbers.
        await tab_to(ann, "claim-land")
        await keyboard.press("Enter")
        await expect(ann.find("claim-by-numbers")).to_be_focused()
        await keyboard.press("Escape")
        await expect(ann.find("claim-land")).to_be_focused()
        await keyboard.press("Enter")
        await keyboard.press("Enter")
        await expect(ann.find("land-name")).to_be_focused()
        await keyboard.type("Ann's porch")
        await keyboard.press("Enter")
        await expect(ann.find("land-label")).to_contain_text("Ann's porch")
        await expect(ann.find("claim-land")).to_be_focused()

        # From the map Enter leads to the line that is written, and Escape back.
        await ann.find("map").focus()
        await expect(ann.find("chat-input")).to_be_visible()
        await keyboard.press("Enter")
        await expect(ann.find("chat-input")).to_be_focused()
        await keyboard.type("anybody here?")
        await keyboard.press("Enter")
        await expect(ann.find("message", state="sent")).to_contain_text("anybody here?")
        await keyboard.press("Escape")
        await expect(ann.find("map")).to_be_focused()

        # Somebody, from the list: the menu by arrow keys, and back to where one was.
        await tab_to(ann, "person", "Shift+Tab")
        await keyboard.press("Enter")
        await expect(ann.find("write")).to_be_focused()
        await keyboard.press("Escape")
        await expect(ann.find("person", username="bob").first).to_be_focused()
        await keyboard.press("Enter")
        for item in ("write", "group", "call-audio"):
            await expect(ann.find(item)).to_be_focused()
            await keyboard.press("ArrowDown")
        await keyboard.press("ArrowUp")
        await keyboard.press("Enter")
        await expect(bob.find("call-accept")).to_be_focused()
        await bob.page.keyboard.press("Enter")
        await expect(ann.find("call-panel", state="active")).to_be_visible(timeout=30_000)
        await tab_to(ann, "call-hangup")
        await keyboard.press("Enter")
        await expect(ann.find("call-panel")).to_have_count(0)

        # A dialog keeps the focus in, and gives it back.
        await tab_to(ann, "settings")
        await keyboard.press("Enter")
        await ann.find("password-open").wait_for()
        for _ in range(14):
            await keyboard.press("Tab")
            assert await ann.page.evaluate(
                "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
            )
        await keyboard.press("Escape")
        await expect(ann.find("settings")).to_be_focused()
