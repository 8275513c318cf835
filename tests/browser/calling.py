"""What the tests of calls share: ringing somebody, and whether sound and pictures arrive."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from tests.browser.conftest import Visitor

# coturn and all that it relays to are on this machine here.
ON_LOOPBACK = ("--allow-loopback-peers", "--allowed-peer-ip=127.0.0.1", "--allowed-peer-ip=::1")

# What has been received so far: the energy of the sound, its packets, the frames of each picture that lasts, all bytes.
RECEIVED = """async () => {
  const { call } = window.hereabouts;
  const stats = [...(await call?.peer?.getStats() ?? new Map()).values()].filter(({ type }) => type === 'inbound-rtp');
  const sound = stats.filter(({ kind }) => kind === 'audio');
  const frames = (stream) => stats.filter(({ trackIdentifier: id }) => stream?.getVideoTracks().some((track) => track.id === id))
    .reduce((sum, { framesDecoded }) => sum + (framesDecoded ?? 0), 0);
  const total = (some, field) => some.reduce((sum, one) => sum + (one[field] ?? 0), 0);
  return {
    energy: total(sound, 'totalAudioEnergy'), packets: total(sound, 'packetsReceived'), bytes: total(stats, 'bytesReceived'),
    camera: frames(call?.remoteStream), screen: frames(call?.remoteScreen),
  };
}"""

# A beep of the browser's own microphone has some 1e-4 and more; a muted one is heard as silence to the eighth place.
AUDIBLE = 1e-5

GROWN = f"""async ([before, fields, by]) => {{
  const now = await ({RECEIVED})();
  return fields.every((field) => now[field] > before[field] + (field === 'energy' ? {AUDIBLE} : by));
}}"""


async def call(caller: Visitor, callee: Visitor, kind: str) -> None:
    """One calls the other, who is found in the list of people and answers."""
    await ring(caller, callee, kind)
    await callee.find("call-accept").click()


async def ring(caller: Visitor, callee: Visitor, kind: str) -> None:
    await caller.find("person", username=callee.name).first.click()
    await caller.find(f"call-{kind}").first.click()


async def talking(*visitors: Visitor) -> None:
    for visitor in visitors:
        await expect(visitor.find("call-panel", state="active")).to_be_visible(timeout=30_000)


async def hide(visitor: Visitor) -> None:
    await visitor.find("settings").click()
    await visitor.find("hide-address").check()


async def received(visitor: Visitor) -> dict[str, Any]:
    found: dict[str, Any] = await visitor.page.evaluate(RECEIVED)
    return found


async def flows(visitor: Visitor, *fields: str, by: float = 0) -> None:
    """From now on more of each field of `RECEIVED` arrives: by default sound that can be heard."""
    fields = fields or ("energy",)
    await visitor.until(GROWN, [await received(visitor), fields, by], seconds=60)


async def hears_nothing(visitor: Visitor) -> None:
    """Two seconds of packets with no sound in them, after those that were on their way."""
    await flows(visitor, "packets", by=150)
    before = await received(visitor)
    await flows(visitor, "packets", by=100)
    assert (await received(visitor))["energy"] < before["energy"] + AUDIBLE


async def reloaded(visitor: Visitor) -> None:
    """Their page is, and is connected again."""
    await visitor.page.reload()
    await visitor.until("() => window.hereabouts?.signal.state === 'open'")
