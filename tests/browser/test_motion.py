"""What moves in the demo page: nothing by itself for whoever wants none, and nothing that one is about to press."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visitor
from tests.harness import Server

# How far each thing that moves by itself goes on, in seconds: of every element, its pseudo-elements included.
RUNNING = """() => document.getAnimations().map(({ animationName, transitionProperty, effect }) =>
  `${animationName ?? transitionProperty} ${effect.getComputedTiming().activeDuration}`)"""

# Walks east for twenty frames, and says how far behind the map's middle was at most.
BEHIND = """() => new Promise((done) => {
  const { world, map } = hereaboutsApp;
  world.walkTo(world.self.x + 40, world.self.y);
  let most = 0;
  let frames = 0;
  const look = () => {
    most = Math.max(most, world.self.x - map.camera.x);
    if (++frames < 20) requestAnimationFrame(look);
    else done(most);
  };
  requestAnimationFrame(look);
})"""

SHIFTS = """
globalThis.shifts = [];
new PerformanceObserver((list) => {
  for (const { value, hadRecentInput, sources } of list.getEntries()) {
    if (!hadRecentInput) shifts.push([value, sources.map(({ node }) => node?.outerHTML?.slice(0, 80) ?? '')]);
  }
}).observe({ type: 'layout-shift', buffered: true });
"""


async def arrive(visitor: Visitor) -> None:
    await visitor.find("username").fill(visitor.name)
    await visitor.find("password").fill("correct horse")
    await visitor.find("submit").click()
    await visitor.map()


@pytest.mark.gen_test(timeout=240)
@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
async def test_motion_is_as_one_wants_it(server: Server, browse, motion: str) -> None:
    """Reduced, nothing of the page is animated and the map stays under one's feet; else both move."""
    async with browse(server) as browser:
        ann = await browser.visit("ann", reduced_motion=motion)
        await arrive(ann)
        bob = await browser.registered("bob")
        await ann.find("person", username="bob").click()
        await ann.find("call-audio").click()  # what rings, pulses
        await expect(bob.find("incoming-call")).to_be_visible()
        await expect(ann.find("call-panel", state="ringing")).to_be_visible()
        running = await ann.page.evaluate(RUNNING)
        behind = await ann.page.evaluate(BEHIND)
        if motion == "reduce":
            assert running == []
            assert behind == pytest.approx(0, abs=0.01)
        else:
            assert any(animation.startswith("ripple") for animation in running)
            assert behind > 0.05  # less where a busy machine draws seldom


@pytest.mark.gen_test(timeout=240)
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_nothing_jumps(server: Server, browse, size: str) -> None:
    """From the first paint to the first message, what is shown stays where it is: a cumulative shift under 0.05."""
    owner = await server.person("owner")
    await owner.land(-50, -50, width=100, height=100, name="Harbour Green")
    async with browse(server) as browser:
        ann = await browser.visit("ann", size)
        await ann.page.add_init_script(SHIFTS)
        await ann.page.reload()
        await arrive(ann)
        await expect(ann.find("land-label")).to_contain_text("Harbour Green")
        if size == "phone":
            await ann.find("tab-chat").click()
        await ann.find("chat-input").fill("hello")
        await ann.find("chat-send").click()
        await expect(ann.find("message", state="sent")).to_be_visible()
        shifts = await ann.page.evaluate("shifts")
        assert sum(value for value, _ in shifts) < 0.05, shifts
