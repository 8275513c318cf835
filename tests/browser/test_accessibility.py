"""Every state of the pages at both sizes, by day and by night: axe finds nothing, nothing is cut off; and a picture of it."""

from __future__ import annotations

import pytest

from tests.browser import axe, call_states, states
from tests.browser.conftest import OUTPUT, Browser, Visitor
from tests.harness import Server

JOURNEYS = {
    "signed_out": lambda server, browser, size: states.signed_out(browser, size),
    "alone": lambda server, browser, size: states.alone(browser, size),
    "together": states.together,
    "in_earshot": states.in_earshot,
    "writing": states.writing,
    "ones_own_land": states.ones_own_land,
    "calls": call_states.calls,
    "voice": lambda server, browser, size: call_states.voice(browser, size),
    "away": states.away,
    "broken": lambda server, browser, size: states.broken(browser, size),
    "other_pages": states.other_pages,
}

# The map is drawn in the frames after the colours have changed.
TWO_FRAMES = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn())))"

# How much wider what is shown is than the window that shows it.
TOO_WIDE = "document.documentElement.scrollWidth - innerWidth"

# What a finger has to hit and is smaller than 44 pixels; in lines of text as small as the text is.
SMALL = """() => [...document.querySelectorAll('button:not(.link), input:not([type=checkbox]), textarea, summary')]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest('.message, .docs'))
  .map((element) => [element, (element.closest('.composer') ?? element).getBoundingClientRect()])
  .filter(([, { width, height }]) => width < 44 || height < 44)
  .map(([element, { width, height }]) => `${element.outerHTML.slice(0, 90)} is ${width} × ${height}`)"""


async def look(visitor: Visitor, name: str, size: str) -> list[str]:
    """Keeps two pictures of the page as it is, and says what is wrong with it."""
    wrong = []
    for scheme in ("light", "dark"):
        await visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await visitor.page.evaluate(TWO_FRAMES)
        await visitor.shot(f"states/{size}-{scheme}-{name}")
        wrong += [f"{name}, {size}, {scheme}: {violation}" for violation in await axe.found(visitor.page)]
    if size == "phone":
        wrong += [f"{name}: {small}" for small in await visitor.page.evaluate(SMALL)]
    if (pixels := await visitor.page.evaluate(TOO_WIDE)) > 0:
        wrong.append(f"{name}, {size}: {pixels} pixels wider than the window")
    return wrong


@pytest.mark.gen_test(timeout=240)
@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("journey", JOURNEYS)
async def test_nobody_is_kept_out(server: Server, browse, journey: str, size: str) -> None:
    """In no state does axe find anything, or is the page wider than its window; pictures are in test-output/states."""
    wrong: list[str] = []
    async with browse(server) as browser:
        assert isinstance(browser, Browser)
        async for name, visitor in JOURNEYS[journey](server, browser, size):
            wrong += await look(visitor, name, size)
    assert not wrong, f"pictures in {OUTPUT}\n" + "\n".join(wrong)


@pytest.mark.gen_test(timeout=180)
async def test_what_is_planted_is_found(server: Server, browse) -> None:
    """A button without a name and words too pale to read: else that nothing is found would say nothing."""
    async with browse(server) as browser:
        ann = await browser.visit("ann")
        await ann.find("submit").wait_for()
        await ann.page.evaluate("""() => {
          const pale = Object.assign(document.createElement('p'), { textContent: 'Can you read this?' });
          pale.style.color = '#dddddd';
          document.querySelector('main').append(document.createElement('button'), pale);
        }""")
        found = await axe.found(ann.page)
        assert any("button-name" in violation for violation in found)
        assert any("color-contrast" in violation for violation in found)
