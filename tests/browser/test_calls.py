"""Calls in the demo page in a real Chromium: what rings, how a call goes on and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.calling import ON_LOOPBACK, call, flows, hears_nothing, hide, reloaded, ring, talking
from tests.browser.client import forgive, road
from tests.harness import Server
from tests.turn import SECRET, coturn
from tests.udp_proxy import udp_road

# A peer connection that may go by way of TURN alone, where there is none, finds no way.
NO_WAY = """
const Real = RTCPeerConnection;
globalThis.RTCPeerConnection = class extends Real {
  constructor(configuration) { super({ ...configuration, iceTransportPolicy: 'relay' }); }
};
"""

UFRAG = "() => /a=ice-ufrag:(.*)/.exec(window.hereabouts.call.peer.localDescription.sdp)[1]"


@pytest.mark.gen_test(timeout=180)
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_a_call_carries_media_both_ways(server: Server, browse, kind: str) -> None:
    """One rings, the other accepts, both hear (and see) each other; one hangs up, it ends for both."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await call(ann, bob, kind)
        await talking(ann, bob)
        for visitor in (ann, bob):
            await flows(visitor, "energy", *(["camera"] if kind == "video" else []))
            await expect(visitor.find("call-quality")).to_be_visible(timeout=30_000)
        await ann.shot(f"call-{kind}")
        await bob.find("call-hangup").click()
        for visitor in (ann, bob):
            await expect(visitor.find("call-panel")).to_have_count(0)


@pytest.mark.gen_test(timeout=240)
async def test_a_call_can_be_rejected(server: Server, browse) -> None:
    """Rejecting stops the ringing on both sides."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await ring(ann, bob, "audio")
        await bob.find("incoming-call").wait_for()
        await bob.find("call-reject").click()
        await expect(bob.find("incoming-call")).to_have_count(0)
        await expect(ann.find("call-panel")).to_have_count(0)


@pytest.mark.gen_test(timeout=180)
async def test_all_devices_of_a_user_ring(server: Server, browse) -> None:
    """Answered or declined on one, the others stop and say so; the call is where it was answered."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        also = await browser.visit("bob", "phone", has_touch=True, is_mobile=True)
        await also.find("switch-mode").click()
        await also.find("login-form").wait_for()
        await also.find("username").fill("bob")
        await also.find("password").fill("correct horse")
        await also.find("submit").click()
        await also.until("() => window.hereabouts.signal.state === 'open'")

        await ring(ann, bob, "audio")
        for device in (bob, also):
            await expect(device.find("incoming-call")).to_be_visible()
        await also.find("call-accept").click()
        await expect(bob.page.get_by_text("Answered on another device")).to_be_visible()
        await expect(bob.find("incoming-call")).to_have_count(0)
        await expect(bob.find("call-panel")).to_have_count(0)
        await talking(ann, also)
        await flows(also)
        await also.find("call-hangup").click()
        await expect(ann.find("call-panel")).to_have_count(0)

        await ring(ann, bob, "audio")
        for device in (bob, also):
            await expect(device.find("incoming-call")).to_be_visible()
        await bob.find("call-reject").click()
        await asyncio.gather(  # what is said in passing
            expect(also.page.get_by_text("You declined ann’s call")).to_be_visible(),
            expect(ann.page.get_by_text("bob declined")).to_be_visible(),
        )
        for device in (bob, also):
            await expect(device.find("incoming-call")).to_have_count(0)


