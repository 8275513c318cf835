"""Voice in earshot in a real Chromium: who hears whom, how loud and from where, and what the page shows of it.

Chromium's microphone here beeps, so that everybody who is not muted is heard now and then. That sound comes is shown by
what is decoded in Web Audio: the energy in WebRTC's own statistics is that of an element, which is muted.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from handlers.pages import permissions
from tests.browser.calling import call
from tests.browser.client import forgive, road
from tests.browser.conftest import ARGUMENTS, Browser, Visitor
from tests.browser.test_hidden_address import HARMLESS, Said, hide, with_relay
from tests.browser.test_map_world import put
from tests.harness import Server

SECONDS = 90.0  # several pages share two cores
NAMES = ("ann", "bob", "cleo", "dan")

# How much has come from each of those who are heard: packets, and the samples that were played of them.
RECEIVED = """async () => Object.fromEntries(await Promise.all(hereabouts.voice.links.map(async ({ userId, peer }) => {
  const stats = peer ? [...(await peer.getStats()).values()] : [];
  const heard = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio');
  return [userId, [heard?.packetsReceived ?? 0, heard?.jitterBufferEmittedCount ?? 0]];
})))"""
# Whether more has come from each of these since, and of each a sound that is none of a line alone.
HEARD = f"""async ([ids, before]) => {{
  window.loud ??= new Set();
  for (let looks = 40; looks; looks -= 1) {{
    for (const {{ userId, sound }} of hereabouts.voice.links) if (sound?.level > 0.005) window.loud.add(userId);
    await new Promise((over) => setTimeout(over, 20));
  }}
  const received = await ({RECEIVED})();
  const more = ids.every((id) => received[id]?.every((amount, index) => amount > (before[id]?.[index] ?? 0)));
  return more && ids.every((id) => window.loud.has(id));
}}"""
# How somebody sounds at this moment: as loud as this, and from this side, but for what nobody would hear and is not told.
SOUNDS = """([id, gain, pan]) => {
  const { sound } = hereabouts.voice.linkWith(id) ?? {};
  return sound && Math.abs(sound.gain - gain) < 0.025 && Math.abs(sound.pan - pan) < 0.06;
}"""
# As soon as the switch is there.
SWITCH_ON = """new MutationObserver((_, observer) => {
  const found = document.querySelector('[data-testid="voice-switch"]');
  if (!found) return;
  observer.disconnect();
  found.click();
}).observe(document, { childList: true, subtree: true });"""
LINK = "(id) => hereabouts.voice.linkWith(id)?.id ?? null"
CONNECTED = "(count) => hereabouts.voice.links.filter(({ connected }) => connected).length === count"


async def id_of(visitor: Visitor) -> str:
    return str(await visitor.page.evaluate("hereabouts.user.id"))


async def walk_to(visitor: Visitor, x: float, y: float = 0) -> None:
    await visitor.page.evaluate("([x, y]) => hereaboutsApp.world.walkTo(x, y)", [x, y])
    await visitor.until(
        "([x, y]) => (({ self }) => self.x === x && self.y === y)(hereaboutsApp.world)", [x, y]
    )


async def hear(visitor: Visitor, *others: Visitor) -> None:
    """Waits until sound comes from each of these that has not come yet."""
    ids = [await id_of(other) for other in others]
    await visitor.page.evaluate("window.loud?.clear()")
    await visitor.until(HEARD, [ids, await visitor.page.evaluate(RECEIVED)], SECONDS)


async def all_hear_each_other(*visitors: Visitor) -> None:
    await asyncio.gather(*(hear(one, *(other for other in visitors if other is not one)) for one in visitors))


async def says(visitor: Visitor, text: str) -> None:
    await expect(visitor.find("voice-state")).to_contain_text(text, timeout=SECONDS * 1000)


async def switch_on(*visitors: Visitor) -> None:
    for visitor in visitors:
        await visitor.find("voice-switch").check()
    for visitor in visitors:
        await expect(visitor.find("voice", state="on")).to_be_visible(timeout=SECONDS * 1000)


async def arrive(
    browser: Browser, *places: tuple[float, float], names: tuple[str, ...] = NAMES, **options: Any
) -> list[Visitor]:
    """So many, by their names, at these places."""
    visitors = []
    for name, place in zip(names, places, strict=False):
        visitor = await browser.registered(name, **options)
        await visitor.until("() => hereabouts.signal.state === 'open'")
        await put(visitor, *place)
        visitors.append(visitor)
    return visitors


@asynccontextmanager
async def talking(server: Server, browse: Any, *places: tuple[float, float]) -> AsyncIterator[list[Visitor]]:
    """The same, with the voice on and connected."""
    async with browse(server) as browser:
        visitors = await arrive(browser, *places)
        await switch_on(*visitors)
        for visitor in visitors:
            await visitor.until(CONNECTED, len(visitors) - 1)
        yield visitors


@pytest.mark.gen_test(timeout=600)
async def test_four_people_in_earshot_hear_each_other_as_they_walk(server: Server, browse) -> None:
    """Sound flows for every pair. Of one who walks off less and less is heard, from their side, then nothing; and again
    when they come back, from the other."""
    async with talking(server, browse, (0, 0), (2, 0), (0, 2), (2, 2)) as everybody:
        ann, bob, cleo, dan = everybody
        for visitor in everybody:
            await says(visitor, "3 people hear you")
        await all_hear_each_other(*everybody)

        his = await id_of(dan)
        first = await ann.page.evaluate(LINK, his)
        for x, gain in ((4, 0.49), (6, 0.25), (9, 0.04)):
            await walk_to(dan, x)
            await ann.until(SOUNDS, [his, gain, 1], SECONDS)
            await dan.until(SOUNDS, [await id_of(ann), gain, -1], SECONDS)
        assert await ann.page.evaluate(LINK, his) == first
        await walk_to(dan, 14)
        for visitor in (ann, bob, cleo):
            await visitor.until(f"(id) => ({LINK})(id) === null", his)
            await says(visitor, "2 people hear you")
        await says(dan, "Nobody near is listening yet")
        await all_hear_each_other(ann, bob, cleo)

        await walk_to(dan, -5)
        await ann.until(SOUNDS, [his, 0.36, -1], SECONDS)
        assert await ann.page.evaluate(LINK, his) != first
        await all_hear_each_other(*everybody)


@pytest.mark.gen_test(timeout=300)
async def test_who_talks_and_who_is_muted_is_seen(server: Server, browse) -> None:
    """On the map and in the list; of one who is muted, by the key M or the button, no sound comes."""
    async with talking(server, browse, (0, 0), (3, 0)) as (ann, bob):
        hers, his = await id_of(ann), await id_of(bob)
        for id in (hers, his):
            await ann.until("(id) => hereabouts.voice.talking.has(id)", id)
        mark = bob.find("person", username="ann").locator('[data-testid="voice-mark"]')
        await expect(bob.find("voice-mark", voice="talking")).to_be_visible(timeout=SECONDS * 1000)
        await expect(bob.page.get_by_role("button", name=re.compile("^ann .*talking$"))).to_be_visible(
            timeout=SECONDS * 1000
        )

        await ann.find("find-person").press_sequentially("mmm")
        await expect(ann.find("voice-mute")).to_have_attribute("aria-pressed", "false")
        await ann.find("map").focus()
        await ann.page.keyboard.press("m")
        await expect(ann.find("voice-mute")).to_have_attribute("aria-pressed", "true")
        await says(ann, "Muted for 1 person")
        await expect(mark).to_have_attribute("data-voice", "muted")
        await bob.until("(id) => !hereabouts.voice.talking.has(id)", hers)
        await ann.until("(id) => !hereabouts.voice.talking.has(id)", hers)
        # So many packets are 2 seconds, in which there would be a beep.
        silent = """async (id) => {
          const { peer, sound } = hereabouts.voice.linkWith(id);
          const heard = [...(await peer.getStats()).values()].find(({ type }) => type === 'inbound-rtp');
          if (sound.level > 0.002) delete window.silentSince;
          window.silentSince ??= heard.packetsReceived;
          return heard.packetsReceived > window.silentSince + 100;
        }"""
        await bob.until(silent, hers)
        await ann.find("voice-mute").click()
        await expect(mark).not_to_have_attribute("data-voice", "muted")
        await hear(bob, ann)


@pytest.mark.gen_test(timeout=300)
async def test_a_call_has_the_word_and_gives_it_back(server: Server, browse) -> None:
    """While two call each other nobody near hears them or is heard by them; afterwards they are."""
    async with talking(server, browse, (0, 0), (2, 0), (0, 2)) as (ann, bob, cleo):
        await call(ann, bob, "audio")
        await expect(ann.find("call-panel", state="active")).to_be_visible(timeout=SECONDS * 1000)
        for visitor in (ann, bob):
            await says(visitor, "Paused during the call")
            await visitor.until("() => !hereabouts.voice.links.length && !hereabouts.voice.talking.size")
        await says(cleo, "Nobody near is listening yet")
        await ann.find("call-hangup").click()
        await all_hear_each_other(ann, bob, cleo)


@pytest.mark.gen_test(timeout=300)
async def test_sound_outlives_the_signaling(server: Server, browse) -> None:
    """While a connection is away sound goes on; it comes back to the same links, and ICE begins anew. What was muted
    meanwhile is told then."""
    async with road(server.app.port) as way, browse(server) as browser:
        (ann,) = await arrive(browser, (0, 0))
        (bob,) = await arrive(browser, (2, 0), names=("bob",), port=way.port)
        await switch_on(ann, bob)
        await all_hear_each_other(ann, bob)
        his = await id_of(bob)

        # Bob joined later, and so his page makes the offers.
        ufrag = "(id) => /ice-ufrag:(.+)/.exec(hereabouts.voice.linkWith(id).peer.remoteDescription.sdp)[1]"
        link, before = await ann.page.evaluate(LINK, his), await ann.page.evaluate(ufrag, his)
        await bob.page.evaluate("hereabouts.signal.restart()")
        await ann.until(f"([id, before]) => ({ufrag})(id) !== before", [his, before])
        assert await ann.page.evaluate(LINK, his) == link
        await all_hear_each_other(ann, bob)

        way.close()
        await says(bob, "Reconnecting…")
        await hear(bob, ann)
        await bob.find("voice-mute").click()
        way.open()
        await expect(ann.find("voice-mark", voice="muted")).to_be_visible(timeout=SECONDS * 1000)
        await bob.find("voice-mute").click()
        await all_hear_each_other(ann, bob)
        forgive(bob)


@pytest.mark.gen_test(timeout=300)
async def test_leaving_releases_the_microphone(new_server, browse) -> None:
    """Switched off, taken over by another device, or signed out: the track has ended, and who was near is told. So they
    are when the page is left, and not only when the server gives up waiting."""
    ended = "() => window.track.readyState === 'ended' && hereabouts.voice.state === 'off' && !hereabouts.voice.links.length"
    keep = "() => { window.track = hereabouts.voice.microphone; return window.track.readyState; }"
    async with new_server(rejoin_seconds=600) as server, browse(server) as browser:
        ann, bob = await arrive(browser, (0, 0), (2, 0))
        await switch_on(ann, bob)
        await hear(bob, ann)
        assert await ann.page.evaluate(keep) == "live"
        await ann.find("voice-switch").uncheck()
        await ann.until(ended)
        await says(bob, "Nobody near is listening yet")
        await expect(bob.find("voice-mark")).to_have_count(0)

        await switch_on(ann)
        await all_hear_each_other(ann, bob)
        assert await ann.page.evaluate(keep) == "live"
        phone = await browser.visit("ann", "phone")
        await phone.find("switch-mode").click()
        await phone.find("username").fill("ann")
        await phone.find("password").fill("correct horse")
        await phone.find("submit").click()
        await phone.find("map").wait_for()
        await phone.until("() => hereabouts.signal.state === 'open'")
        await switch_on(phone)
        await ann.until(ended)
        await says(ann, "You talk on another device now")
        await all_hear_each_other(phone, bob)

        await phone.page.goto("about:blank")
        await says(bob, "Nobody near is listening yet")
        await switch_on(ann)
        await all_hear_each_other(ann, bob)

        assert await bob.page.evaluate(keep) == "live"
        await bob.find("settings").click()
        await bob.find("logout").click()
        await bob.until(ended)
        await says(ann, "Nobody near is listening yet")


@pytest.mark.gen_test(timeout=300)
async def test_another_microphone_takes_the_place_of_the_first(server: Server, browse) -> None:
    """Chosen while one talks, it is heard on the same link, and the first is released."""
    async with talking(server, browse, (0, 0), (2, 0)) as (ann, bob):
        link = await bob.page.evaluate(LINK, await id_of(ann))
        choose = """async () => {
          const { devices } = await import('/static/js/client/index.js');
          window.first = hereabouts.voice.microphone;
          const other = devices.list('audioinput').at(-1);
          devices.choose('audioinput', other.deviceId);
          return other.label;
        }"""
        chosen = await ann.page.evaluate(choose)
        await ann.until(
            "(label) => window.first.readyState === 'ended' && hereabouts.voice.microphone.label === label",
            chosen,
        )
        await hear(bob, ann)
        assert await bob.page.evaluate(LINK, await id_of(ann)) == link


@pytest.mark.gen_test(timeout=300)
async def test_sound_that_the_browser_holds_back_is_turned_on(server: Server, browse) -> None:
    """On before anything was clicked, others hear one, and are heard after a click."""
    async with browse(server, [*ARGUMENTS, "--autoplay-policy=document-user-activation-required"]) as browser:
        ann, bob = await arrive(browser, (0, 0), (2, 0))
        fresh = Visitor("ann", ann.context, await ann.context.new_page())
        browser.visitors.append(fresh)
        await ann.page.close()
        # All that is evaluated by way of the debugger is a click to the browser: until it has joined, nothing is.
        joined = asyncio.Event()
        fresh.page.on(
            "websocket",
            lambda socket: socket.on(
                "framesent", lambda frame: joined.set() if "voice_join" in str(frame) else None
            ),
        )
        await fresh.page.add_init_script(SWITCH_ON)
        await fresh.page.goto(bob.page.url)
        await joined.wait()
        await expect(fresh.find("voice-resume")).to_be_visible(timeout=SECONDS * 1000)
        assert not await fresh.page.evaluate("hereabouts.voice.audible")
        await switch_on(bob)
        await hear(bob, fresh)
        await fresh.shot("voice-held-back-desktop")
        await fresh.find("voice-resume").click()
        await says(fresh, "1 person hears you")
        await hear(fresh, bob)


@pytest.mark.gen_test(timeout=300)
async def test_a_microphone_that_is_refused_is_said_in_words(
    server: Server, browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch is off again and says what to do; allowed, it works."""
    async with browse(server) as browser:
        (ann,) = await arrive(browser, (0, 0))
        # The page's own header tells the browser to allow none: here all microphones are allowed by themselves.
        monkeypatch.setattr("handlers.pages.Files.permissions", lambda page: permissions())
        await ann.page.reload()
        await ann.find("voice-switch").click()
        await says(ann, "The microphone is not allowed here")
        await expect(ann.find("voice-switch")).not_to_be_checked()
        await ann.shot("voice-refused-desktop")
        ann.complaints = [text for text in ann.complaints if "Permissions policy violation" not in text]
        monkeypatch.undo()
        await ann.page.reload()
        await switch_on(ann)


