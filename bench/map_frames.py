"""How long a frame of the map takes with many people who walk in view: `python -m bench.map_frames [ORIGIN]`.

A page of a real Chromium, signed up at a server that runs (`make run`), gets its people by the client library: a
snapshot, and then everybody's step ten times a second, which is more than the server would tell one connection. Once
with each of the two renderers. Without a graphics card WebGL is drawn by the processor: how long its own scripting
takes is then what says something about other machines, and frames a second are what they are here.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
from statistics import quantiles
from typing import Any, Final

from playwright.async_api import Browser, async_playwright

ARGUMENTS: Final = ("--no-sandbox", "--enable-unsafe-swiftshader")
SETTLED: Final = 4.0  # seconds until names and ground are painted

WITH_A_CARD: Final = """
const real = WebGL2RenderingContext.prototype.getParameter;
WebGL2RenderingContext.prototype.getParameter = function (name) { return name === 37446 ? 'a card' : real.call(this, name); };
"""

# Notes how long each callback of a frame takes, and how far apart frames are.
CLOCK: Final = """
window.frames_ = { last: 0, apart: [], script: [], render: [] };
const request = window.requestAnimationFrame;
window.requestAnimationFrame = (act) => request((now) => {
  const from = performance.now();
  act(now);
  const took = performance.now() - from;
  if (now === frames_.last) { // another of the same frame
    frames_.script.push((frames_.script.pop() ?? 0) + took);
    return;
  }
  frames_.script.push(took);
  if (frames_.last) frames_.apart.push(now - frames_.last);
  frames_.last = now;
});
"""

CROWD: Final = """({ count, spread }) => {
  const { chat } = hereabouts;
  const { self } = hereaboutsApp.world;
  const { renderer } = hereaboutsApp.map;
  const render = renderer.render.bind(renderer);
  renderer.render = (options) => {
    const from = performance.now();
    render(options);
    frames_.render.push(performance.now() - from);
  };
  const people = Array.from({ length: count }, (_, index) => ({
    user_id: `walker-${index}`, username: `walker_${index}`, turn: Math.random() * 2 * Math.PI,
    x: self.x + (Math.random() - 0.5) * 2 * spread.x, y: self.y + (Math.random() - 0.5) * 2 * spread.y,
  }));
  for (const { user_id, username } of people) hereaboutsApp.people.learn({ id: user_id, username, display_name: username });
  let version = 1;
  chat.deliver({ type: 'nearby_snapshot', version, radius: 50, users: people.map(({ turn, ...user }) => user) });
  setInterval(() => {
    for (const person of people) {
      person.turn += (Math.random() - 0.5) * 0.6;
      person.x += Math.cos(person.turn) * 0.5;
      person.y += Math.sin(person.turn) * 0.5;
      if (Math.abs(person.x - self.x) > spread.x || Math.abs(person.y - self.y) > spread.y) person.turn += Math.PI / 2;
    }
    version += 1;
    chat.deliver({ type: 'nearby_update', version, entered: [], moved: people.map(({ user_id, x, y }) => [user_id, x, y]), left: [] });
  }, 100);
  for (let count = 0; count < 3; count += 1) hereaboutsApp.map.camera.zoom(1 / 1.35);
}"""

READ: Final = "() => Object.fromEntries(Object.entries(frames_).filter(([, list]) => list.length))"
FORGET: Final = "() => Object.assign(frames_, { apart: [], script: [], render: [] })"
IN_VIEW: Final = """() => {
  const { map, world } = hereaboutsApp;
  return [...world.people.values()].filter((person) => map.camera.shows(map.camera.toScreen(person), 0)).length;
}"""


async def main(options: argparse.Namespace) -> None:
    chromium = shutil.which("chromium")
    assert chromium, "Chromium is needed on the PATH"
    async with async_playwright() as playwright:
        for renderer in ("canvas", "webgl"):
            browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            print(await measured(browser, renderer, options))
            await browser.close()


async def measured(browser: Browser, renderer: str, options: argparse.Namespace) -> str:
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    await context.add_init_script(CLOCK + (WITH_A_CARD if renderer == "webgl" else ""))
    page = await context.new_page()
    await page.goto(options.origin)
    await page.get_by_test_id("username").fill(f"bench_{secrets.token_hex(4)}")
    await page.get_by_test_id("password").fill("correct horse")
    await page.get_by_test_id("submit").click()
    while not await page.evaluate("() => Boolean(globalThis.hereaboutsApp?.map)"):
        await asyncio.sleep(0.1)
    while await page.evaluate("hereabouts.chat.state") != "open":
        await asyncio.sleep(0.1)
    await asyncio.sleep(SETTLED)  # the server's own word on who is near is over
    got = await page.evaluate("hereaboutsApp.map.renderer.name")
    await page.evaluate(CROWD, {"count": options.people, "spread": {"x": 44, "y": 48}})
    await asyncio.sleep(SETTLED)
    system = await browser.new_browser_cdp_session()
    before = await processor(system)
    await page.evaluate(FORGET)
    await asyncio.sleep(options.seconds)
    frames = await page.evaluate(READ)
    after = await processor(system)
    in_view = await page.evaluate(IN_VIEW)
    if options.picture:
        await page.screenshot(path=options.picture.format(renderer))
    count = len(frames["apart"])
    lines = [f"{got}: {in_view} of {options.people} in view, {count / options.seconds:.1f} frames/s"]
    for name, what in (
        ("apart", "from frame to frame"),
        ("script", "our scripting"),
        ("render", "of it PixiJS"),
    ):
        cuts = quantiles(frames[name], n=20)
        lines.append(f"  {what:20} p50 {cuts[9]:6.2f} ms   p95 {cuts[18]:6.2f} ms")
    for kind in after:
        lines.append(
            f"  processor, {kind:9} {(after[kind] - before.get(kind, 0)) * 1000 / count:6.2f} ms a frame"
        )
    return "\n".join(lines)


async def processor(system: Any) -> dict[str, float]:
    """Seconds of processor so far, by kind of process."""
    used: dict[str, float] = {}
    for process in (await system.send("SystemInfo.getProcessInfo"))["processInfo"]:
        kind = {"renderer": "the page", "GPU": "to paint"}.get(process["type"])
        if kind:
            used[kind] = used.get(kind, 0.0) + process["cpuTime"]
    return used


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("origin", nargs="?", default="http://localhost:8000")
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--picture", default="", help="where to put a screenshot; {} becomes the renderer")
    asyncio.run(main(parser.parse_args()))
