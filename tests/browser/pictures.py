"""Makes the pictures of the README: `make pictures` runs a village of bots, walks in, and looks at it.

Into docs/images: the page by day on a desktop, by night, on a phone, and a few seconds of the living world.
"""

from __future__ import annotations

import asyncio
import base64
import io
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image
from playwright.async_api import async_playwright

from tests.browser.conftest import ARGUMENTS, Browser, Visitor

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
BOTS = 24
SECONDS = 8  # of the living world
FRAMES_A_SECOND = 10
WIDTH = 960
MOST_BYTES = 2_900_000
MOVING = {"reduced_motion": "no-preference"}


@asynccontextmanager
async def village() -> AsyncIterator[str]:
    """A server of its own with bots in it; its origin."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    origin = f"http://localhost:{port}"
    with tempfile.TemporaryDirectory() as data:
        options = ("--bots", str(BOTS), "--port", str(port), "--data-dir", data)
        process = await asyncio.create_subprocess_exec(sys.executable, ROOT / "run.py", *options)
        try:
            while not await asyncio.to_thread(is_ready, origin):
                assert process.returncode is None, "the server does not start"
                await asyncio.sleep(0.2)
            yield origin
        finally:
            process.terminate()
            await process.wait()


def is_ready(origin: str) -> bool:
    try:
        with urlopen(f"{origin}/readyz") as answer:
            return bool(answer.status == 200)
    except URLError:
        return False


async def in_company(visitor: Visitor) -> None:
    """Goes to where people stand together, and talks until somebody answers."""
    await visitor.until(
        "() => hereaboutsApp.map !== null && hereaboutsApp.world.nearby.length >= 12", seconds=60
    )
    await visitor.until("() => hereaboutsApp.world.landId !== null", seconds=60)
    await visitor.page.locator("[data-testid=chat-input]").wait_for(state="attached")


async def settle(visitor: Visitor) -> None:
    """As somebody who is not new any more: has taken a step, sees lands with their names, and has the voice on."""
    await visitor.map()
    await visitor.find("map").press("ArrowDown", delay=400)
    await visitor.page.get_by_label("Zoom out").click()
    await visitor.find("voice-switch").click()
    await visitor.page.locator('[data-testid=voice][data-state="on"]').wait_for()


async def say(visitor: Visitor, text: str) -> None:
    tab = visitor.find("tab-chat")
    if await tab.is_visible():
        await tab.click()
    await visitor.find("chat-input").fill(text)
    await visitor.find("chat-send").click()


async def beside(visitor: Visitor, other: Visitor) -> None:
    """Walks up to somebody."""
    await visitor.map()
    place = await other.page.evaluate("(({ x, y }) => ({ x: x + 4, y: y + 1 }))(hereaboutsApp.world.self)")
    await visitor.page.evaluate("({ x, y }) => hereaboutsApp.world.walkTo(x, y)", place)
    await visitor.until("() => !hereaboutsApp.world.self.moving", seconds=60)


async def talk(first: Visitor, words: str, second: Visitor, answer: str) -> None:
    """One says something, the other answers, and both can be seen over their heads."""
    await say(first, words)
    await heard(second, words)
    await say(second, answer)
    await heard(second, answer)


async def heard(visitor: Visitor, words: str) -> None:
    shown = "(words) => [...hereaboutsApp.world.speech.values()].some(({ text }) => text === words)"
    await visitor.until(shown, words, seconds=60)
    await asyncio.sleep(0.6)  # for it to appear


async def answered(visitor: Visitor, messages: int) -> None:
    await visitor.until(
        "(count) => hereaboutsApp.conversation.rows.filter(({ sender_id: id }) => id !== hereabouts.user.id).length >= count",
        messages,
        seconds=90,
    )


async def keep(visitor: Visitor, name: str) -> None:
    await visitor.page.screenshot(path=IMAGES / f"{name}.png")
    shrink(IMAGES / f"{name}.png")


def shrink(path: Path) -> None:
    """To 256 colours: half the size, and no difference to be seen in a page of so few."""
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            path, optimize=True
        )


async def film(visitor: Visitor) -> list[tuple[float, bytes]]:
    """What the page paints for some seconds: (when, a JPEG)."""
    frames: list[tuple[float, bytes]] = []
    session = await visitor.context.new_cdp_session(visitor.page)

    def painted(event: dict[str, Any]) -> None:
        frames.append((event["metadata"]["timestamp"], base64.b64decode(event["data"])))
        acks.append(
            asyncio.create_task(session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]}))
        )

    acks: list[asyncio.Task[Any]] = []
    session.on("Page.screencastFrame", painted)
    await session.send("Page.startScreencast", {"format": "jpeg", "quality": 92})
    target = "() => { const { world } = hereaboutsApp; const [first, second] = world.nearby; world.walkTo((second ?? first).x + 2, (second ?? first).y + 2); }"
    await asyncio.sleep(1)
    await visitor.page.evaluate(target)
    await asyncio.sleep(3)
    await say(visitor, "What a lively place!")
    await asyncio.sleep(SECONDS - 4)
    await session.send("Page.stopScreencast")
    await asyncio.gather(*acks)
    return frames


def animate(frames: list[tuple[float, bytes]], path: Path) -> None:
    """At an even pace, and of the best quality that is small enough."""
    start, end = frames[0][0], frames[-1][0]
    wanted = [start + number / FRAMES_A_SECOND for number in range(int((end - start) * FRAMES_A_SECOND))]
    chosen = [
        max((frame for frame in frames if frame[0] <= at), key=lambda frame: frame[0])[1] for at in wanted
    ]
    pictures = [Image.open(io.BytesIO(jpeg)).convert("RGB") for jpeg in chosen]
    height = round(pictures[0].height * WIDTH / pictures[0].width)
    pictures = [picture.resize((WIDTH, height), Image.Resampling.LANCZOS) for picture in pictures]
    for quality in range(80, 10, -10):
        pictures[0].save(
            path, save_all=True, append_images=pictures[1:], duration=1000 // FRAMES_A_SECOND, loop=0,
            quality=quality, method=4,
        )  # fmt: skip
        if path.stat().st_size < MOST_BYTES:
            return
    raise AssertionError(f"{path} stays over {MOST_BYTES} bytes")


async def main() -> None:
    chromium = shutil.which("chromium")
    assert chromium, "pictures need `chromium` on the PATH"
    async with village() as origin, async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        browser = Browser(launched, origin)
        ada = await browser.registered("Ada", color_scheme="light", **MOVING)
        await in_company(ada)
        await settle(ada)
        ben = await browser.registered("Ben", **MOVING)
        await beside(ben, ada)
        await settle(ben)
        await ada.until("() => hereabouts.voice.links.some(({ connected }) => connected)", seconds=60)
        await say(ada, "Hello everybody! I have just arrived.")
        await answered(ada, 2)
        await talk(ben, "Here I am, Ada. Can you hear me?", ada, "Loud and clear!")
        await keep(ada, "demo")
        frames = await film(ada)
        await ada.page.emulate_media(color_scheme="dark")
        await talk(ben, "It gets late. Shall we walk on?", ada, "Yes, let us.")
        await keep(ada, "demo-dark")
        for visitor in (ada, ben):
            await visitor.context.close()
        noor = await browser.registered(
            "Noor", "phone", has_touch=True, is_mobile=True, device_scale_factor=2, **MOVING
        )
        await in_company(noor)
        await settle(noor)
        await answered(noor, 1)
        await say(noor, "Hi! Is this the market?")
        await heard(noor, "Hi! Is this the market?")
        await keep(noor, "demo-phone")
        await launched.close()
    animate(frames, IMAGES / "demo.webp")
    for picture in sorted(IMAGES.glob("demo*")):
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size // 1000} KB")


if __name__ == "__main__":
    asyncio.run(main())
