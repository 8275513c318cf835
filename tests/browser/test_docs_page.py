"""The API page in a real Chromium: both parts are there, and Swagger UI works against this server."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page, expect

from tests.harness import Server


async def open_docs(browser, server: Server, size: str):
    visitor = await browser.visit("reader", size)
    await visitor.page.goto(f"{visitor.page.url.rstrip('/')}/api/docs")
    await expect(visitor.page.locator(".opblock").first).to_be_visible()
    return visitor


async def try_out(page: Page, operation: str, body: object = None) -> str:
    """Sends a call with Swagger UI, and returns the status that it shows."""
    block = page.locator(f"#operations-{operation}")
    await block.locator(".opblock-summary-control").click()
    await block.locator(".try-out__btn").click()
    if body is not None:
        await block.locator("textarea").first.fill(json.dumps(body))
    await block.locator("button.execute").click()
    status = block.locator(".live-responses-table tbody .response-col_status")
    await expect(status).not_to_be_empty()
    return (await status.inner_text()).split()[0]


@pytest.mark.gen_test(timeout=240)
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_the_page_shows_rest_and_both_sockets(server: Server, browse, size: str) -> None:
    """Every call and every message is on the page, which fits its window and breaks no policy."""
    openapi = json.loads((await server.fetch("GET", f"{server.origin}/api/openapi.json")).body)
    asyncapi = json.loads((await server.fetch("GET", f"{server.origin}/api/asyncapi.json")).body)
    async with browse(server) as browser:
        page = (await open_docs(browser, server, size)).page
        await expect(page.locator(".opblock")).to_have_count(sum(map(len, openapi["paths"].values())))
        for channel, described in asyncapi["channels"].items():
            messages = page.get_by_test_id(f"socket-{channel}").get_by_test_id("message")
            await expect(messages).to_have_count(len(described["messages"]))
        width = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, f"the page is {width} px wider than its window"
        await page.evaluate("location.hash = 'chat.client.send_message'")
        fields = page.locator("[id='chat.client.send_message'] tbody th code")
        await expect(fields).to_have_text(["room_id", "content", "client_id", "ref"])


@pytest.mark.gen_test(timeout=240)
async def test_signing_in_on_the_page_authorizes_its_calls(server: Server, browse) -> None:
    """Registering with "Try it out" is enough; the next call is made with the token that it gave."""
    async with browse(server) as browser:
        page = (await open_docs(browser, server, "desktop")).page
        account = {"username": "reader", "password": "correct horse"}
        assert await try_out(page, "auth-register", account) == "201"
        assert await try_out(page, "auth-me") == "200"
        land = {"name": "Read about", "x": 0, "y": 0, "width": 5, "height": 5}
        assert await try_out(page, "lands-create_land", land) == "201"


@pytest.mark.gen_test(timeout=240)
async def test_a_token_can_be_given_by_hand(server: Server, browse) -> None:
    """ "Authorize" takes an access token, and calls are made with it."""
    person = await server.person()
    async with browse(server) as browser:
        page = (await open_docs(browser, server, "desktop")).page
        await page.locator(".btn.authorize").click()
        await page.locator(".auth-container input").fill(person.token)
        await page.locator(".modal-btn.authorize").click()
        await page.locator(".btn-done").click()
        assert await try_out(page, "auth-me") == "200"
