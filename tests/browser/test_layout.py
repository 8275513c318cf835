"""What lies over the map, at every size of the window: beside each other, and in view."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.client import forgive, road
from tests.browser.conftest import Visitor
from tests.browser.states import machine
from tests.harness import Server

WINDOWS = {
    "desktop": [(1920, 1080), (1440, 900), (1024, 700), (820, 1180)],
    "phone": [(390, 844), (360, 640)],
}
OVER_MAP = ".land-label, .minimap, .map-tools, .first-steps > *, .voice, .claim, .claim-bar, .lost, .notice, .call-panel"
PANES = ".side, .chat, .tabs"

# What lies over something else by more than a pixel, or out of the window; and the names of all that is seen.
LOOK = f"""() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {{
  const seen = [...document.querySelectorAll('{OVER_MAP}, {PANES}')]
    .filter((element) => element.checkVisibility({{ visibilityProperty: true }}))
    .map((element) => ({{ name: element.dataset.testid ?? element.className, pane: element.matches('{PANES}'), box: element.getBoundingClientRect() }}));
  const wrong = [];
  seen.forEach(({{ name, pane, box }}, index) => {{
    if (box.left < -1 || box.top < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1) wrong.push(name + ' is out of the window');
    for (const other of seen.slice(index + 1)) {{
      const width = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
      const height = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
      if (width > 1 && height > 1 && !(pane && other.pane)) wrong.push(`${{name}} and ${{other.name}}: ${{width}} × ${{height}}`);
    }}
  }});
  done({{ wrong, seen: seen.map(({{ name }}) => name) }});
}})))"""

SHEETS_REST = "() => document.getAnimations().length === 0"
TELL = """() => {
  hereaboutsApp.set({ notices: [] });
  hereaboutsApp.notice('Harbour Green is yours');
  hereaboutsApp.notice('The server cannot be reached. Check your connection and try again.', 'error');
}"""


async def at_every_size(
    visitor: Visitor, size: str, state: str, *there: str, notices: bool = False
) -> list[str]:
    """What is wrong in a state, having seen that `there` is there; with two notices if wanted, which do not stay for long."""
    if notices:
        there = (*there, "notice error")
    wrong = []
    for width, height in WINDOWS[size]:
        await visitor.page.set_viewport_size({"width": width, "height": height})
        if notices:
            await visitor.page.evaluate(TELL)
        await visitor.until(SHEETS_REST)
        looked = await visitor.page.evaluate(LOOK)
        assert set(there) <= set(looked["seen"]), (state, width, height, looked["seen"])
        wrong += [f"{state}, {width} × {height}: {text}" for text in looked["wrong"]]
        await visitor.shot(f"layout/{width}x{height}-{state}")
    return wrong


@pytest.mark.gen_test(timeout=180)
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_nothing_lies_over_something_else(server: Server, browse, size: str) -> None:
    """First steps, voice, claiming, the tools, the minimap, what is said in passing, a lost connection, and a call."""
    owner = await server.person("owner")
    await owner.land(-50, -50, width=100, height=100, name="The harbour green of the old town")
    async with browse(server) as browser, road(server.app.port) as way:
        bob = await browser.registered("bob")
        ann = await browser.registered("ann", port=way.port, **machine(size))
        await expect(ann.find("land-label")).to_contain_text("harbour green")
        await expect(ann.find("minimap-card")).to_be_visible()
        await expect(ann.find("say-hello")).to_be_visible()
        first = ("say-hello", "how-to-walk", "claim-land", "voice")
        wrong = await at_every_size(ann, size, "arrived", *first)

        await ann.find("voice-switch").click()
        await expect(ann.find("voice", state="on")).to_be_visible()
        wrong += await at_every_size(ann, size, "voice", *first)

        await ann.find("claim-land").click()
        wrong += await at_every_size(ann, size, "claiming", "claim-bar", "voice")
        await ann.page.keyboard.press("Escape")

        if size == "phone":
            await ann.find("tab-chat").click()
            wrong += await at_every_size(ann, size, "sheet", "voice", notices=True)
            await ann.find("tab-people").click()
        await ann.find("person", username="bob").click()
        await ann.find("call-video").first.click()
        await bob.find("call-accept").click()
        await expect(ann.page.locator(".call-panel.with-picture")).to_be_visible(timeout=30_000)
        if size == "phone":
            wrong += await at_every_size(ann, size, "call-sheet", "call-panel")
            await ann.find("tab-map").click()
        wrong += await at_every_size(ann, size, "call", "call-panel", "voice", "claim-land", notices=True)
        await ann.find("call-hangup").click()
        await expect(ann.find("call-panel")).to_have_count(0)

        way.close()
        await expect(ann.find("lost")).to_be_visible(timeout=30_000)
        wrong += await at_every_size(ann, size, "lost", "lost", "claim-land", notices=True)
        way.open()
        await expect(ann.find("lost")).to_have_count(0, timeout=30_000)
        forgive(ann)
    assert not wrong, "\n".join(wrong)