@pytest.mark.gen_test(timeout=300)
async def test_who_hides_their_address_talks_by_the_relay_alone(new_server, browse, tmp_path: Path) -> None:
    """No candidate but the relay's leaves the page, and what is heard comes by that way."""
    async with with_relay(new_server, browse, tmp_path) as (ann, bob):
        said = Said(ann)
        for visitor, x in ((ann, 0), (bob, 2)):
            await visitor.page.reload()
            await visitor.until("() => window.hereabouts?.signal.state === 'open'")
            await put(visitor, x, 0)
        await switch_on(ann, bob)
        await all_hear_each_other(ann, bob)
        sent = "".join(said.frames)
        assert '"type":"voice_join"' in sent and '"type":"ice_candidate"' in sent
        assert said.kinds == {"relay"}
        assert said.addresses <= HARMLESS
        assert ".local" not in sent


@pytest.mark.gen_test(timeout=300)
async def test_without_a_relay_an_address_stays_hidden(server: Server, browse) -> None:
    """Nothing is joined and no microphone opened; the switch says why."""
    async with browse(server) as browser:
        (ann,) = await arrive(browser, (0, 0))
        await hide(ann)
        await ann.page.keyboard.press("Escape")
        await ann.find("voice-switch").click()
        await says(ann, "Your address is to stay hidden")
        assert await ann.page.evaluate("[hereabouts.voice.state, hereabouts.voice.microphone]") == [
            "off",
            None,
        ]


