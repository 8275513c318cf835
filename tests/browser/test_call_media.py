"""What is sent and seen in a call, in a real Chromium: microphone, camera and screen, and the choice of each."""

from __future__ import annotations

import pytest
from playwright.async_api import WebSocket, expect

from tests.browser.calling import call, flows, hears_nothing, reloaded, ring, talking
from tests.browser.conftest import ARGUMENTS, Visitor
from tests.harness import Server

# With these the browser asks nobody: what is allowed is a visitor's option, and a shared screen is this tab.
REAL_TABS = [
    *(argument for argument in ARGUMENTS if argument != "--use-fake-ui-for-media-stream"),
    "--auto-select-tab-capture-source-by-title=Shared",
]
ALLOWED = {"permissions": ["camera", "microphone"]}

# Every AudioContext that the page makes, in the order of making.
KEEP_CONTEXTS = """
const Real = AudioContext;
globalThis.contexts = [];
globalThis.AudioContext = class extends Real {
  constructor(...options) { super(...options); contexts.push(this); }
};
"""

MICROPHONE = "() => window.hereabouts.call.localStream.getAudioTracks().map(({ label }) => label)"
SINK = "() => document.querySelector('[data-testid=remote-sound]').sinkId"

# The user's word for a device comes late: what the test does meanwhile, is done before it.
ANSWER_LATE = """() => {
  const { mediaDevices } = navigator;
  const open = mediaDevices.getUserMedia.bind(mediaDevices);
  const answered = new Promise((resolve) => { window.answerNow = resolve; });
  window.asked = false;
  mediaDevices.getUserMedia = async (constraints) => {
    window.asked = true;
    await answered;
    return open(constraints);
  };
}"""


def offers(visitor: Visitor) -> list[str]:
    """Every offer that a page sends on the sockets that it opens from now on."""
    found: list[str] = []

    def opened(socket: WebSocket) -> None:
        socket.on(
            "framesent", lambda frame: found.append(str(frame)) if '"type":"offer"' in str(frame) else None
        )

    visitor.page.on("websocket", opened)
    return found


async def replaced(visitor: Visitor, *permissions: str) -> None:
    """Takes away all that was allowed, which ends what is open; this alone is allowed when the page asks again."""
    await visitor.page.evaluate(ANSWER_LATE)
    await visitor.context.clear_permissions()
    await visitor.until("() => window.asked")
    await visitor.context.grant_permissions(permissions)
    await visitor.page.evaluate("() => window.answerNow()")


@pytest.mark.gen_test(timeout=240)
async def test_a_screen_is_shared_in_an_audio_call(server: Server, browse) -> None:
    """It is seen whole, and by whom it is shared marked; a camera goes on beside it; the browser's own end of it is
    its end, and it can be shared again."""
    async with browse(server, REAL_TABS) as browser:
        ann, bob = await browser.registered("ann", **ALLOWED), await browser.registered("bob", **ALLOWED)
        await call(ann, bob, "audio")
        await talking(ann, bob)
        for _ in range(2):
            tab = await ann.context.new_page()
            await tab.set_content(
                "<title>Shared</title><marquee scrollamount=30><h1>What is shared</h1></marquee>"
            )
            await ann.page.bring_to_front()
            await ann.find("call-screen").click()
            await expect(ann.find("own-screen")).to_be_visible()
            await expect(ann.find("call-screen")).to_have_attribute("aria-pressed", "true")
            await expect(bob.find("remote-screen")).to_be_visible(timeout=30_000)
            assert (
                await bob.find("remote-screen").evaluate("(e) => getComputedStyle(e).objectFit") == "contain"
            )
            await flows(bob, "screen", "energy")

            await ann.find("call-camera").click()
            await expect(bob.find("remote-video")).to_be_visible(timeout=30_000)
            await flows(bob, "screen", "camera")
            await bob.shot("call-screen")
            await tab.close()
            await expect(ann.find("call-screen")).to_have_attribute("aria-pressed", "false")
            await expect(bob.find("remote-screen")).to_have_count(0, timeout=30_000)
            await flows(bob, "camera", "energy")
            await ann.find("call-camera").click()
            await expect(bob.find("remote-video")).to_have_count(0, timeout=30_000)


@pytest.mark.gen_test(timeout=180)
async def test_both_share_a_screen_in_a_video_call(server: Server, browse) -> None:
    """At the same time, which both negotiate; each sees the other's, and the camera again at its end."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await call(ann, bob, "video")
        await talking(ann, bob)
        for visitor in (ann, bob):
            await visitor.page.evaluate("() => { window.hereabouts.call.setScreen(true); }")
        for visitor in (ann, bob):
            await expect(visitor.find("remote-screen")).to_be_visible(timeout=30_000)
            await flows(visitor, "screen", "camera", "energy")
        for visitor in (ann, bob):
            await visitor.find("call-screen").click()
        for visitor in (ann, bob):
            await expect(visitor.find("remote-screen")).to_have_count(0, timeout=30_000)
            await flows(visitor, "camera", "energy")


@pytest.mark.gen_test(timeout=180)
async def test_devices_are_chosen(server: Server, browse) -> None:
    """During a call, without negotiating; the choice is kept, and where the device is gone the default stands in."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        said = offers(ann)
        await ann.page.add_init_script(KEEP_CONTEXTS)
        await reloaded(ann)
        await call(ann, bob, "audio")
        await talking(ann, bob)
        assert await ann.page.evaluate(MICROPHONE) == ["Fake Default Audio Input"]
        offered = len(said)
        assert offered
        await ann.find("call-mute").click()
        await ann.find("call-devices").click()
        await ann.find("device-audioinput").select_option(label="Fake Audio Input 2")
        await ann.find("device-audiooutput").select_option(label="Fake Audio Output 1")
        await ann.until(f"() => ({MICROPHONE})()[0] === 'Fake Audio Input 2'")
        await ann.until(f"() => ({SINK})() !== ''")
        await ann.shot("devices-desktop")
        await ann.page.keyboard.press("Escape")
        await expect(ann.find("devices")).to_have_count(0)
        await expect(ann.find("call-panel", state="active")).to_be_visible()
        await expect(ann.find("call-mute")).to_have_attribute("aria-pressed", "true")
        await ann.find("call-mute").click()
        await flows(bob)
        assert len(said) == offered
        await ann.find("call-hangup").click()
        await expect(bob.find("call-panel")).to_have_count(0)

        await ring(bob, ann, "audio")
        await ann.until("() => contexts.at(-1).state !== 'closed' && contexts.at(-1).sinkId !== ''")
        await ann.find("call-accept").click()
        await talking(ann, bob)
        assert await ann.page.evaluate(MICROPHONE) == ["Fake Audio Input 2"]
        await ann.find("call-hangup").click()
        await ann.page.evaluate(
            "() => localStorage.setItem('hereabouts.microphone', 'one that was unplugged')"
        )
        await expect(bob.find("call-panel")).to_have_count(0)
        await call(bob, ann, "audio")
        await talking(ann, bob)
        await flows(bob)
        await ann.find("settings").click()
        await expect(ann.find("device-audioinput")).to_have_value("")