@pytest.mark.gen_test(timeout=240)
async def test_another_way_is_found_when_the_one_in_use_is_lost(
    new_server: Callable[..., Server], browse, tmp_path: Path
) -> None:
    """ICE starts anew, without an end of the call: new names for both ends, and sound again. A bad way is called so."""
    async with (
        coturn(tmp_path, *ON_LOOPBACK) as port,
        udp_road(port) as (way, at),
        new_server(turn_urls=(f"turn:127.0.0.1:{at}",), turn_secret=SECRET) as server,
        browse(server) as browser,
    ):
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await hide(ann)
        await ann.page.keyboard.press("Escape")
        await call(ann, bob, "audio")
        await talking(ann, bob)
        for visitor in (ann, bob):
            await flows(visitor)
        before = [await visitor.page.evaluate(UFRAG) for visitor in (ann, bob)]
        way.cut()
        # At the same time: with the other's name for its end, one is connected again.
        await asyncio.gather(
            *(
                expect(visitor.find("call-panel", state="reconnecting")).to_contain_text(
                    "Reconnecting…", timeout=30_000
                )
                for visitor in (ann, bob)
            )
        )
        await talking(ann, bob)
        for visitor, ufrag in zip((ann, bob), before, strict=True):
            assert await visitor.page.evaluate(UFRAG) != ufrag
            await flows(visitor, "energy", "bytes")
        assert await ann.page.evaluate(
            "() => window.hereabouts.call.quality === null || window.hereabouts.call.quality.relayed"
        )

        way.loss = 0.3
        await expect(ann.find("call-quality", quality="poor")).to_be_visible(timeout=60_000)
        await expect(ann.find("call-panel")).to_contain_text("Poor connection")
        way.loss = 0.0
        await expect(ann.find("call-quality", quality="poor")).to_have_count(0, timeout=60_000)
        await ann.find("call-hangup").click()
        await expect(bob.find("call-panel")).to_have_count(0)


@pytest.mark.gen_test(timeout=180)
async def test_a_call_outlasts_the_network_of_its_signaling(
    new_server: Callable[..., Server], browse
) -> None:
    """Both are told that it reconnects; when the network is back ICE starts anew, and the call goes on."""
    async with (
        new_server(rejoin_seconds=600) as server,
        road(server.app.port) as way,
        browse(server) as browser,
    ):
        ann, bob = await browser.registered("ann"), await browser.registered("bob", port=way.port)
        await call(ann, bob, "audio")
        await talking(ann, bob)
        before = await bob.page.evaluate(UFRAG)
        way.close()
        for visitor in (ann, bob):
            await expect(visitor.find("call-panel", state="reconnecting")).to_be_visible(timeout=30_000)
        await flows(ann)  # from peer to peer, meanwhile
        way.open()
        await bob.page.evaluate("() => window.hereabouts.retryNow()")
        await talking(ann, bob)
        await bob.until(f"(before) => ({UFRAG})() !== before", before)
        for visitor in (ann, bob):
            await flows(visitor)
        forgive(bob)


@pytest.mark.gen_test(timeout=180)
async def test_a_call_is_ended_without_a_connection(new_server: Callable[..., Server], browse) -> None:
    """Hung up or declined, it is over there at once, and for the other side with the next connection, which does not
    ring again; not only when the server gives up waiting."""
    async with (
        new_server(rejoin_seconds=600) as server,
        road(server.app.port) as way,
        browse(server) as browser,
    ):
        ann, bob = await browser.registered("ann"), await browser.registered("bob", port=way.port)
        await call(ann, bob, "audio")
        await talking(ann, bob)
        way.close()
        await expect(bob.find("call-panel", state="reconnecting")).to_be_visible(timeout=30_000)
        await bob.find("call-hangup").click()
        await expect(bob.find("call-panel")).to_have_count(0)
        await expect(ann.find("call-panel")).to_be_visible()
        way.open()
        await bob.page.evaluate("() => window.hereabouts.retryNow()")
        await expect(ann.page.get_by_text("Call with bob ended after")).to_be_visible(timeout=30_000)
        await expect(ann.find("call-panel")).to_have_count(0)

        await bob.until("() => window.hereabouts.signal.state === 'open'")
        await ring(ann, bob, "audio")
        await bob.find("incoming-call").wait_for()
        way.close()
        await bob.until("() => window.hereabouts.signal.state !== 'open'")
        await bob.page.evaluate("""() => {
          window.rang = 0;
          window.hereabouts.signal.on('incoming', () => { window.rang += 1; });
        }""")
        await bob.find("call-reject").click()
        await expect(bob.find("incoming-call")).to_have_count(0)
        way.open()
        await bob.page.evaluate("() => window.hereabouts.retryNow()")
        await expect(ann.page.get_by_text("bob declined")).to_be_visible(timeout=30_000)
        assert await bob.page.evaluate("() => window.rang") == 0
        forgive(bob)


