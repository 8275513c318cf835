"""The demo page in a real Chromium: what is written without a connection waits, and is sent once, whatever happens."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect
from tornado.ioloop import IOLoop

from tests.browser.client import forgive, road
from tests.browser.conftest import Visitor
from tests.browser.test_reconnecting import rows, say
from tests.harness import Server
from tests.journeys.process import Process

SLOW = 60_000  # milliseconds: a server that starts anew, and pages that wait between their tries


async def shown(visitor: Visitor) -> list[str]:
    return await visitor.page.locator(".message .content").all_inner_texts()


@pytest.fixture
def process(io_loop: IOLoop, tmp_path: Path) -> Iterator[Process]:
    """A server of its own process, with its own database, which outlives it and is waited for like every browser test's."""
    process = Process(tmp_path / "data", "--storage-timeout", "60")
    io_loop.run_sync(process.start)
    yield process
    io_loop.run_sync(process.kill)


@pytest.mark.gen_test(timeout=300)
async def test_the_server_is_killed_and_comes_back_while_somebody_writes(process: Process, browse) -> None:
    """Each message is on both screens once and in order, said aloud or not, and the line being typed is untouched."""
    owner = await process.person("owner")
    await owner.land(-50, -50, width=100, height=100, name="Everywhere")
    async with browse(process) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        for visitor in (ann, bob):
            await expect(visitor.find("land-label")).to_contain_text("Everywhere", timeout=SLOW)
        await say(ann, "one")
        await expect(ann.find("message", state="sent")).to_have_count(1)
        # Some of these are on their way when it dies.
        for text in ("two", "three", "four"):
            await ann.find("chat-input").fill(text)
            await ann.find("chat-input").press("Enter")
        await ann.find("chat-input").press_sequentially("half of a sen")
        process.signal(signal.SIGKILL)
        await process.exit_code()
        for visitor in (ann, bob):
            await expect(visitor.find("lost")).to_be_visible(timeout=SLOW)
        await ann.find("chat-input").press_sequentially("tence")
        await say(bob, "five, from bob")

        process.options = (*process.options, "--port", str(process.port))
        await process.start()
        expected = {"one", "two", "three", "four", "five, from bob"}
        for visitor in (ann, bob):
            await expect(visitor.find("message", state="sent")).to_have_count(len(expected), timeout=SLOW)
            await expect(visitor.find("message")).to_have_count(len(expected))
        texts = await shown(ann)
        assert texts == await shown(bob)
        assert set(texts) == expected
        own = [text for text in texts if text != "five, from bob"]
        assert own == ["one", "two", "three", "four"]
        await expect(ann.find("chat-input")).to_have_value("half of a sentence")

        # The same aloud, which goes another way.
        await ann.find("scope-nearby").click()
        await say(ann, "aloud")
        await expect(ann.find("message", state="sent")).to_have_count(1)
        await ann.find("scope-here").click()
        await expect(ann.find("chat-input")).to_have_value("half of a sentence")
        history = await owner.ok("GET", f"/chat/sessions/{await land_of(ann)}/messages")
        assert [message["content"] for message in reversed(history["messages"])] == texts
        forgive(ann, bob)


async def land_of(visitor: Visitor) -> str:
    return str(await visitor.page.evaluate("window.hereaboutsApp.conversations.here.id"))


@pytest.mark.gen_test(timeout=240)
async def test_what_was_not_sent_outlives_a_reload(server: Server, browse) -> None:
    """Messages, what was said aloud, and drafts: shown as waiting, sent once and in order by the page after it."""
    owner = await server.person("owner")
    await owner.land(-50, -50, width=100, height=100, name="Everywhere")
    async with road(server.app.port) as way, browse(server) as browser:
        ann = await browser.registered("ann", port=way.port)
        await expect(ann.find("land-label")).to_contain_text("Everywhere", timeout=SLOW)
        await say(ann, "sent before")
        await expect(ann.find("message", state="sent")).to_have_count(1)
        # What it sends arrives and is answered by nothing: sent again, it must not be there twice.
        way.lose_answers()
        await say(ann, "it may have arrived", "it did not")
        await expect(ann.find("message", state="sending")).to_have_count(2)
        await ann.find("scope-nearby").click()
        await say(ann, "aloud, too")
        await ann.find("chat-input").fill("a draft for those near")
        await ann.find("scope-here").click()
        await ann.find("chat-input").fill("a draft for the land")
        way.open()
        await ann.page.reload()

        await expect(ann.find("message", state="sent")).to_have_count(3, timeout=SLOW)
        assert await rows(ann) == [("1", "sent"), ("2", "sent"), ("3", "sent")]
        assert await shown(ann) == ["sent before", "it may have arrived", "it did not"]
        await expect(ann.find("chat-input")).to_have_value("a draft for the land")
        await ann.find("scope-nearby").click()
        await expect(ann.find("message", state="sent")).to_have_count(1, timeout=SLOW)
        assert await shown(ann) == ["aloud, too"]
        await expect(ann.find("chat-input")).to_have_value("a draft for those near")
        forgive(ann)


@pytest.mark.gen_test(timeout=240)
async def test_signing_out_leaves_nothing_unsent_behind(server: Server, browse) -> None:
    """It is text in the clear: with whoever wrote it, it goes from the browser, and the next one finds nothing of it."""
    owner = await server.person("owner")
    await owner.land(-50, -50, width=100, height=100, name="Everywhere")
    kept = "() => JSON.stringify({ ...sessionStorage, ...localStorage })"
    async with road(server.app.port) as way, browse(server) as browser:
        ann = await browser.registered("ann", port=way.port)
        await expect(ann.find("land-label")).to_contain_text("Everywhere", timeout=SLOW)
        way.close()
        await say(ann, "never to be sent")
        await ann.find("chat-input").fill("a private draft")
        stored = await ann.page.evaluate(kept)
        assert "never to be sent" in stored and "a private draft" in stored
        # The server cannot be told, and it is gone all the same.
        await ann.page.evaluate("() => window.hereabouts.auth.logout().catch(({ code }) => code)")
        await expect(ann.find("submit")).to_be_visible()
        stored = await ann.page.evaluate(kept)
        assert "never" not in stored and "private draft" not in stored
        forgive(ann)
