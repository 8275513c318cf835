"""The demo page in a real Chromium: walking by keys, colours, and where words stand."""

from __future__ import annotations

import asyncio
import random

import pytest
from playwright.async_api import expect

from tests.harness import Server, Socket

# Finds places for the words of a crowd, and says where figures and words are: [x, y, width, height] each.
CROWD = """async ({ people, width }) => {
  const { Labels } = await import('/static/js/map/labels.js');
  const { Camera } = await import('/static/js/map/camera.js');
  const { figureMeasures } = await import('/static/js/map/measures.js');
  const { shorten, wrap } = await import('/static/js/map/text.js');
  const camera = new Camera();
  camera.resize(width, 800);
  const labels = new Labels({ camera, overlays: [] }, {
    name: (text) => shorten('550 12.5px sans-serif', text, 130),
    words: (text, widest, lines) => wrap('500 13px sans-serif', text, widest, lines),
  }, new Map());
  const figures = people.map(([x, y], id) => ({ person: { id, x, y }, label: `Somebody ${id}`, self: !id, hovered: false }));
  for (const figure of figures) labels.keepFigure(figure);
  const found = [...figures.map((figure) => labels.name(figure)),
    ...figures.map(({ person }) => labels.bubble(person, `words of number ${person.id}`))];
  const boxes = found.filter(Boolean).map(({ place }) => [place.x, place.y, place.width, place.height]);
  const { size, top } = figureMeasures(camera);
  const bodies = figures.map(({ person }) => camera.toScreen(person)).map(({ x, y }) => [x - 9 * size, y - top + 5, 18 * size, top - 5]);
  return [bodies, boxes];
}"""


async def where(watcher: Socket, username: str) -> tuple[float, float]:
    """Where somebody stands in the eyes of another."""
    await watcher.send(type="update_location", x=6, y=6, radius=50)  # beside whoever begins
    seen = await watcher.next("nearby_users")
    return next((user["x"], user["y"]) for user in seen["users"] if user["username"] == username)


def overlap(a: list[float], b: list[float]) -> bool:
    """Do two boxes, each x, y, width and height, have a part in common?"""
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@pytest.mark.gen_test(timeout=180)
async def test_walking_by_keys(server: Server, browse) -> None:
    """Held arrow keys and WASD walk, both at once aslant; letters that are typed into a message do not."""
    async with browse(server) as browser:
        owner = await server.person("owner")
        await owner.land(-50, -50, width=100, height=100, name="Everywhere")
        watcher = await owner.chat()
        ann = await browser.registered("ann")
        await expect(ann.find("land-label")).to_contain_text("Everywhere")
        await ann.map()
        x, y = await where(watcher, "ann")

        async def walk(*keys: str) -> tuple[float, float]:
            before = await where(watcher, "ann")
            for key in keys:
                await ann.page.keyboard.down(key)
            await ann.until("([x]) => Math.abs(hereaboutsApp.world.self.x - x) > 3", before)
            for key in keys:
                await ann.page.keyboard.up(key)
            await ann.until("() => !hereaboutsApp.world.self.moving")
            place = await ann.page.evaluate("(({ x, y }) => [x, y])(hereaboutsApp.world.self)")
            while (told := await where(watcher, "ann")) != pytest.approx(place, abs=0.0006):
                await asyncio.sleep(0.1)
            return told

        east = await walk("ArrowRight")
        assert east[0] > x + 3 and east[1] == y
        aslant = await walk("w", "a")
        assert aslant[0] < east[0] - 2 and aslant[1] < east[1] - 2
        await ann.find("chat-input").press_sequentially("sad was", delay=60)
        await expect(ann.find("chat-input")).to_have_value("sad was")
        await asyncio.sleep(1.5)  # a step would be told by now
        assert await where(watcher, "ann") == aslant


@pytest.mark.gen_test(timeout=180)
@pytest.mark.parametrize("width", [764, 390])
async def test_words_on_the_map_cover_nobody(server: Server, browse, width: int) -> None:
    """However people stand, no name and nothing said lies over a figure or over other words; most names are there."""
    async with browse(server) as browser:
        ann = await browser.visit("ann")
        chance = random.Random(7)
        for count in (2, 5, 9):
            for _ in range(10):
                people = [[0, 0]] + [[chance.uniform(-9, 9), chance.uniform(-9, 9)] for _ in range(count - 1)]
                bodies, words = await ann.page.evaluate(CROWD, {"people": people, "width": width})
                # One's own name is always there: where it has no place it may lie over something.
                for at, word in enumerate(words[1:], 1):
                    assert not any(overlap(word, body) for body in bodies)
                    assert not any(overlap(word, other) for other in words[1:at])
                assert len(words) >= count


@pytest.mark.gen_test(timeout=180)
async def test_those_who_stand_together_differ_in_colour(server: Server, browse) -> None:
    """Up to ten have ten colours, and whoever was there first keeps theirs."""
    async with browse(server) as browser:
        ann = await browser.visit("ann")
        alone, together = await ann.page.evaluate("""async () => {
          const { hueOf, keepApart } = await import('/static/js/app/hues.js');
          const ids = Array.from({ length: 10 }, (_, index) => `somebody-${index}`);
          const alone = hueOf(ids[0]);
          keepApart(ids.slice(0, 6));
          const six = ids.slice(0, 6).map(hueOf);
          keepApart(ids);
          return [[alone, ...six], [ids.map(hueOf)[0], ...ids.map(hueOf)]];
        }""")
        assert together[:7] == alone
        assert len(set(together)) == 10
