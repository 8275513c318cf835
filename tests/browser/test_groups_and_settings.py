"""The demo page in a real Chromium: groups, guest lists, passwords, and going invisible."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import Visitor
from tests.harness import Server

# The page is drawn anew, as at any event.
DRAW = "() => new Promise((drawn) => { hereaboutsApp.emit('changed'); setTimeout(drawn, 100); })"


async def say(visitor: Visitor, text: str) -> None:
    await visitor.find("chat-input").fill(text)
    await visitor.find("chat-send").click()


async def save_guests(visitor: Visitor) -> None:
    await visitor.find("land-save").click()
    await expect(visitor.find("land-save")).to_have_count(0)


@pytest.mark.gen_test(timeout=180)
async def test_a_group_is_made_renamed_joined_and_left(server: Server, browse) -> None:
    """A group's new name and third member show to all; whoever leaves it hears nothing more."""
    async with browse(server) as browser:
        ann, bob, cleo = [await browser.registered(name) for name in ("ann", "bob", "cleo")]
        await ann.find("new-group").click()
        await ann.find("group-name").fill("Walkers")
        await ann.find("pick", username="bob").check()
        await ann.find("group-submit").click()
        await expect(bob.find("conversation").filter(has_text="Walkers")).to_be_visible()

        await ann.find("group-open").click()
        await ann.find("group-name").fill("Runners")
        # The page draws itself anew as people walk; what is typed has to stay.
        await bob.page.evaluate("window.hereaboutsApp.world.walkTo(12, 0)")
        await ann.page.evaluate("new Promise(seen => window.hereabouts.chat.on('nearby_update', seen))")
        await ann.find("pick", username="cleo").check()
        await ann.shot("group-desktop")
        await ann.find("group-save").click()
        # No event tells of a new name; the next look at the list does.
        await expect(ann.find("group-save")).to_have_count(0)
        await bob.page.reload()
        for visitor in (ann, bob, cleo):
            await expect(visitor.find("conversation").filter(has_text="Runners")).to_be_visible()

        await bob.find("conversation").filter(has_text="Runners").click()
        await bob.find("group-open").click()
        await bob.find("group-leave").click()
        await expect(bob.find("conversation").filter(has_text="Runners")).to_have_count(0)
        await say(ann, "without bob")
        await cleo.find("conversation").filter(has_text="Runners").click()
        await expect(cleo.find("message")).to_contain_text("without bob")
        await expect(bob.find("conversation").filter(has_text="without bob")).to_have_count(0)


@pytest.mark.gen_test(timeout=180)
async def test_the_guest_list_lets_in_and_puts_out(server: Server, browse) -> None:
    """Whoever is on the list may join the land's conversation; taken off it, they are out of it."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        await ann.page.evaluate(
            "window.hereabouts.api.claimLand("
            "{name: 'Harbour', x: -50, y: -50, width: 100, height: 100, access: 'invited'})"
        )
        await ann.page.reload()
        bob = await browser.registered("bob")
        await expect(bob.page.get_by_text("This land is by invitation")).to_be_visible()

        await ann.find("land-change").click()
        await ann.find("guest-name").fill("nobody-at-all")
        await ann.find("guest-name").press("Enter")
        await expect(ann.find("guest-list")).to_contain_text("Nobody goes by")
        await ann.find("guest-name").fill("bob")
        await ann.find("guest-name").press("Enter")
        await expect(ann.find("guest", username="bob")).to_be_visible()
        await ann.shot("guests-desktop")
        await save_guests(ann)
        await bob.page.reload()
        await say(bob, "let in")
        await expect(ann.find("message")).to_contain_text("let in")

        await ann.find("land-change").click()
        await ann.page.set_viewport_size({"width": 390, "height": 844})
        await expect(ann.find("guest", username="bob")).to_be_visible()
        await ann.shot("guests-phone")
        await ann.find("guest", username="bob").get_by_role("button").click()
        await expect(ann.find("guest")).to_have_count(0)
        await save_guests(ann)
        await expect(bob.page.get_by_text("This land is by invitation")).to_be_visible()
        # The browser itself complains of a name that nobody goes by.
        ann.complaints = [text for text in ann.complaints if "nobody-at-all" not in text]


@pytest.mark.gen_test(timeout=180)
async def test_the_password_is_changed(server: Server, browse) -> None:
    """After the change the new password signs in and the old one does not."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        await ann.find("settings").click()
        await ann.find("password-open").click()
        await ann.find("old-password").fill("correct horse")
        await ann.find("new-password").fill("battery staple")
        await ann.find("password-submit").click()
        await expect(ann.page.get_by_text("Your password is changed")).to_be_visible()
        for password, status in (("correct horse", 401), ("battery staple", 200)):
            answer = await server.call("POST", "/auth/login", {"username": "ann", "password": password})
            assert answer[0] == status


@pytest.mark.gen_test(timeout=180)
async def test_going_invisible_takes_one_off_map_and_list(server: Server, browse) -> None:
    """Whoever goes invisible is gone from the other's map and list, and back when visible again."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await browser.registered("bob")
        await expect(ann.find("person", username="bob")).to_be_visible()
        await bob.find("settings").click()
        await bob.find("invisible").check()
        await expect(ann.find("person", username="bob")).to_have_count(0)
        await bob.find("invisible").uncheck()
        await expect(ann.find("person", username="bob")).to_be_visible()


@pytest.mark.gen_test(timeout=240)
async def test_a_switch_shows_what_was_asked_for(server: Server, browse) -> None:
    """Before it is answered, whatever is drawn meanwhile; and the last of two holds."""
    async with browse(server) as browser:
        bob = await browser.registered("bob")
        held: list[Route] = []
        finished: list[str] = []

        async def hold(route: Route) -> None:
            if route.request.method == "PATCH" and not held:
                held.append(route)
            else:
                await route.continue_()

        await bob.page.route("**/auth/me", hold)
        bob.page.on("requestfinished", lambda request: finished.append(request.method))
        await bob.find("settings").click()
        invisible = bob.find("invisible")
        await invisible.check()
        await bob.page.evaluate(DRAW)
        await expect(invisible).to_be_checked()
        await invisible.uncheck()
        await bob.page.evaluate(DRAW)
        await expect(invisible).not_to_be_checked()
        await held[0].continue_()
        while finished.count("PATCH") < 2:
            await asyncio.sleep(0.05)
        assert (await bob.page.evaluate("hereabouts.api.me()"))["invisible"] is False
        await expect(invisible).not_to_be_checked()
