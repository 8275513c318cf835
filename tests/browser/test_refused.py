"""Whom the server does not let in reads why, in plain words."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.harness import Server
from tests.server.test_bans import ban, unban


@pytest.mark.gen_test(timeout=240)
async def test_the_banned_read_that_they_are(server: Server, browse) -> None:
    """At once, at the next visit, and when signing in; unbanned, they are in again."""
    async with browse(server) as browser:
        ann = await browser.registered("ann")
        await ann.until("() => hereabouts.chat.state === 'open' && hereaboutsApp.map !== null")
        own_id = await ann.page.evaluate("hereabouts.user.id")
        kept = await ann.page.evaluate("JSON.stringify(localStorage)")
        await ban(server, own_id)
        await expect(ann.page.get_by_role("status").filter(has_text="This account is banned")).to_be_visible()

        # As a page that was closed meanwhile, and opens with the login that it kept.
        await ann.page.evaluate("(kept) => Object.assign(localStorage, JSON.parse(kept))", kept)
        await ann.page.reload()
        await expect(ann.page.get_by_role("status").filter(has_text="This account is banned")).to_be_visible()

        await ann.page.reload()
        await ann.find("login-form").wait_for()
        await ann.find("username").fill("ann")
        await ann.find("password").fill("correct horse")
        await ann.find("submit").click()
        await expect(ann.page.get_by_role("alert").filter(has_text="This account is banned")).to_be_visible()
        await unban(server, own_id)
        await ann.find("submit").click()
        await ann.find("map").wait_for()
        ann.complaints = [text for text in ann.complaints if "403" not in text]


@pytest.mark.gen_test(timeout=180)
async def test_what_is_wrong_is_said_without_a_fields_name(server: Server, browse) -> None:
    """Under the field that it is about, as a sentence."""
    async with browse(server) as browser:
        ann = await browser.visit("ann")
        await ann.find("username").fill("annabelle")
        await ann.find("password").fill("annabelle")
        await ann.find("submit").click()
        await expect(ann.page.locator("#password-about")).to_have_text(
            "The password must not be the username."
        )
        ann.complaints = [text for text in ann.complaints if "400" not in text]
