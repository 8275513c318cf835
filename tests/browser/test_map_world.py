"""The world on the map in a real Chromium: people who come, walk and go, ways to look around, and other worlds."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import Visitor, sign_up
from tests.harness import Server

# Chromium has a graphics card here by its own word alone, which is enough to be drawn to by WebGL.
WITH_A_CARD = """
const real = WebGL2RenderingContext.prototype.getParameter;
WebGL2RenderingContext.prototype.getParameter = function (name) { return name === 37446 ? 'a card' : real.call(this, name); };
"""

# Writes down where somebody is drawn at every frame.
RECORD = """(name) => {
  window.drawn = [];
  const { world } = window.hereaboutsApp;
  const look = () => {
    const person = [...world.people.values()].find(({ username }) => username === name);
    if (person) window.drawn.push([person.x, person.y, person.opacity, performance.now()]);
    requestAnimationFrame(look);
  };
  look();
}"""

# Walks somebody whose steps arrive at given times, and says where each frame of 16 ms draws them: [time, x, y].
TRAIL = """async ({ steps, sparse, until }) => {
  const { Trail } = await import('/static/js/map/trail.js');
  const [[at, x, y], ...rest] = steps;
  const trail = new Trail(at, { x, y });
  const frames = [];
  for (let now = at; now < until; now += 16) {
    while (rest.length && rest[0][0] <= now) {
      const [when, left, top] = rest.shift();
      trail.push(when, { x: left, y: top }, sparse);
    }
    const place = trail.at(now);
    frames.push([now, place.x, place.y, place.heading]);
  }
  return frames;
}"""

# Writes down what a walk tells the server, and when: by a clock that stands still within a frame, as between two lines of
# the page the machine may not.
TOLD = """() => {
  const clock = performance.now.bind(performance);
  let now = clock();
  performance.now = () => now;
  const tick = () => {
    now = clock();
    requestAnimationFrame(tick);
  };
  tick();
  const { chat } = window.hereabouts;
  const tell = chat.updateLocation.bind(chat);
  window.told = [];
  chat.updateLocation = (place) => { window.told.push([performance.now(), place.x, place.y]); return tell(place); };
  chat.on('synced', () => { window.synced = true; });
  const { self } = window.hereaboutsApp.world;
  window.hereaboutsApp.world.walkTo(self.x + 9.1234, self.y);
}"""

PLACE = "(({ x, y }) => [x, y])(window.hereaboutsApp.world.self)"
VIEW = "(({ x, y, scale }) => [x, y, scale])(window.hereaboutsApp.map.camera)"


async def people_of(visitor: Visitor) -> list[str]:
    return list(
        await visitor.page.evaluate("window.hereaboutsApp.world.nearby.map(({ username }) => username)")
    )


async def sees(visitor: Visitor, *names: str) -> None:
    script = "(names) => window.hereaboutsApp.world.nearby.map((person) => person.username).sort().join() === names"
    await visitor.until(script, ",".join(sorted(names)))


async def put(visitor: Visitor, x: float, y: float) -> None:
    """Sets the visitor down at a place."""
    await visitor.page.evaluate("(place) => Object.assign(hereaboutsApp.world.self, place)", {"x": x, "y": y})


@pytest.mark.gen_test(timeout=240)
@pytest.mark.parametrize("renderer", ["canvas", "webgl"])
async def test_two_people_meet_on_the_map(server: Server, browse, renderer: str) -> None:
    """Each sees the other come, walk without a jump to where the other stands in the end, and go."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        if renderer == "webgl":
            await ann.page.add_init_script(WITH_A_CARD)
            await ann.page.reload()
        await ann.map()
        assert await ann.page.evaluate("hereaboutsApp.map.renderer.name") == renderer
        await put(ann, 0, 0)
        assert await people_of(ann) == []
        bob = await browser.registered("bob")
        await bob.map()
        await put(bob, -6, 3)
        await sees(ann, "bob")
        await sees(bob, "ann")
        await ann.until(
            "() => [...hereaboutsApp.world.people.values()].every(({ x, y, opacity }) => x === -6 && y === 3 && opacity === 1)"
        )
        await ann.page.evaluate(RECORD, "bob")
        await bob.page.evaluate("hereaboutsApp.world.walkTo(8, 3)")
        await ann.until("() => window.drawn.at(-1)[0] === 8")
        drawn = await ann.page.evaluate("window.drawn")
        # No faster than twice a walk of seven units a second, however seldom a busy machine draws.
        assert all(
            0 <= b[0] - a[0] < max(4, 0.014 * (b[3] - a[3])) and b[1] == 3 and b[2] == 1
            for a, b in pairwise(drawn)
        )
        walking = [x for x, *_ in drawn if -6 < x < 8]
        assert len(set(walking)) > 0.8 * len(walking) > 0
        await bob.page.evaluate("hereaboutsApp.world.walkTo(8.125, 70)")
        await sees(ann)
        await sees(bob)
        await bob.page.evaluate("hereaboutsApp.world.walkTo(8.125, 20)")
        await sees(ann, "bob")
        await bob.page.close()
        await sees(ann)


