"""The demo page in a real Chromium: what becomes a link in a message, and what it says about where it leads."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_conversations import id_of, post, talk
from tests.harness import Server

# What is written, and the links made of it: what they read like, and where they lead.
CASES: dict[str, list[tuple[str, str]]] = {
    "see https://example.org/a, and http://b.example.": [
        ("https://example.org/a", "https://example.org/a"),
        ("http://b.example", "http://b.example/"),
    ],
    "(https://example.org/x) “https://example.org/y”": [
        ("https://example.org/x", "https://example.org/x"),
        ("https://example.org/y", "https://example.org/y"),
    ],
    "https://example.org/Bracket_(both)": [
        ("https://example.org/Bracket_(both)", "https://example.org/Bracket_(both)")
    ],
    "javascript:alert(1) data:text/html,x ftp://example.org file:///etc www.example.org": [],
    # Where it does not lead where it seems to, it says where.
    "https://\u0430pple.com/": [("https://\u0430pple.com/ (xn--pple-43d.com)", "https://xn--pple-43d.com/")],
    "https://b\u00fccher.example": [
        ("https://b\u00fccher.example (xn--bcher-kva.example)", "https://xn--bcher-kva.example/")
    ],
    "https://bank.example@canary.invalid/": [
        ("https://bank.example@canary.invalid/ (canary.invalid)", "https://bank.example@canary.invalid/")
    ],
    "https://bank.example\\@canary.invalid/": [
        ("https://bank.example\\@canary.invalid/ (bank.example)", "https://bank.example/@canary.invalid/")
    ],
    "http://0x7f.1/": [("http://0x7f.1/ (127.0.0.1)", "http://127.0.0.1/")],
    "http://[oops http://": [],
}


@pytest.mark.gen_test(timeout=240)
async def test_links_say_where_they_lead(server: Server, browse) -> None:
    """Only the web's addresses, without what the sentence has around them; what opens learns nothing of the page."""
    async with browse(server) as browser:
        ann, bob = await browser.registered("ann"), await server.person("bob")
        room = (await bob.ok("POST", "/chat/sessions", {"participant_ids": [await id_of(ann)]}))["id"]
        for text in CASES:
            await post(bob, room, text)
        await talk(ann, "bob").click()
        await expect(ann.find("message")).to_have_count(len(CASES))
        links = "(rows) => rows.map((row) => [...row.querySelectorAll('a')].map((a) => [a.textContent, a.href, a.rel, a.target]))"
        found = await ann.find("message").evaluate_all(links)
        for row, (text, expected) in zip(found, CASES.items(), strict=True):
            assert row == [[*link, "noopener noreferrer nofollow", "_blank"] for link in expected], text
        await ann.shot("links")
