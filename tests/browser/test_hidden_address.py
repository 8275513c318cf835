""" "Hide my address" in a real Chromium, with a real coturn: what leaves the page, and what is said without a relay."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import WebSocket, expect

from tests.browser.calling import ON_LOOPBACK, call, hide, talking
from tests.browser.conftest import Visitor
from tests.harness import Server
from tests.turn import SECRET, coturn

NewServer = Callable[..., Server]

CANDIDATE = re.compile(r"candidate:\S+ \d+ \S+ \d+ (\S+) \d+ typ (\w+)")
RELATED = re.compile(r"raddr (\S+) rport (\d+)")
ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
# The relay's own, what stands for none, and the line of a description that Chromium fills with a constant.
HARMLESS = {"127.0.0.1", "0.0.0.0"}

WAY = """async () => {
  const { peer } = window.hereabouts.call;
  const stats = [...(await peer.getStats()).values()];
  const { selectedCandidatePairId } = stats.find(({ type }) => type === 'transport');
  const pair = stats.find(({ id }) => id === selectedCandidatePairId);
  return stats.find(({ id }) => id === pair.localCandidateId).candidateType;
}"""


class Said:
    """Every frame that a page sends on its sockets, as it is on the wire."""

    def __init__(self, visitor: Visitor) -> None:
        self.frames: list[str] = []
        visitor.page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: self.frames.append(str(frame)))

    @property
    def kinds(self) -> set[str]:
        """Of candidates, those inside of descriptions too."""
        return {kind for frame in self.frames for _, kind in CANDIDATE.findall(frame)}

    @property
    def addresses(self) -> set[str]:
        return {found for frame in self.frames for found in ADDRESS.findall(frame)}


@asynccontextmanager
async def with_relay(
    new_server: NewServer, browse: Callable[[Server], Any], tmp_path: Path
) -> AsyncIterator[tuple[Visitor, Visitor]]:
    """Ann, who hides her address, and Bob at a server with a relay."""
    async with (
        coturn(tmp_path, *ON_LOOPBACK) as port,
        new_server(turn_urls=(f"turn:127.0.0.1:{port}",), turn_secret=SECRET) as server,
        browse(server) as browser,
    ):
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await hide(ann)
        yield ann, bob


@pytest.mark.gen_test(timeout=240)
async def test_nothing_but_the_relays_address_leaves_the_page(
    new_server: NewServer, browse, tmp_path: Path
) -> None:
    """Called or calling, with sound or a camera turned on later: no host, srflx or prflx candidate, no address of
    this machine in any frame; and the call goes through the relay. The one who hides nothing does send them."""
    async with with_relay(new_server, browse, tmp_path) as (ann, bob):
        await expect(ann.find("no-relay")).to_have_count(0)
        # Kept over a reload, which opens the sockets that are listened to.
        hers, his = Said(ann), Said(bob)
        for visitor in (ann, bob):
            await visitor.page.reload()
            await visitor.find("map").wait_for()
            await visitor.until("() => window.hereabouts.signal.state === 'open'")
        for caller, callee in ((ann, bob), (bob, ann)):
            await call(caller, callee, "audio")
            await talking(ann, bob)
            assert await ann.page.evaluate(WAY) == "relay"
            await ann.find("call-camera").click()
            await expect(bob.find("call-panel")).to_have_class("call-panel with-picture", timeout=15_000)
            await ann.find("call-hangup").click()
            for visitor in (ann, bob):
                await expect(visitor.find("call-panel")).to_have_count(0)
        sent = "".join(hers.frames)
        assert all(f'"type":"{kind}"' in sent for kind in ("offer", "answer", "ice_candidate"))
        assert hers.kinds == {"relay"}
        assert hers.addresses <= HARMLESS
        assert {related for frame in hers.frames for related in RELATED.findall(frame)} <= {("0.0.0.0", "0")}
        assert "IP6" not in sent and ".local" not in sent
        assert "host" in his.kinds


RELAY_LATE = """() => {
  const { signal } = window.hereabouts;
  const notify = signal.notify.bind(signal);
  signal.notify = (type, frame) => {
    const late = type === 'ice_candidate' && / typ relay /.test(frame.candidate?.candidate);
    late ? setTimeout(notify, 1500, type, frame) : notify(type, frame);
  };
}"""


@pytest.mark.gen_test(timeout=180)
async def test_a_way_is_found_though_the_relays_candidate_comes_last(
    new_server: NewServer, browse, tmp_path: Path
) -> None:
    """The relay refuses the other's own addresses at once, so that all that is known has failed before it comes."""
    async with with_relay(new_server, browse, tmp_path) as (ann, bob):
        await bob.page.evaluate(RELAY_LATE)
        await ann.page.keyboard.press("Escape")
        await call(ann, bob, "audio")
        await talking(ann, bob)


@pytest.mark.gen_test(timeout=240)
async def test_without_a_relay_the_page_says_what_cannot_be(new_server: NewServer, browse) -> None:
    """In the settings at once; a call ends before it rings, and one that comes in when it is answered. Off, it works."""
    async with new_server(stun_urls=("stun:127.0.0.1:9",)) as server, browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob", "phone")
        await expect(ann.find("no-relay")).to_have_count(0)
        await hide(ann)
        await expect(ann.find("no-relay")).to_contain_text("This server has no relay (TURN)")
        await ann.find("no-relay").scroll_into_view_if_needed()
        await ann.shot("hide-address-desktop")
        await bob.find("tab-people").click()
        await hide(bob)
        await bob.find("no-relay").scroll_into_view_if_needed()
        await bob.shot("hide-address-phone")
        await bob.find("hide-address").uncheck()
        for visitor in (ann, bob):
            await visitor.page.keyboard.press("Escape")
        said = Said(bob)
        await ann.find("person", username="bob").first.click()
        await ann.find("call-audio").first.click()
        notice = ann.page.get_by_text("Your address is to stay hidden, but this server has no relay")
        await expect(notice).to_be_visible()
        await expect(ann.find("call-panel")).to_have_count(0)
        await ann.shot("no-relay-desktop")
        await expect(bob.find("incoming-call")).to_have_count(0)
        await expect(notice).to_have_count(0, timeout=15_000)

        await call(bob, ann, "audio")
        await expect(notice).to_be_visible()
        await expect(bob.page.get_by_text("ann declined")).to_be_visible()
        assert not said.kinds

        await ann.find("settings").click()
        await ann.find("hide-address").uncheck()
        await ann.page.keyboard.press("Escape")
        await call(bob, ann, "audio")
        await talking(ann, bob)
