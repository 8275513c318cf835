"""The demo page in a real Chromium: notifications of its browser, for whoever asked, while nobody looks at the page."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Browser, Visitor
from tests.browser.test_conversations import id_of, post
from tests.browser.test_hostile_words import MESSAGES, NAMES, WATCH, watch
from tests.harness import Server

# Writes down the real notifications. Playwright keeps every page "visible", so the test says when it is not.
RECORD = """
window.notified = [];
window.Notification = new Proxy(Notification, {
  construct(target, given) {
    const made = Reflect.construct(target, given);
    const entry = { title: made.title, body: made.body, tag: made.tag, silent: made.silent, shown: false, closed: false, made };
    window.notified.push(entry);
    made.addEventListener('show', () => { entry.shown = true; });
    made.addEventListener('close', () => { entry.closed = true; });
    return made;
  },
});
window.looksAway = false;
Object.defineProperty(document, 'visibilityState', { get: () => (window.looksAway ? 'hidden' : 'visible') });
"""
LOOK_AWAY = (
    """(away) => { window.looksAway = away; document.dispatchEvent(new Event('visibilitychange')); }"""
)
NOTIFIED = "() => window.notified.map(({ made, ...entry }) => entry)"


def origin(server: Server) -> str:
    return server.origin.replace("127.0.0.1", "localhost")


async def asked_visitor(browser: Browser, server: Server) -> Visitor:
    """Somebody who is about to switch notifications on, in a browser that allows them."""
    ann = await browser.registered("ann")
    await ann.context.grant_permissions(["notifications"], origin=origin(server))
    await ann.page.add_init_script(RECORD)
    await ann.page.reload()
    await ann.find("settings").click()
    await expect(ann.find("notify")).not_to_be_checked()
    return ann


async def told_visitor(browser: Browser, server: Server) -> Visitor:
    """Somebody who has."""
    ann = await asked_visitor(browser, server)
    await ann.find("notify").check()
    await expect(ann.find("notify")).to_be_checked()
    await ann.shot("settings-notify")
    await ann.page.keyboard.press("Escape")
    await ann.page.evaluate("() => { window.notified.length = 0; }")  # that they work was tried
    return ann


async def notified(visitor: Visitor, count: int) -> list[dict[str, Any]]:
    await visitor.until("(count) => window.notified.filter(({ shown }) => shown).length >= count", count)
    entries: list[dict[str, Any]] = await visitor.page.evaluate(NOTIFIED)
    assert len(entries) == count
    return entries


@pytest.mark.gen_test(timeout=180)
async def test_the_last_word_holds_while_the_browser_asks(server: Server, browse) -> None:
    """The switch stays as it was put until there is an answer; one who thought better of it is not told after all."""
    async with browse(server) as browser:
        ann = await asked_visitor(browser, server)
        await ann.page.evaluate(
            "() => { Notification.requestPermission = () => new Promise((answer) => { window.answer = answer; }); }"
        )
        await ann.find("notify").check()
        await ann.page.evaluate("hereaboutsApp.emit('changed')")
        await ann.page.evaluate("() => new Promise(requestAnimationFrame)")
        await expect(ann.find("notify")).to_be_checked()
        await ann.find("notify").uncheck()
        await ann.page.evaluate("answer('granted')")
        await ann.page.evaluate("() => new Promise(requestAnimationFrame)")
        await expect(ann.find("notify")).not_to_be_checked()
        assert await ann.page.evaluate("hereaboutsApp.notifier.state") == "off"


@pytest.mark.gen_test(timeout=240)
async def test_messages_and_calls_are_told_while_the_page_is_hidden(server: Server, browse) -> None:
    """To one, in private and in groups; not from a land, not while one looks. A click opens it, reading takes it away."""
    async with browse(server) as browser:
        bob = await server.person("bob")
        land = await bob.land(-50, -50, width=100, height=100)
        ann = await told_visitor(browser, server)
        room = (await bob.ok("POST", "/chat/sessions", {"participant_ids": [await id_of(ann)]}))["id"]
        group = (
            await bob.ok("POST", "/chat/sessions", {"participant_ids": [await id_of(ann)], "name": "Walkers"})
        )["id"]
        await post(bob, room, "while she looks")
        await expect(ann.page).to_have_title("(1) Hereabouts")
        await ann.page.evaluate(LOOK_AWAY, True)
        await post(bob, land, "to the land")
        await post(bob, room, "are you there?")
        await post(bob, group, "x" * 1_000)
        first, second = await notified(ann, 2)
        assert (first["title"], first["body"], first["silent"]) == ("bob", "are you there?", True)
        assert (second["title"], second["body"]) == ("bob in Walkers", "x" * 160 + "…")

        await ann.page.evaluate("() => window.notified[0].made.dispatchEvent(new Event('click'))")
        await ann.page.evaluate(LOOK_AWAY, False)
        await expect(ann.find("message").last).to_contain_text("are you there?")
        await ann.until("() => window.notified[0].closed")
        await ann.page.evaluate(LOOK_AWAY, True)

        phone = await bob.signal()
        await phone.ask("call_initiated", type="call_initiate", callee_id=await id_of(ann), call_type="audio")
        call = (await notified(ann, 3))[-1]
        assert (call["title"], call["body"]) == ("bob", "Call for you")
        await phone.close()
        await ann.until("() => window.notified[2].closed", seconds=60)

        # Nobody is told who does not want to be.
        await ann.page.evaluate(LOOK_AWAY, False)
        await ann.find("settings").click()
        await ann.find("notify").uncheck()
        await ann.page.keyboard.press("Escape")
        await ann.page.evaluate(LOOK_AWAY, True)
        await post(bob, room, "not to be told")
        await expect(ann.find("conversation", id=room)).to_contain_text("not to be told")
        await notified(ann, 3)


@pytest.mark.gen_test(timeout=240)
async def test_another_page_that_is_looked_at_tells_enough(server: Server, browse) -> None:
    """A hidden page keeps still while a second one of the same browser is in view, and not once that is closed."""
    async with browse(server) as browser:
        bob = await server.person("bob")
        ann = await told_visitor(browser, server)
        room = (await bob.ok("POST", "/chat/sessions", {"participant_ids": [await id_of(ann)]}))["id"]
        second = await ann.context.new_page()
        await second.goto(ann.page.url)
        await second.get_by_test_id("map").wait_for()
        await ann.page.evaluate(LOOK_AWAY, True)
        await post(bob, room, "seen on the other page")
        await expect(ann.find("conversation", id=room)).to_contain_text("seen on the other page")
        await second.close()
        await ann.until(
            """async () => {
              const { held } = await navigator.locks.query();
              return !held.some(({ name }) => name.startsWith('hereabouts.looked-at.'));
            }"""
        )
        await post(bob, room, "seen nowhere")
        (entry,) = await notified(ann, 1)
        assert entry["body"] == "seen nowhere"


@pytest.mark.gen_test(timeout=240)
async def test_hostile_words_stay_words_in_notifications(server: Server, browse) -> None:
    """Names and messages of the corpus: legible, in one line, short; and nothing comes of them."""
    async with browse(server) as browser:
        people = await server.people(len(NAMES))
        for person, name in zip(people, NAMES, strict=True):
            await person.ok("PATCH", "/auth/me", {"display_name": name})
        ann = await told_visitor(browser, server)
        watch(ann)
        await ann.page.evaluate(WATCH)
        await ann.page.evaluate(LOOK_AWAY, True)
        own = {"participant_ids": [await id_of(ann)]}
        for person, content in zip(people, MESSAGES, strict=False):
            await post(person, (await person.ok("POST", "/chat/sessions", own))["id"], content)
        for entry in await notified(ann, len(NAMES)):
            for text in (entry["title"], entry["body"]):
                assert 0 < len(text) <= 400 and not set(text) & set(
                    "\n\r\u202e\u202d\u202a\u202b\u2066\u2067"
                )


@pytest.mark.gen_test(timeout=240)
async def test_a_browser_that_refuses_says_so(server: Server, browse) -> None:
    """Whoever told the browser not to be notified reads that in the settings, and no switch that does nothing."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        # What is granted refuses all the rest.
        await ann.context.grant_permissions(["geolocation"], origin=origin(server))
        await ann.page.reload()
        await ann.find("settings").click()
        await expect(ann.find("notify-refused")).to_be_visible()
        await expect(ann.find("notify")).to_have_count(0)