@pytest.mark.gen_test(timeout=300)
async def test_the_switch_on_a_phone(server: Server, browse) -> None:
    """At hand by touch on the map, and for one who talks over an open sheet too; nothing lies over it."""
    async with browse(server) as browser:
        ann = await browser.registered("ann", "phone", has_touch=True, is_mobile=True)
        (bob,) = await arrive(browser, (3, 2), names=("bob",))
        await put(ann, 0, 0)
        box = await ann.find("voice").bounding_box()
        assert box and box["height"] >= 44 and box["x"] >= 0 and box["x"] + box["width"] <= 390
        await ann.page.touchscreen.tap(box["x"] + 60, box["y"] + box["height"] / 2)
        await expect(ann.find("voice", state="on")).to_be_visible(timeout=SECONDS * 1000)
        await switch_on(bob)
        await says(ann, "1 person hears you")
        await ann.shot("voice-phone")
        await ann.find("tab-people").tap()
        await expect(ann.find("voice-mark")).to_be_visible()
        await ann.page.wait_for_timeout(400)  # the sheet slides
        mute = await ann.find("voice-mute").bounding_box()
        assert mute and min(mute["width"], mute["height"]) >= 44
        await ann.find("voice-mute").tap()
        await says(ann, "Muted for 1 person")
        await ann.shot("voice-phone-people")