@pytest.mark.gen_test(timeout=240)
async def test_a_call_outlasts_a_reload(new_server: Callable[..., Server], browse) -> None:
    """Of the caller's page and of the callee's: nothing rings, the other sees that it reconnects, both hear and see each
    other again, and whoever was muted is."""
    async with new_server(rejoin_seconds=600) as server, browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await call(ann, bob, "video")
        await talking(ann, bob)
        call_id = await ann.page.evaluate("() => window.hereabouts.call.id")
        for visitor, other in ((ann, bob), (bob, ann)):
            await other.page.evaluate("""() => {
              window.states = [];
              window.hereabouts.signal.on('call', ({ state }) => states.push(state));
            }""")
            await reloaded(visitor)
            await talking(ann, bob)
            await expect(visitor.find("incoming-call")).to_have_count(0)
            assert "reconnecting" in await other.page.evaluate("() => window.states")
            for either in (ann, bob):
                await flows(either, "energy", "camera")
                assert await either.page.evaluate("() => window.hereabouts.call.id") == call_id
        await bob.find("call-mute").click()
        await bob.find("call-camera").click()
        await reloaded(bob)
        await talking(ann, bob)
        await flows(bob, "energy", "camera")
        await expect(bob.find("call-mute")).to_have_attribute("aria-pressed", "true")
        await expect(bob.find("call-camera")).to_have_attribute("aria-pressed", "false")
        await expect(ann.find("remote-video")).to_have_count(0)
        await hears_nothing(ann)
        await bob.find("call-hangup").click()
        await expect(ann.find("call-panel")).to_have_count(0)
        await reloaded(bob)
        await expect(bob.find("call-panel")).to_have_count(0)


@pytest.mark.gen_test(timeout=240)
async def test_whoever_is_typing_does_not_answer_by_it(server: Server, browse) -> None:
    """The ringing card takes the focus, but not out of a field that is typed into."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await bob.page.get_by_placeholder("Find by username").press_sequentially("half a")
        await ring(ann, bob, "audio")
        await expect(bob.find("incoming-call")).to_be_visible()
        await bob.page.keyboard.type(" name ")
        await expect(bob.find("incoming-call")).to_be_visible()
        await expect(bob.page.get_by_placeholder("Find by username")).to_have_value("half a name ")
        await ann.find("call-hangup").click()
        await expect(bob.find("incoming-call")).to_have_count(0)
        await bob.page.get_by_placeholder("Find by username").blur()
        await ring(ann, bob, "audio")
        await expect(bob.find("call-accept")).to_be_focused()
        await bob.page.keyboard.press("Enter")
        await talking(ann, bob)


@pytest.mark.gen_test(timeout=240)
async def test_a_call_leaves_a_phones_sheet_free(server: Server, browse) -> None:
    """With a sheet open a call is a bar over the map, above the sheet's heading."""
    async with browse(server) as browser:
        ann = await browser.registered("ann", "phone", has_touch=True, is_mobile=True)
        bob = await browser.registered("bob")
        await ann.find("tab-people").tap()
        await call(ann, bob, "video")
        await expect(ann.find("call-panel", state="active")).to_have_class(
            "call-panel with-picture", timeout=30_000
        )
        await ann.find("tab-chat").tap()
        await ann.page.wait_for_timeout(400)  # the sheet slides
        panel, sheet = (
            await ann.find("call-panel").bounding_box(),
            await ann.page.locator(".chat").bounding_box(),
        )
        assert panel and sheet and panel["y"] + panel["height"] <= sheet["y"]
        await ann.shot("call-sheet-phone")


@pytest.mark.gen_test(timeout=240)
async def test_a_call_that_finds_no_way_ends_and_says_why(server: Server, browse) -> None:
    """Where the two cannot reach each other the call ends by itself, for both, in words."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await ann.page.add_init_script(NO_WAY)
        await ann.page.reload()
        await call(ann, bob, "audio")
        await expect(ann.find("call-panel", state="connecting")).to_be_visible()
        for visitor, other in ((ann, "bob"), (bob, "ann")):
            await expect(visitor.page.get_by_text(f"No direct way to {other} was found")).to_be_visible(
                timeout=40_000
            )
            await expect(visitor.find("call-panel")).to_have_count(0)
