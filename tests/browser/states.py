"""Every state that the pages can be in, one after the other, each reached as a person would.

Generators: each yields the name of a state and who is in it, once it is there. What is real about a state is
asserted here; what holds of all of them, by whoever goes through.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Route, expect

from tests.browser.client import forgive, road
from tests.browser.conftest import Browser, Visitor
from tests.harness import Server

States = AsyncIterator[tuple[str, Visitor]]
TOUCH = {"has_touch": True, "is_mobile": True}


def machine(size: str) -> dict[str, Any]:
    return {"size": size, **(TOUCH if size == "phone" else {})}


async def show(visitor: Visitor, tab: str) -> None:
    """Brings a part of the page into view, which a phone has under its tabs."""
    button = visitor.find(f"tab-{tab}")
    if await button.is_visible():
        await button.click()
        await expect(button).to_have_attribute("aria-current", "page")


async def close_dialog(visitor: Visitor) -> None:
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.page.locator("dialog")).to_have_count(0)


async def say(visitor: Visitor, text: str) -> None:
    await visitor.find("chat-input").fill(text)
    await visitor.find("chat-send").click()
    await expect(visitor.find("message").last).to_contain_text(text)


async def open_menu(visitor: Visitor, username: str) -> None:
    await show(visitor, "people")
    await visitor.find("person", username=username).first.click()
    await visitor.find("person-menu").wait_for()


async def signed_out(browser: Browser, size: str) -> States:
    """Before anybody is anybody: from the first paint to what can be wrong about a name."""
    ann = await browser.visit("ann", **machine(size))
    page = ann.page

    held: list[Route] = []  # as on a slow line
    await page.route("**/static/js/main.js", lambda route: held.append(route))
    await page.reload(wait_until="commit")
    await expect(page.get_by_role("heading", name="Hereabouts")).to_be_visible()
    assert await page.evaluate("typeof hereabouts") == "undefined"
    yield "before-scripts", ann
    await held[0].continue_()
    await page.unroute_all()

    await expect(ann.find("username")).to_be_focused()
    yield "register", ann
    await ann.find("submit").click()
    await expect(page.get_by_text("Use at least 8 characters")).to_be_visible()
    yield "register-errors", ann
    await ann.find("switch-mode").click()
    await ann.find("login-form").wait_for()
    yield "sign-in", ann
    await ann.find("username").fill("nobody")
    await ann.find("password").fill("not a password")
    await ann.find("submit").click()
    await expect(page.get_by_text("do not go together")).to_be_visible()
    ann.complaints = [text for text in ann.complaints if "401" not in text]
    yield "sign-in-errors", ann


async def alone(browser: Browser, size: str) -> States:
    """With nobody else there, and nothing claimed."""
    ann = await browser.registered("ann", **machine(size))
    await expect(ann.find("land-label")).to_contain_text("Open ground")
    await ann.map()
    yield "alone-map", ann
    if size == "phone":
        for tab in ("chat", "talks", "people"):
            await show(ann, tab)
            yield f"alone-{tab}", ann
    await show(ann, "map")
    await ann.find("claim-land").click()
    await expect(ann.page.get_by_text("Drag a rectangle")).to_be_visible()
    yield "claiming", ann
    await ann.page.get_by_role("button", name="Type it in").click()
    await ann.find("land-name").wait_for()
    await ann.find("land-submit").click()
    await expect(ann.page.get_by_text("Give it a name")).to_be_visible()
    yield "dialog-claim", ann
    await close_dialog(ann)
    await ann.find("world").click()
    await ann.find("world-name").wait_for()
    yield "dialog-world", ann
    await close_dialog(ann)
    await show(ann, "people")
    await ann.find("find-person").fill("nobody-at-all")
    await ann.find("find-person").press("Enter")
    await expect(ann.page.get_by_text("Nobody goes by")).to_be_visible()
    yield "nobody-found", ann
    ann.complaints = [text for text in ann.complaints if "nobody-at-all" not in text]


async def together(server: Server, browser: Browser, size: str) -> States:
    """In a land with somebody: conversations of each kind, dialogs, and what goes wrong in them."""
    owner = await server.person("owner")
    await owner.land(-50, -50, width=100, height=100, name="Harbour Green")
    ann = await browser.registered("ann", **machine(size))
    bob, cleo = await browser.registered("bob"), await browser.registered("cleo")
    for visitor in (ann, bob, cleo):
        await expect(visitor.find("land-label")).to_contain_text("Harbour Green")
    await expect(ann.find("say-hello")).to_be_visible()
    yield "first-steps", ann
    await show(ann, "chat")
    await expect(ann.page.get_by_text("Nothing said yet")).to_be_visible()
    yield "land-empty", ann
    await say(bob, "Good morning! Is the ferry in already?")
    await expect(ann.find("message")).to_have_count(1)
    await say(ann, "Not yet. It is late on Sundays.")
    await say(ann, "There is a timetable at https://example.com/ferry, if that helps.")
    await say(cleo, "Then there is time for a walk")
    await expect(ann.find("message")).to_have_count(4)
    await ann.find("chat-input").fill("Let us")
    yield "land", ann
    await show(ann, "map")
    yield "land-map", ann

    await open_menu(ann, "bob")
    yield "person-menu", ann
    await ann.find("write").click()
    await expect(ann.page.get_by_text("The first word is yours")).to_be_visible()
    yield "private-empty", ann
    await say(ann, "Will you be at the harbour later?")
    await bob.find("conversation").filter(has_text="ann").click()
    await expect(ann.find("message").locator('[data-read="true"]')).to_be_visible()
    await bob.find("chat-input").press_sequentially("Sur", delay=20)
    await expect(ann.find("typing")).to_contain_text("bob")
    yield "private", ann

    await show(ann, "talks")
    await ann.find("new-group").click()
    await ann.find("group-name").fill("Sunday walkers")
    for username in ("bob", "cleo"):
        await ann.find("pick", username=username).check()
    yield "dialog-new-group", ann
    await ann.find("group-submit").click()
    await expect(ann.find("group-open")).to_be_visible()
    await say(ann, "Who is in?")
    yield "group", ann
    await ann.find("group-open").click()
    await ann.find("group-save").wait_for()
    yield "dialog-group", ann
    await close_dialog(ann)
    await ann.find("message").last.hover()
    await ann.find("delete-message").last.click()
    await ann.find("confirm").wait_for()
    yield "dialog-delete", ann
    await ann.find("confirm").click()
    await expect(ann.find("message", state="deleted")).to_be_visible()
    yield "message-deleted", ann
    await show(ann, "talks")
    yield "conversations", ann
    await show(ann, "people")
    yield "people", ann

    await show(ann, "talks")
    await ann.find("settings").click()
    await ann.find("password-open").wait_for()
    yield "dialog-settings", ann
    for summary in await ann.page.locator("dialog summary").all():
        await summary.click()
    await ann.find("password-submit").scroll_into_view_if_needed()
    await ann.find("password-submit").click()
    await expect(ann.page.get_by_text("Use at least 8 characters")).to_be_visible()
    yield "dialog-settings-open", ann
    await close_dialog(ann)


async def ones_own_land(server: Server, browser: Browser, size: str) -> States:
    """A land of one's own and its guests; and one of somebody else's that one is no guest of."""
    ann = await browser.registered("ann", **machine(size))
    land = {"name": "Ann's porch", "x": -50, "y": -50, "width": 100, "height": 100, "access": "invited"}
    await ann.page.evaluate("(land) => hereaboutsApp.lands.claim(land)", land)
    await expect(ann.find("land-label")).to_contain_text("your land")
    yield "own-land", ann
    await server.person("dora")
    await ann.find("land-change").click()
    await ann.find("guest-name").fill("dora")
    await ann.find("guest-name").press("Enter")
    await expect(ann.find("guest", username="dora")).to_be_visible()
    yield "dialog-land", ann
    await ann.page.get_by_role("button", name="Give it up").click()
    await ann.find("confirm").wait_for()
    yield "dialog-give-up", ann
    await close_dialog(ann)
    bob = await browser.registered("bob", **machine(size))
    await expect(bob.find("land-label")).to_contain_text("porch")
    await show(bob, "chat")
    await expect(bob.page.get_by_text("This land is by invitation")).to_be_visible()
    yield "land-by-invitation", bob


async def in_earshot(server: Server, browser: Browser, size: str) -> States:
    """What is said aloud, on open ground and on a land."""
    owner = await server.person("owner")
    await owner.land(30, -20, width=40, height=40, name="Harbour Green")
    ann = await browser.registered("ann", **machine(size))
    bob = await browser.registered("bob")
    await expect(ann.find("person", username="bob")).to_be_attached()
    await expect(bob.find("person", username="ann")).to_be_visible()
    await show(ann, "chat")
    await expect(ann.find("earshot")).to_have_text("bob hears you")
    await expect(ann.find("land-near")).to_contain_text("Harbour Green")
    yield "nearby-empty", ann
    await say(bob, "Is this the way to the harbour?")
    await expect(ann.find("message")).to_contain_text("harbour")
    await say(ann, "It is, straight on.")
    await expect(ann.find("message", state="sent")).to_have_count(2)
    yield "nearby", ann
    await ann.find("lands-nearby").click()
    await expect(ann.find("land-near")).to_be_visible()
    yield "dialog-lands", ann
    await ann.find("land-near").click()
    await expect(ann.find("land-label")).to_contain_text("Harbour Green", timeout=30_000)
    await show(ann, "chat")
    await ann.find("scope-nearby").click()
    await expect(ann.find("message")).to_have_count(2)
    yield "land-nearby", ann


async def writing(server: Server, browser: Browser, size: str) -> States:
    """Looking for words, picking an emoji, and what cannot be sent."""
    ann, bob = await browser.registered("ann", **machine(size)), await server.person("bob")
    own_id = await ann.page.evaluate("hereabouts.user.id")
    room = (await bob.ok("POST", "/chat/sessions", {"participant_ids": [own_id]}))["id"]
    for text in ("The ferry leaves at noon", "Are you on it?", "There is another ferry at six"):
        await bob.ok("POST", f"/chat/sessions/{room}/messages", {"content": text})
    await show(ann, "talks")
    await ann.find("conversation").filter(has_text="bob").click()
    await expect(ann.find("message")).to_have_count(3)
    await ann.find("search").click()
    await ann.find("search-words").fill("ferry")
    await expect(ann.find("search-count")).to_have_text("1 of 2")
    yield "search", ann
    await ann.find("search-words").fill("submarine")
    await expect(ann.page.locator("mark")).to_have_count(0)
    yield "search-nothing", ann
    await ann.page.keyboard.press("Escape")
    await ann.find("emoji-open").click()
    await expect(ann.find("emoji-picker").locator("[data-emoji]").first).to_be_visible(timeout=30_000)
    yield "emoji", ann
    await ann.page.keyboard.press("Escape")
    await show(ann, "talks")
    await ann.find("settings").click()
    await ann.page.get_by_text("Tell me while I look elsewhere").scroll_into_view_if_needed()
    yield "dialog-settings-notifications", ann
    await close_dialog(ann)
    await show(ann, "chat")
    await bob.ok("PUT", f"/users/{own_id}/block")
    await say(ann, "I shall be there")
    await expect(ann.find("message", state="failed")).to_contain_text("Not sent.")
    yield "failed", ann
    await ann.page.evaluate("(id) => hereaboutsApp.people.block(id)", bob.id)
    await expect(ann.find("blocked")).to_be_visible()
    yield "blocked", ann
    # That somebody types is refused too, which the page tells developers alone.
    ann.complaints = [text for text in ann.complaints if "cannot be written to" not in text]


async def away(server: Server, browser: Browser, size: str) -> States:
    """With the connection lost, in each way that it can be."""
    owner = await server.person("owner")
    await owner.land(-50, -50, width=100, height=100, name="Harbour Green")
    async with road(server.app.port) as way:
        ann = await browser.registered("ann", port=way.port, **machine(size))
        await expect(ann.find("land-label")).to_contain_text("Harbour Green")
        await show(ann, "chat")
        await say(ann, "Before the storm")
        await show(ann, "map")
        way.close()
        await expect(ann.find("lost")).to_contain_text("The connection was lost")
        yield "reconnecting", ann
        await ann.context.set_offline(True)
        await expect(ann.find("lost")).to_contain_text("You are offline")
        await show(ann, "chat")
        await say(ann, "Is anybody out there?")
        await expect(ann.find("message", state="sending")).to_be_visible()
        yield "offline", ann
        await ann.context.set_offline(False)
        way.open()
        await expect(ann.find("message", state="sent")).to_have_count(2, timeout=30_000)
        await ann.page.route("**/auth/refresh", lambda route: route.abort())
        await ann.page.reload()
        await expect(ann.page.get_by_text("The server cannot be reached just now")).to_be_visible()
        yield "unreachable", ann
        await ann.page.unroute_all()
        await ann.map()
        await ann.page.close()  # before the road is gone that it looks for
        forgive(ann)


async def broken(browser: Browser, size: str) -> States:
    """Without the map's renderer, and with a fault of the page's own."""
    ann = await browser.registered("ann", **machine(size))
    await ann.page.route("**/pixi.min.js", lambda route: route.abort())
    await ann.page.reload()
    await expect(ann.find("no-picture")).to_contain_text("cannot be drawn")
    yield "no-map", ann
    await ann.page.evaluate("hereaboutsApp.set({ dialog: { kind: 'group', conversation: null } })")
    await expect(ann.find("broken")).to_be_visible()
    yield "broken", ann
    ann.complaints.clear()


async def other_pages(server: Server, browser: Browser, size: str) -> States:
    """What else the server shows: the API, the example, and that there is nothing."""
    ann = await browser.visit("ann", **machine(size))
    origin = ann.page.url.rstrip("/")
    await ann.page.goto(f"{origin}/api/docs")
    await expect(ann.page.locator(".opblock").first).to_be_visible()
    yield "api", ann

    await ann.page.goto(f"{origin}/no-such-page")
    await expect(ann.page.get_by_role("link", name="To the map")).to_be_visible()
    ann.complaints = [text for text in ann.complaints if "no-such-page" not in text]
    yield "not-found", ann
    await ann.page.goto(f"{origin}/static/examples/campfire.html")
    await expect(ann.page.get_by_label("Your name")).to_be_focused()
    yield "example-arriving", ann
    await sit_down(ann)
    bob = await browser.visit("bob", "phone")
    await bob.page.goto(ann.page.url)
    await sit_down(bob)
    await expect(ann.page.get_by_label("By the fire").get_by_text("bob")).to_be_visible()
    await bob.page.get_by_label("Say something").fill("Is this seat taken?")
    await bob.page.get_by_label("Say something").press("Enter")
    await expect(ann.page.get_by_role("log")).to_contain_text("bob Is this seat taken?")
    yield "example", ann


async def sit_down(visitor: Visitor) -> None:
    """At the fire of the example."""
    await visitor.page.get_by_label("Your name").fill(visitor.name)
    await visitor.page.get_by_role("button", name="Sit down").click()
    await expect(visitor.page.get_by_label("Say something")).to_be_focused()
