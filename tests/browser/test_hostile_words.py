"""Names and messages that would do harm, put in by some over the API and looked at by another in a real Chromium.

`hostile.json` holds them; what runs sets `fired`, what loads asks a canary host. Whatever the page shows of them, in
every place that shows any, nothing of it runs, loads, leaves its box or turns the page's own words around.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Locator, Request, expect

from tests.browser.conftest import Visitor
from tests.browser.test_docs_page import try_out
from tests.harness import Person, Server, Socket

CORPUS: dict[str, list[dict[str, str]]] = json.loads(
    Path(__file__).with_name("hostile.json").read_text(encoding="utf-8")
)
NAMES = [entry["text"] for entry in CORPUS["names"]]
MESSAGES = [entry["text"] for entry in CORPUS["messages"]] + NAMES

# What happens in a page that should not is said in its console, and any complaint there fails the test.
WATCH = """
addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sample }) =>
  console.error('violation:', effectiveDirective, blockedURI, sample));
Object.defineProperty(window, 'fired', { get() {}, set(value) { console.error('fired:', value); } });
"""

# What stands outside of its box, holds an open mark of direction, or is a sentence of ours that is turned around.
ASTRAY = r"""() => {
  const BOXES = 'html, .dialog, .menu, .notices, .notice, .incoming, .call-panel, .land-label, .bubble, .side, .chat, .row, .chat-head, .avatar';
  const found = [];
  const say = (what, node) => found.push(`${what}: ${JSON.stringify(node.textContent.slice(0, 80))} in ${node.parentElement.outerHTML.slice(0, 120)}`);
  for (const element of document.querySelectorAll('*')) {
    const slides = ['auto', 'scroll'].includes(getComputedStyle(element).overflowX) && !element.matches('textarea, pre');
    if (slides && element.scrollWidth > element.clientWidth) found.push(`slides sideways: ${element.className}`);
  }
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = words.nextNode());) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility({ visibilityProperty: true })) continue;
    const own = !element.closest('.content, bdi, textarea, pre');
    const count = (mark) => node.textContent.split(mark).length;
    if (own && (/[\u202a-\u202e\u2066\u2067\u200e\u200f]/.test(node.textContent) || count('\u2068') !== count('\u2069'))) say('direction', node);
    const range = document.createRange();
    range.selectNodeContents(node);
    for (let { left, right, top, bottom } of range.getClientRects()) {
      for (let around = element; around && left < right && top < bottom; around = around.parentElement) {
        const { overflowX, overflowY } = getComputedStyle(around);
        const box = around.getBoundingClientRect();
        if (overflowX !== 'visible') [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
        if (overflowY !== 'visible') [top, bottom] = [Math.max(top, box.top), Math.min(bottom, box.bottom)];
        if (!around.matches(BOXES) || left >= right || top >= bottom) continue;
        const ends = around.matches('html, .notices') ? [-Infinity, Infinity] : [box.top - 1, box.bottom + 1];
        if (left < box.left - 1 || right > box.right + 1 || top < ends[0] || bottom > ends[1]) say(`out of ${around.className}`, node);
      }
    }
    if (element.matches('.notice')) {
      // Its last letters are ours.
      range.setStart(node, node.textContent.length - 4); range.setEnd(node, node.textContent.length - 3);
      const first = range.getBoundingClientRect();
      range.setStart(node, node.textContent.length - 2); range.setEnd(node, node.textContent.length - 1);
      const last = range.getBoundingClientRect();
      if (first.top === last.top && first.left >= last.left) say('turned around', node);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push('the page is wider than its window');
  return [...new Set(found)];
}"""


def watch(visitor: Visitor) -> None:
    """Has everything that should not happen in a page complained of."""

    def requested(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "localhost":
            visitor.complaints.append(f"asked for {request.url}")

    def asked(dialog: Any) -> None:
        visitor.complaints.append(f"a dialog: {dialog.message}")

    visitor.page.on("request", requested)
    visitor.page.on("dialog", asked)
    visitor.context.on("page", lambda page: visitor.complaints.append(f"another page: {page.url}"))


async def in_order(visitor: Visitor) -> None:
    """Holds if nothing on the page is astray, and nothing was complained of."""
    astray = await visitor.page.evaluate(ASTRAY)
    assert not astray, "\n".join(astray)
    assert not visitor.complaints, visitor.complaints


class Crowd:
    """One person for each hostile name, who has it and gives it to a land and a group, and stands near."""

    def __init__(self, people: list[Person], sockets: list[Socket], land_id: str) -> None:
        self.people = people
        self.sockets = sockets
        self.land_id = land_id

    @classmethod
    async def gathered(cls, server: Server) -> Crowd:
        people = await server.people(len(NAMES))
        sockets = [await person.chat() for person in people]
        lands = []
        for index, (person, socket, name) in enumerate(zip(people, sockets, NAMES, strict=True)):
            await person.ok("PATCH", "/auth/me", {"display_name": name})
            # In a grid around the first, which is the one that visitors arrive in.
            left, top = 30 * ((index + 3) % 7 - 3), 30 * ((index // 7 + 2) % 5 - 2)
            first = {"x": -15, "y": -15, "width": 30, "height": 30}
            lands.append(await person.land(**(first if index == 0 else {"x": left, "y": top}), name=name))
            x, y = 2.5 * (index % 7 - 3), 2.5 * (index // 7 - 2)
            await socket.ask("location_updated", type="update_location", x=x, y=y)
        return cls(people, sockets, lands[0])

    async def speak(self, visitor_id: str) -> None:
        """All of the corpus, in the land, in private and in groups."""
        for socket in self.sockets:
            await socket.ask("joined_room", type="join_room", room_id=self.land_id)
        for index, content in enumerate(MESSAGES):
            person = self.people[index % len(self.people)]
            await person.ok("POST", f"/chat/sessions/{self.land_id}/messages", {"content": content})
        visitor = {"participant_ids": [visitor_id]}
        for index, (person, name) in enumerate(zip(self.people, NAMES, strict=True)):
            private = (await person.ok("POST", "/chat/sessions", visitor))["id"]
            body = {"content": MESSAGES[index % len(MESSAGES)]}
            await person.ok("POST", f"/chat/sessions/{private}/messages", body)
            others = [visitor_id, self.people[index - 1].id]
            group = await person.ok("POST", "/chat/sessions", {"participant_ids": others, "name": name})
            await person.ok("POST", f"/chat/sessions/{group['id']}/messages", {"content": name})


async def each(found: Locator) -> list[Locator]:
    return [found.nth(index) for index in range(await found.count())]


async def side(visitor: Visitor, tab: str, size: str) -> None:
    """Shows a part of the side, which a phone has behind a tab."""
    if size == "phone":
        await visitor.find(f"tab-{tab}").click()


@pytest.mark.gen_test(timeout=240)
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_nothing_that_others_wrote_does_anything_to_a_page(server: Server, browse, size: str) -> None:
    """Map, people, conversations, messages, menus, dialogs, calls, notices and settings: shown, and inert."""
    async with browse(server) as browser:
        crowd = await Crowd.gathered(server)
        visitor = await browser.registered("visitor", size)
        watch(visitor)
        page = visitor.page
        await page.add_init_script(WATCH)
        own_id = str(await page.evaluate("window.hereabouts.user.id"))
        # Said live, over the heads on the map; and read again as history.
        await page.reload()
        await expect(visitor.find("message")).to_have_count(0)
        await expect(visitor.find("land-label")).to_contain_text(NAMES[0])
        await crowd.speak(own_id)
        await in_order(visitor)
        await page.reload()
        await visitor.find("map").wait_for()

        # The map, the land underfoot, what is said in it.
        await expect(visitor.find("land-label")).to_contain_text(NAMES[0])
        await side(visitor, "chat", size)
        await expect(visitor.find("message").last).to_be_visible()
        await in_order(visitor)
        await crowd.sockets[19].send(type="typing", room_id=crowd.land_id, is_typing=True)
        await expect(visitor.find("typing")).to_contain_text("is typing")
        await in_order(visitor)
        await visitor.shot(f"hostile-land-{size}")
        await page.locator(".log").evaluate("(log) => { log.scrollTop = 0; }")
        await expect(visitor.find("message")).to_have_count(len(MESSAGES))
        await in_order(visitor)
        await visitor.shot(f"hostile-messages-{size}")
        for link in await each(page.locator(".content a")):
            assert urlsplit(str(await link.get_attribute("href"))).scheme in ("http", "https")
            assert {"noopener", "noreferrer"} <= set(str(await link.get_attribute("rel")).split())
        assert await page.locator(".content a").count() > 3
        assert await page.locator(".content :not(a)").count() == 0

        # The list of conversations, and each of them.
        await side(visitor, "talks", size)
        conversations = page.locator("[data-testid=conversations] .row:not(.here)")
        await expect(conversations).to_have_count(2 * len(NAMES))
        await in_order(visitor)
        await visitor.shot(f"hostile-talks-{size}")
        rooms = [await row.get_attribute("data-id") for row in await each(conversations)]
        for room_id in rooms[::2] + rooms[1:10:2]:  # each name is a private one's and a group's
            await side(visitor, "talks", size)
            await visitor.find("conversation", id=str(room_id)).click()
            await expect(visitor.find("message").last).to_be_visible()
            await in_order(visitor)
        await side(visitor, "talks", size)
        await visitor.find("conversation", id=str(await last_group(page))).click()
        await visitor.find("group-open").click()
        await expect(visitor.find("pick").first).to_be_visible()
        await in_order(visitor)
        await visitor.shot(f"hostile-group-{size}")
        await page.keyboard.press("Escape")

        # People, and what can be done with each.
        await side(visitor, "people", size)
        await expect(visitor.find("person")).to_have_count(len(NAMES))
        await in_order(visitor)
        await visitor.shot(f"hostile-people-{size}")
        for person in crowd.people:
            await visitor.find("person", username=person.name).click()
            await expect(visitor.find("person-menu")).to_be_visible()
            await in_order(visitor)
            await page.keyboard.press("Escape")

        # Calls that one makes, that one gets, and the notices of how they ended.
        for index in range(19, 31):
            phone = await crowd.people[index].signal()
            await visitor.find("person", username=crowd.people[index].name).click()
            await visitor.find("call-video").first.click()
            await phone.next("incoming_call")
            await in_order(visitor)
            if index == 27:
                await visitor.shot(f"hostile-calling-{size}")
            await visitor.find("call-hangup").click()
            await phone.next("call_ended")
            await phone.close()
        for index, person in enumerate(crowd.people):
            phone = await person.signal()
            await phone.ask("call_initiated", type="call_initiate", callee_id=own_id, call_type="video")
            await expect(visitor.find("incoming-call")).to_be_visible()
            await in_order(visitor)
            if index == 22:
                await visitor.shot(f"hostile-call-{size}")
            await visitor.find("call-reject").click()
            await phone.next("call_rejected")
            await expect(page.locator(".notice").last).to_contain_text("You declined")
            await in_order(visitor)
            await phone.close()
        assert await page.locator(".notice").count() <= 4
        await visitor.shot(f"hostile-notices-{size}")

        # Settings: those who are blocked, and such names of one's own.
        for person in crowd.people:
            await page.evaluate("(id) => window.hereabouts.api.block(id)", person.id)
        await page.reload()
        await side(visitor, "people", size)
        await visitor.find("settings").click()
        await expect(page.locator(".settings .row")).to_have_count(len(NAMES))
        for name in NAMES[19:24]:
            await visitor.find("settings-display-name").fill(name.strip() or "x")
            await visitor.find("settings-save-name").click()
            await expect(page.get_by_text("Your name is changed").last).to_be_visible()
            await in_order(visitor)
        await page.locator(".settings .row").last.scroll_into_view_if_needed()
        await in_order(visitor)
        await visitor.shot(f"hostile-settings-{size}")
        await page.keyboard.press("Escape")
        assert re.fullmatch(r"(\(\d+\) )?Hereabouts", await page.title())


@pytest.mark.gen_test(timeout=240)
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_nor_does_ones_own_land_by_such_a_name(server: Server, browse, size: str) -> None:
    """Its label, its dialog with the guests, and the question whether to give it up."""
    async with browse(server) as browser:
        guests = await server.people(len(NAMES))
        for guest, name in zip(guests, NAMES, strict=True):
            await guest.ok("PATCH", "/auth/me", {"display_name": name})
        visitor = await browser.registered("visitor", size)
        watch(visitor)
        page = visitor.page
        await page.add_init_script(WATCH)
        land = {"x": -50, "y": -50, "width": 100, "height": 100, "access": "invited", "name": "Green"}
        land_id = (await page.evaluate("(land) => window.hereabouts.api.claimLand(land)", land))["id"]
        invite = "([id, invited_ids]) => window.hereabouts.api.updateLand(id, { invited_ids })"
        await page.evaluate(invite, [land_id, [guest.id for guest in guests]])
        await page.reload()
        for name in NAMES:
            await visitor.find("land-change").click()
            await expect(visitor.find("guest")).to_have_count(len(NAMES))
            await visitor.find("land-name").fill(name)
            await visitor.find("land-save").click()
            await expect(visitor.find("land-save")).to_have_count(0)
            await visitor.find("land-change").click()
            await expect(visitor.find("guest")).to_have_count(len(NAMES))
            await in_order(visitor)
            await page.get_by_role("button", name="Give it up").click()
            await expect(visitor.find("confirm")).to_be_visible()
            await in_order(visitor)
            await page.get_by_role("button", name="Keep").click()
        await visitor.shot(f"hostile-land-label-{size}")


@pytest.mark.gen_test(timeout=240)
async def test_the_api_page_shows_answers_as_they_are(server: Server, browse) -> None:
    """What "Try it out" brings back is text, whatever it holds, and goes back in as text."""
    for index, (person, name) in enumerate(zip(await server.people(len(NAMES)), NAMES, strict=True)):
        await person.land(20 * index, 0, name=name)
    async with browse(server) as browser:
        visitor = await browser.visit("reader")
        watch(visitor)
        page = visitor.page
        await page.add_init_script(WATCH)
        await page.goto(f"{page.url.rstrip('/')}/api/docs")
        await expect(page.locator(".opblock").first).to_be_visible()
        account = {"username": "reader", "password": "correct horse", "display_name": NAMES[2]}
        assert await try_out(page, "auth-register", account) == "201"
        shown = page.locator("#operations-auth-register .live-responses-table")
        await expect(shown).to_contain_text(NAMES[2])
        block = page.locator("#operations-lands-lands")
        await block.locator(".opblock-summary-control").click()
        await block.locator(".try-out__btn").click()
        for name, value in {"x": "350", "y": "0", "radius": "50"}.items():
            await block.locator(f'tr[data-param-name="{name}"] input').fill(value)
        await block.locator("button.execute").click()
        await expect(block.locator(".live-responses-table")).to_contain_text("world_id")
        await in_order(visitor)


async def last_group(page: Any) -> str:
    """The id of a group in the list of conversations."""
    row = page.locator("[data-testid=conversations] .row:has(.avatar.group)").last
    return str(await row.get_attribute("data-id"))
