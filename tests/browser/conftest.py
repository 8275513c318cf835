"""A real Chromium and a real server, in the test's loop; one browser context is one person's machine."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Page, async_playwright, expect

from tests.harness import Server

OUTPUT = Path(__file__).resolve().parents[2] / "test-output"
# Pages are painted by the processor, which a test shares with two servers and a database. Less than what the page itself
# waits for before it does without what a test waits for: an answer to a call, a look at who is there or at the lands.
expect.set_options(timeout=9_000)
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A camera and a microphone that are always there, and always allowed.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


class Visitor:
    """One person at one page, and what their console complained of."""

    def __init__(self, name: str, context: BrowserContext, page: Page) -> None:
        self.name = name
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        # Without a graphics card Chromium says of its own way to the screen that it is slow.
        if message.type in ("error", "warning") and "GL Driver Message" not in message.text:
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def find(self, testid: str, **attributes: str):
        """The elements with a test id and data attributes."""
        selector = f'[data-testid="{testid}"]' + "".join(f'[data-{k}="{v}"]' for k, v in attributes.items())
        return self.page.locator(selector)

    async def until(self, condition: str, argument: object = None, seconds: float = 30.0) -> None:
        """Waits until a function of the page's gives something true.

        Playwright's own `wait_for_function` evaluates a string in the page at each look, which the page's policy refuses.
        """
        deadline = monotonic() + seconds
        while not await self.page.evaluate(condition, argument):
            assert monotonic() < deadline, f"not within {seconds:g} s: {condition}"
            await asyncio.sleep(0.05)

    async def shot(self, name: str) -> None:
        OUTPUT.mkdir(exist_ok=True)
        await self.page.screenshot(path=OUTPUT / f"{name}.png")

    async def map(self) -> None:
        """Waits until the map listens to hands: its canvas is there before it."""
        await self.until("() => Boolean(window.hereaboutsApp.map)")


class Browser:
    """Opens the demo page for visitors."""

    def __init__(self, browser: object, origin: str) -> None:
        self._browser = browser
        self._origin = origin
        self.visitors: list[Visitor] = []

    async def visit(
        self, name: str, size: str = "desktop", *, port: int | None = None, **options: object
    ) -> Visitor:
        """A fresh context at the demo page, not signed in; by way of another port than the server's if one is given."""
        width, height = SIZES[size]
        options = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce", **options}
        context = await self._browser.new_context(**options)  # type: ignore[attr-defined]
        visitor = Visitor(name, context, await context.new_page())
        self.visitors.append(visitor)
        await visitor.page.goto(self._origin if port is None else f"http://localhost:{port}")
        return visitor

    async def registered(
        self, name: str, size: str = "desktop", *, port: int | None = None, **options: object
    ) -> Visitor:
        """Somebody who filled in the form and sees the map."""
        visitor = await self.visit(name, size, port=port, **options)
        await sign_up(visitor)
        return visitor


async def sign_up(visitor: Visitor) -> None:
    """Fills in the form, until the map is there."""
    if not await visitor.find("register-form").count():
        await visitor.find("switch-mode").click()
    await visitor.find("register-form").wait_for()
    await visitor.find("username").fill(visitor.name)
    await visitor.find("password").fill("correct horse")
    await visitor.find("submit").click()
    await visitor.find("map").wait_for()
    await visitor.until("() => window.hereabouts.user !== null")


@pytest.fixture
def new_server(new_server: Callable[..., Server]) -> Callable[..., Server]:
    """With more time for the database: it shares its cores with several pages that are painted by the processor, and a
    virtual machine may be paused for longer than a user would wait."""

    def make(**changes: object) -> Server:
        return new_server(**{"storage_timeout": 60.0, **changes})

    return make


@pytest.fixture
def browse() -> Callable[..., object]:
    """`async with browse(server) as browser`: a Chromium whose visitors must not see an error in the console."""

    @asynccontextmanager
    async def open_browser(server: Server, arguments: Sequence[str] = ARGUMENTS) -> AsyncIterator[Browser]:
        chromium = shutil.which("chromium")
        assert chromium, "the browser tests need `chromium` on the PATH"
        async with async_playwright() as playwright:
            launched = await playwright.chromium.launch(executable_path=chromium, args=arguments)
            browser = Browser(launched, server.origin.replace("127.0.0.1", "localhost"))
            try:
                yield browser
            finally:
                await launched.close()
                # What the close set off on the server has to be over before the loop is.
                await asyncio.sleep(0.1)
            for visitor in browser.visitors:
                assert not visitor.complaints, f"{visitor.name}'s console: {visitor.complaints}"

    return open_browser