@pytest.mark.gen_test(timeout=180)
async def test_nothing_is_told_of_whoever_stands(server: Server, browse) -> None:
    """A walk is told ten times a second at most, its end exactly, and then nothing more; also where it begins before the
    page knows the conversations."""
    async with browse(server) as browser:
        ann = await browser.visit("ann")
        asked: asyncio.Queue[Route] = asyncio.Queue()
        await ann.page.route("**/chat/sessions", asked.put)
        await sign_up(ann)
        await ann.map()
        await ann.page.evaluate(TOLD)
        await ann.until("() => window.told.length > 3")
        await (await asked.get()).continue_()
        await ann.until("() => window.synced && !window.hereaboutsApp.world.target")
        await ann.until("() => performance.now() - window.told.at(-1)[0] > 1_500")
        told = await ann.page.evaluate("window.told")
        x, y = await ann.page.evaluate(PLACE)
        assert told[-1][1:] == [pytest.approx(x, abs=0.0006), y]
        assert all(b[0] - a[0] > 99.9 for a, b in pairwise(told)), told


@pytest.mark.gen_test(timeout=180)
async def test_a_late_step_does_not_jerk(server: Server, browse) -> None:
    """However late steps arrive, no frame moves farther than half a step, none goes back, and the end is reached."""
    async with browse(server) as browser:
        ann = await browser.visit("ann")
        chance = random.Random(3)
        for late in (0, 15, 90):
            steps = [[0, 0, 0]] + [[100 * n + chance.uniform(0, late), 0.7 * n, 0] for n in range(1, 60)]
            frames = await ann.page.evaluate(TRAIL, {"steps": steps, "sparse": False, "until": 6_300})
            moves = [b[1] - a[1] for a, b in pairwise(frames)]
            assert min(moves) >= 0 and max(moves) <= 0.35
            assert frames[-1][1] == pytest.approx(41.3)
            if late <= 15:
                # Between its first and its last step a walk on time never stands.
                assert all(
                    move > 0 for (when, *_), move in zip(frames, moves, strict=False) if 230 < when < 5_900
                )


@pytest.mark.gen_test(timeout=180)
async def test_far_off_is_jumped_to_and_a_crowds_rare_steps_are_walked(server: Server, browse) -> None:
    """A place that is no step away is there at once; where not every step is told, a second's walk takes about a second."""
    async with browse(server) as browser:
        ann = await browser.visit("ann")
        jump = await ann.page.evaluate(
            TRAIL, {"steps": [[0, 0, 0], [1000, 20, 0]], "sparse": False, "until": 1_200}
        )
        assert {x for _, x, *_ in jump} == {0, 20}
        rare = [[1000 * n, 7 * n, 0] for n in range(6)]
        frames = await ann.page.evaluate(TRAIL, {"steps": rare, "sparse": True, "until": 6_500})
        assert max(b[1] - a[1] for a, b in pairwise(frames)) < 0.2
        assert frames[-1][1] == 35