@pytest.mark.gen_test(timeout=180)
async def test_a_device_goes_away_in_a_call(server: Server, browse) -> None:
    """The default takes over, and the user is told; where none is left, that is said too, and the call goes on."""
    async with browse(server, REAL_TABS) as browser:
        ann, bob = await browser.registered("ann", **ALLOWED), await browser.registered("bob", **ALLOWED)
        await call(ann, bob, "audio")
        await talking(ann, bob)
        await replaced(ann, "camera", "microphone")
        told = "Your microphone went away. In use now: Fake Default Audio Input"
        await expect(ann.page.get_by_text(told)).to_be_visible()
        await flows(bob)
        await replaced(ann, "geolocation")
        await expect(ann.page.get_by_text("Your microphone is off now")).to_be_visible()
        await flows(ann)
        await expect(ann.find("call-panel", state="active")).to_be_visible()


@pytest.mark.gen_test(timeout=180)
async def test_ones_own_picture_is_a_mirror_and_in_nobodys_way(server: Server, browse) -> None:
    """At both sizes it covers no button and can be moved; Escape ends nothing; every button is reached by Tab."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        bob = await browser.registered("bob", "phone", has_touch=True, is_mobile=True)
        await call(ann, bob, "video")
        await talking(ann, bob)
        for visitor in (ann, bob):
            own = visitor.find("self-video")
            await expect(own).to_be_visible()
            assert await own.evaluate("(e) => getComputedStyle(e).transform") == "matrix(-1, 0, 0, 1, 0, 0)"
            places = set()
            for _ in range(3):
                box = await own.bounding_box()
                assert box
                places.add((box["x"], box["y"]))
                for button in await visitor.page.locator(".call-panel button:not(.move)").all():
                    other = await button.bounding_box()
                    assert other
                    assert (
                        other["x"] >= box["x"] + box["width"]
                        or box["x"] >= other["x"] + other["width"]
                        or other["y"] >= box["y"] + box["height"]
                        or box["y"] >= other["y"] + other["height"]
                    )
                    if visitor is bob:
                        assert min(other["width"], other["height"]) >= 44
                await visitor.find("call-move").click()
            assert len(places) == 3
        await ann.find("call-move").focus()
        reached = []
        for _ in range(6):
            await ann.page.keyboard.press("Tab")
            reached.append(await ann.page.evaluate("() => document.activeElement.dataset.testid"))
        assert reached == [
            "call-expand",
            "call-mute",
            "call-camera",
            "call-screen",
            "call-devices",
            "call-hangup",
        ]
        await ann.page.keyboard.press("Escape")
        await expect(ann.find("call-panel", state="active")).to_be_visible()
        await ann.page.keyboard.press("Enter")
        await expect(bob.find("call-panel")).to_have_count(0)


@pytest.mark.gen_test(timeout=240)
async def test_mute_and_camera_in_a_call(server: Server, browse) -> None:
    """Muted, the track sends silence; the camera's picture goes for the other side too, and comes back."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await call(ann, bob, "video")
        await expect(bob.find("call-panel", state="active")).to_have_class(
            "call-panel with-picture", timeout=30_000
        )
        audio = "window.hereabouts.call.localStream.getAudioTracks().map((track) => track.enabled)"
        assert await ann.page.evaluate(audio) == [True]
        await ann.find("call-mute").click()
        assert await ann.page.evaluate(audio) == [False]
        await hears_nothing(bob)
        await expect(ann.find("call-mute")).to_have_attribute("aria-pressed", "true")
        await ann.find("call-mute").click()
        assert await ann.page.evaluate(audio) == [True]
        await flows(bob)

        await ann.find("call-camera").click()
        await expect(ann.find("call-camera")).to_have_attribute("aria-pressed", "false")
        assert await ann.page.evaluate("window.hereabouts.call.localStream.getVideoTracks().length") == 0
        await expect(bob.find("call-panel")).not_to_have_class("call-panel with-picture", timeout=15_000)
        await expect(ann.find("call-panel")).to_have_class("call-panel with-picture")
        await ann.find("call-camera").click()
        await expect(bob.find("call-panel")).to_have_class("call-panel with-picture", timeout=15_000)
        await ann.find("call-hangup").click()
        await expect(bob.find("call-panel")).to_have_count(0)
