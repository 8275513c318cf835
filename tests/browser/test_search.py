"""The demo page in a real Chromium: searching in what is loaded of a conversation."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_conversations import id_of, post, talk
from tests.harness import Server

OCCURRENCES = """async (cases) => {
  const { occurrences } = await import('/static/js/app/search.js');
  return cases.map(([text, words]) => occurrences(text, words).map(([start, end]) => text.slice(start, end)));
}"""

# Text, what is looked for, what is found in it as it stands there.
CASES = [
    ("Café CAFE cafe\u0301s", "cafe", ["Café"[:4], "CAFE", "cafe\u0301"]),
    ("cafe", "CAFÉ", ["cafe"]),
    ("naïve Ångström", "angstrom", ["Ångström"]),
    ("ﬁsh and fish", "fi", ["ﬁ", "fi"]),
    ("ﬁsh", "f", ["ﬁ"]),
    ("ἄνθρωπος", "ανθρωπος", ["ἄνθρωπος"]),
    ("İstanbul", "istanbul", ["İstanbul"]),
    ("a.b*c", ".b*", [".b*"]),
    ("👩‍🚀 up", "up", ["up"]),
    ("aaaa", "aa", ["aa", "aa"]),
    ("anything", "  ", []),
]


@pytest.mark.gen_test(timeout=240)
async def test_words_are_found_as_people_mean_them(server: Server, browse) -> None:
    """Whatever the case, the accents and how they are written; no letter has a meaning of its own."""
    async with browse(server) as browser:
        page = (await browser.visit("ann")).page
        found = await page.evaluate(OCCURRENCES, [[text, words] for text, words, _ in CASES])
        assert found == [parts for _, _, parts in CASES]


@pytest.mark.gen_test(timeout=240)
async def test_one_walks_from_match_to_match(server: Server, browse) -> None:
    """From the newest to older ones, each in view and marked; further back when asked; Escape ends it."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await server.person("bob")
        room = (await bob.ok("POST", "/chat/sessions", {"participant_ids": [await id_of(ann)]}))["id"]
        matches = {
            3: "an old Apple",
            20: "pomme, or ÄPPLE",
            60: "https://apple.example/apple (apple)",
            75: "applé",
        }
        for number in range(1, 81):
            await post(bob, room, matches.get(number, f"line {number}"))
        await ann.page.reload()  # what came while the page looked on is there without asking
        await talk(ann, "bob").click()
        await expect(ann.find("message", seq="80")).to_be_visible()
        await ann.find("search").click()
        words, count = ann.find("search-words"), ann.find("search-count")
        await expect(words).to_be_focused()
        await words.fill("apple")
        await expect(count).to_have_text("1 of 2")
        current = ann.page.locator(".message.current")
        await expect(current).to_have_attribute("data-seq", "75")
        await words.press("Enter")
        await expect(count).to_have_text("2 of 2")
        await expect(current).to_have_attribute("data-seq", "60")
        await expect(current).to_be_in_viewport()
        await expect(current.locator("mark")).to_have_text(["apple", "apple", "apple"])
        assert await current.locator("a").get_attribute("href") == "https://apple.example/apple"
        await ann.shot("search-desktop")
        await ann.find("search-more").click()
        await expect(count).to_have_text("2 of 4")
        await expect(current).to_be_in_viewport()
        await expect(ann.find("search-more")).to_have_count(0)
        await ann.page.get_by_label("Older match").click()
        await expect(current).to_have_attribute("data-seq", "20")
        await expect(current).to_be_in_viewport()
        await words.press("Shift+Enter")
        await expect(current).to_have_attribute("data-seq", "60")
        await words.fill("nothing of the kind")
        await expect(count).to_have_text("Nothing found")
        await words.press("Escape")
        await expect(words).to_have_count(0)
        await expect(ann.find("search")).to_be_focused()
        await expect(ann.page.locator("mark")).to_have_count(0)