@pytest.mark.gen_test(timeout=180)
async def test_looking_around_by_mouse_and_minimap(server: Server, browse) -> None:
    """A drag and a click on the minimap move the view and nobody; the wheel zooms; the button leads back."""
    async with browse(server) as browser:
        owner = await server.person("owner")
        await owner.land(30, 20, width=20, height=10, name="Quay")
        ann = await browser.registered("ann")
        await ann.map()
        await put(ann, 0, 0)
        await ann.until("() => Math.hypot(hereaboutsApp.map.camera.x, hereaboutsApp.map.camera.y) < 0.01")
        box = await ann.find("map").bounding_box()
        assert box
        mouse = ann.page.mouse
        await mouse.move(box["x"] + 300, box["y"] + 500)
        await mouse.down()
        await mouse.move(box["x"] + 200, box["y"] + 500, steps=4)
        await mouse.up()
        x, y, scale = await ann.page.evaluate(VIEW)
        assert x == pytest.approx(100 / scale) and y == pytest.approx(0, abs=0.01)
        await mouse.wheel(0, -400)
        await ann.until("(scale) => hereaboutsApp.map.camera.scale > scale", scale)

        # The minimap shows 52 units to each side of oneself.
        size = await ann.find("minimap").evaluate("(canvas) => canvas.clientWidth")
        await ann.find("minimap").click(position={"x": size * 0.75, "y": size * 0.625})
        x, y, _ = await ann.page.evaluate(VIEW)
        assert (x, y) == (pytest.approx(26, abs=1), pytest.approx(13, abs=1))
        assert await ann.page.evaluate(PLACE) == [0, 0]
        await ann.page.get_by_role("button", name="Back to me").click()
        await ann.until("() => Math.hypot(hereaboutsApp.map.camera.x, hereaboutsApp.map.camera.y) < 0.01")
        await ann.find("map").click(position={"x": 80, "y": 400})
        await ann.until("() => hereaboutsApp.world.self.x < -2")


@pytest.mark.gen_test(timeout=180)
async def test_looking_around_by_touch(server: Server, browse) -> None:
    """On a phone a tap walks, a finger pans, and two zoom."""
    async with browse(server) as browser:
        ann = await browser.registered("ann", "phone", has_touch=True, is_mobile=True)
        await ann.map()
        await put(ann, 0, 0)
        await ann.until("() => Math.hypot(hereaboutsApp.map.camera.x, hereaboutsApp.map.camera.y) < 0.01")
        fingers = await ann.context.new_cdp_session(ann.page)

        async def touch(kind: str, *points: tuple[int, int]) -> None:
            await fingers.send(
                "Input.dispatchTouchEvent",
                {"type": kind, "touchPoints": [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]},
            )

        await touch("touchStart", (200, 500))
        for x in range(190, 90, -10):
            await touch("touchMove", (x, 500))
        await touch("touchEnd")
        x, _, scale = await ann.page.evaluate(VIEW)
        assert x > 50 / scale
        assert await ann.page.evaluate(PLACE) == [0, 0]
        await touch("touchStart", (150, 400), (220, 400))
        for way in range(0, 70, 10):
            await touch("touchMove", (150 - way, 400), (220 + way, 400))
        await touch("touchEnd")
        assert (await ann.page.evaluate(VIEW))[2] > 1.5 * scale
        await ann.page.get_by_role("button", name="Back to me").tap()
        await ann.page.touchscreen.tap(120, 480)
        await ann.until("() => hereaboutsApp.world.self.x < -1")
        await ann.find("minimap").tap()
        await ann.find("world").tap()
        await expect(ann.find("world-name")).to_be_visible()


@pytest.mark.gen_test(timeout=240)
async def test_going_into_another_world(server: Server, browse) -> None:
    """It has people and lands of its own; a reload stays there; and the way back leads to where one stood."""
    async with browse(server) as browser:
        owner = await server.person("owner")
        await owner.land(-50, -50, width=100, height=100, name="Everywhere")
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await expect(ann.find("land-label")).to_contain_text("Everywhere")
        await ann.map()
        await put(ann, 3, 4)
        await sees(ann, "bob")
        await ann.until(
            '() => localStorage[`hereabouts.place.${hereabouts.user.id}.main`] === \'{"x":3,"y":4}\''
        )

        await ann.find("world").click()
        await ann.find("world-name").fill("no such/name")
        await ann.find("world-go").click()
        await expect(ann.page.get_by_text("Use 1 to 64 letters")).to_be_visible()
        await ann.find("world-name").fill("moonbase")
        await ann.find("world-go").click()
        await expect(ann.find("world")).to_contain_text("moonbase")
        await expect(ann.find("land-label")).to_contain_text("Open ground")
        await sees(ann)
        await sees(bob)
        await ann.page.evaluate(
            "hereaboutsApp.lands.claim({ name: 'Crater', access: 'open', x: -60, y: -60, width: 120, height: 120 })"
        )
        await expect(ann.find("land-label")).to_contain_text("Crater")
        await ann.page.reload()
        await expect(ann.find("land-label")).to_contain_text("Crater")

        await bob.page.evaluate("hereaboutsApp.world.enter('moonbase')")
        await sees(bob, "ann")
        await ann.find("world").click()
        await ann.find("world-visited", id="main").click()
        await expect(ann.find("land-label")).to_contain_text("Everywhere")
        assert await ann.page.evaluate(PLACE) == [3, 4]
        await sees(bob)


