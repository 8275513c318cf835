"""The states of calls and of voice in earshot; `states` has the others, and says what a state is."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.client import forgive, road
from tests.browser.conftest import Browser
from tests.browser.states import States, close_dialog, machine, open_menu, show
from tests.harness import Server


async def calls(server: Server, browser: Browser, size: str) -> States:
    """A call from its first ring to its end, at both ends."""
    async with road(server.app.port) as way:
        ann = await browser.registered("ann", **machine(size))
        bob = await browser.registered("bob", port=way.port)
        await expect(bob.find("person", username="ann")).to_be_visible()
        await open_menu(bob, "ann")
        await bob.find("call-video").first.click()
        await ann.find("incoming-call").wait_for()
        yield "call-incoming", ann
        await ann.find("call-reject").click()
        await expect(bob.find("call-panel")).to_have_count(0)
        await open_menu(ann, "bob")
        await ann.find("call-audio").first.click()
        await expect(ann.find("call-panel", state="ringing")).to_be_visible()
        await show(ann, "map")
        yield "call-ringing", ann
        await bob.find("call-accept").click()
        await expect(ann.find("call-quality")).to_be_visible(timeout=30_000)
        yield "call-audio", ann
        await ann.find("call-devices").click()
        await ann.find("device-audiooutput").wait_for()
        yield "dialog-devices", ann
        await close_dialog(ann)

        for visitor in (ann, bob):
            await visitor.find("call-camera").click()
        await expect(ann.find("remote-video")).to_be_visible(timeout=30_000)
        yield "call-video", ann
        if size == "phone":
            await show(ann, "chat")
            yield "call-video-with-chat", ann
            await show(ann, "map")
        await ann.find("call-screen").click()
        await expect(ann.find("own-screen")).to_be_visible(timeout=30_000)
        yield "call-sharing", ann
        await ann.find("call-screen").click()
        await bob.find("call-screen").click()
        await expect(ann.find("remote-screen")).to_be_visible(timeout=30_000)
        yield "call-screen", ann

        await ann.find("call-hangup").click()
        await expect(ann.page.get_by_text("Call with bob ended")).to_be_visible()
        yield "call-ended", ann

        await open_menu(ann, "bob")
        await ann.find("call-audio").first.click()
        await show(ann, "map")
        await bob.find("call-accept").click()
        await expect(ann.find("call-panel", state="active")).to_be_visible(timeout=30_000)
        way.close()
        await expect(ann.find("call-panel", state="reconnecting")).to_be_visible(timeout=30_000)
        yield "call-reconnecting", ann
        await bob.page.close()  # before the road is gone that it looks for
        forgive(bob)


async def voice(browser: Browser, size: str) -> States:
    """The voice in earshot, from its first listener to a call that has the word."""
    ann = await browser.registered("ann", **machine(size))
    bob, cleo = await browser.registered("bob"), await browser.registered("cleo")
    await ann.find("voice-switch").check()
    await expect(ann.find("voice-state")).to_contain_text("Nobody near", timeout=30_000)
    yield "voice-alone", ann
    for visitor in (bob, cleo):
        await visitor.find("voice-switch").check()
    await expect(ann.find("voice-state")).to_contain_text("2 people hear you", timeout=30_000)
    await bob.find("voice-mute").click()
    await expect(ann.find("voice-mark", voice="muted")).to_have_count(1)
    yield "voice", ann
    if size == "phone":
        for tab in ("chat", "people"):
            await show(ann, tab)
            yield f"voice-with-{tab}", ann
    await ann.find("voice-mute").click()
    await expect(ann.find("voice-state")).to_contain_text("Muted for 2 people")
    yield "voice-muted", ann
    await open_menu(ann, "bob")
    await ann.find("call-audio").first.click()
    await bob.find("call-accept").click()
    await show(ann, "map")
    await expect(ann.find("call-panel", state="active")).to_be_visible(timeout=30_000)
    await expect(ann.find("voice-state")).to_contain_text("Paused during the call")
    yield "voice-paused", ann