@pytest.mark.gen_test(timeout=180)
async def test_graphics_that_are_taken_away_come_back(server: Server, browse) -> None:
    """While the browser has none the page says so; given back, all is drawn again."""
    async with browse(server) as browser:
        ann = await browser.visit("ann")
        await ann.page.add_init_script(WITH_A_CARD)
        await ann.page.reload()
        await ann.find("username").fill("ann")
        await ann.find("password").fill("correct horse")
        await ann.find("submit").click()
        await ann.map()
        await ann.page.evaluate(
            "window.lose = hereaboutsApp.map.renderer.gl.getExtension('WEBGL_lose_context'); lose.loseContext()"
        )
        await expect(ann.find("no-picture")).to_contain_text("went dark")
        await ann.page.evaluate("lose.restoreContext()")
        await expect(ann.find("no-picture")).to_have_count(0)
        pixel = """() => {
          const { renderer } = hereaboutsApp.map;
          return new Promise((seen) => requestAnimationFrame(() => {
            const { gl } = renderer;
            const pixels = new Uint8Array(4 * 400);
            hereaboutsApp.emit('changed');
            requestAnimationFrame(() => {
              gl.readPixels(0, 300, 400, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
              seen(new Set(new Uint32Array(pixels.buffer)).size > 1);
            });
          }));
        }"""
        await ann.until(pixel)


@pytest.mark.gen_test(timeout=180)
async def test_a_browser_that_cannot_draw_is_told_in_words(server: Server, browse) -> None:
    """The page says so, and its lists, its chat and walking by keys work all the same."""
    async with browse(server) as browser:
        await (await server.person("owner")).land(-50, -50, width=100, height=100, name="Everywhere")
        ann = await browser.registered("ann")
        bob = await browser.registered("bob")
        await ann.page.route("**/pixi.min.js", lambda route: route.abort())
        await ann.page.reload()
        await expect(ann.find("no-picture")).to_contain_text("cannot be drawn")
        await expect(ann.find("land-label")).to_contain_text("Everywhere")
        await expect(ann.find("person", username="bob")).to_be_visible()
        x, _ = await ann.page.evaluate(PLACE)
        await ann.find("map").focus()
        await ann.page.keyboard.down("d")
        await ann.until("(x) => hereaboutsApp.world.self.x > x + 1", x)
        await ann.page.keyboard.up("d")
        await ann.find("chat-input").fill("blind, but here")
        await ann.find("chat-send").click()
        await expect(bob.find("message")).to_contain_text("blind, but here")
        ann.complaints.clear()


@pytest.mark.gen_test(timeout=180)
async def test_the_first_view_is_small_and_the_renderer_comes_after(server: Server, browse) -> None:
    """The sign-in card needs under 300 KB compressed; PixiJS is not among what it waits for."""
    async with browse(server) as browser:
        ann = await browser.visit("ann")
        await ann.find("submit").wait_for()
        await ann.until(
            "() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/pixi.min.js'))"
        )
        page, *found = await ann.page.evaluate(
            "[performance.getEntriesByType('navigation')[0], ...performance.getEntriesByType('resource')]"
            ".map(({ name, encodedBodySize }) => [name, encodedBodySize])"
        )
        paths = [urlsplit(url).path for url, _ in found]
        sizes = {path: size for path, (_, size) in zip(paths, found, strict=True) if "/pixi-" not in path}
        assert len(sizes) > 20 and any("preact" in path for path in sizes)
        assert page[1] + sum(sizes.values()) < 300_000, sizes
        assert paths.index("/static/js/ui/auth-card.js") < [
            path.endswith("pixi.min.js") for path in paths
        ].index(True)
