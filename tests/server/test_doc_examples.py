"""docs/protocol.md against the server: its clients run, its JSON is what goes over the wire."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import typing
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Page, async_playwright, expect
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, StaticFileHandler

from handlers.routes import ROUTES
from server import errors
from server.protocol import events, requests
from tests.harness import PASSWORD, PATIENCE, Person, Server

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
TEXT = (DOCS / "protocol.md").read_text()
LIBRARY_TEXT = (ROOT / "client" / "README.md").read_text()
EXAMPLES = sorted((DOCS / "examples").glob("*.[pj][ys]"))

REQUESTS = {
    struct.__struct_config__.tag: struct
    for union in (requests.ChatRequest, requests.SignalRequest)
    for struct in typing.get_args(union)
}
EVENTS = {
    typing.get_args(typing.get_type_hints(shape)["type"])[0]: shape
    for shape in (*events.CHAT_EVENTS, *events.SIGNAL_EVENTS)
}


def fenced(info: str, text: str = TEXT) -> list[str]:
    """The blocks of protocol.md, or of another text, that open with exactly this info string."""
    return re.findall(rf"^```{re.escape(info)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def lines(info: str) -> list[str]:
    """One JSON example a line."""
    return [line for block in fenced(info) for line in block.splitlines() if line]


# The clients


@asynccontextmanager
async def running(script: str, server: Server, person: Person, room_id: str) -> AsyncIterator[Process]:
    """One of the Python examples, as somebody would start it."""
    # The one with the library from the checkout's root, where that is found.
    as_module = ("-m", "docs.examples.reconnecting")
    started = as_module if script == "reconnecting.py" else (str(DOCS / "examples" / script),)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *started, server.origin, person.name, PASSWORD, room_id),
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def types(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())
    await process.stdin.drain()


async def prints(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        return (await process.stdout.readline()).decode().rstrip("\n")


@pytest.mark.parametrize("script", ["client.py", "reconnecting.py"])
async def test_the_python_client_says_what_is_typed_and_prints_what_is_said(
    script: str, server: Server
) -> None:
    """Run as a program of its own, beside another client in the same land."""
    ann, bob = await server.person("ann"), await server.person("bob")
    land = await ann.land()
    his = await bob.chat(land)
    async with running(script, server, ann, land) as client:
        await his.next("user_joined", user_id=ann.id)
        await types(client, "hello from the document")
        heard = await his.next("message")
        assert (heard["content"], heard["sender_id"]) == ("hello from the document", ann.id)
        assert heard["client_id"]
        assert await prints(client) == "1 ann hello from the document"
        await his.ask("message_ack", type="send_message", room_id=land, content="hello back")
        assert await prints(client) == "2 bob hello back"


async def test_the_reconnecting_client_misses_nothing_and_says_nothing_twice(server: Server) -> None:
    """What was said while it was away is printed in order; it takes the delay from the close's reason."""
    ann, bob = await server.person("ann"), await server.person("bob")
    land = await ann.land()
    his = await bob.chat(land)
    async with running("reconnecting.py", server, ann, land) as client:
        await his.next("user_joined", user_id=ann.id)
        await his.ask("message_ack", type="send_message", room_id=land, content="before")
        assert await prints(client) == "1 bob before"
        (connection,) = server.app.node.chat.of_user(ann.id)
        connection.close(errors.restarting(5))
        await his.next("user_left", user_id=ann.id)
        await types(client, "said while away")
        for content in ("one", "two"):
            await his.ask("message_ack", type="send_message", room_id=land, content=content)
        await his.next("user_joined", user_id=ann.id)
        assert [await prints(client) for _ in range(3)] == [
            "2 bob one",
            "3 bob two",
            "4 ann said while away",
        ]
        await his.ask("message_ack", type="send_message", room_id=land, content="after")
        assert await prints(client) == "5 bob after"


@asynccontextmanager
async def page_beside(origin: str) -> AsyncIterator[Page]:
    """docs/examples/client.html in a Chromium, served from another origin."""
    chromium = shutil.which("chromium")
    assert chromium, "the browser's example needs `chromium` on the PATH"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            page = await browser.new_page()
            await page.goto(f"{origin}/client.html")
            yield page
        finally:
            await browser.close()


async def test_the_browser_client_talks_from_another_origin(new_server: Callable[..., Server]) -> None:
    """The page is served elsewhere, and that origin is on the list."""
    files = HTTPServer(Application([(r"/(.*)", StaticFileHandler, {"path": DOCS / "examples"})]))
    listening, port = bind_unused_port()
    files.add_socket(listening)
    origin = f"http://localhost:{port}"
    try:
        async with (
            new_server(allowed_origins=(origin,)) as server,
            page_beside(origin) as page,
        ):
            ann, bob = await server.person("ann"), await server.person("bob")
            land = await ann.land()
            his = await bob.chat(land)
            form = {"origin": server.origin, "username": "ann", "password": PASSWORD, "room": land}
            for name, value in form.items():
                await page.fill(f"[name={name}]", value)
            await page.click("text=Join")
            await his.next("user_joined", user_id=ann.id)
            await expect(page.locator("li")).to_have_text(["joined"])
            await page.fill("[name=content]", "hello from a page")
            await page.click("text=Say")
            heard = await his.next("message")
            assert (heard["content"], heard["sender_id"]) == ("hello from a page", ann.id)
            await his.ask("message_ack", type="send_message", room_id=land, content="hello back")
            await expect(page.locator("li")).to_have_text(
                ["joined", "ann: hello from a page", "bob: hello back"]
            )
            await page.close()
            await his.next("user_left", user_id=ann.id)
    finally:
        files.stop()
        await files.close_all_connections()


# The text


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_text_shows_the_file(example: Path) -> None:
    """Each program in docs/examples is in protocol.md, or in its library's, to the letter."""
    language = {".py": "python", ".js": "js"}[example.suffix]
    assert example.read_text() in fenced(language) + fenced(language, LIBRARY_TEXT)


def test_the_small_clients_are_small() -> None:
    """The promised thirty lines."""
    for name in ("client.py", "client.js", "reconnecting.py"):
        assert len((DOCS / "examples" / name).read_text().splitlines()) <= 30


def test_every_request_shown_is_one_that_the_server_takes() -> None:
    """And every request that there is, is shown."""
    shown = set()
    for line in lines("json request"):
        request = json.loads(line)
        msgspec.convert(request, REQUESTS[request["type"]])
        shown.add(request["type"])
    assert shown == set(REQUESTS)


def test_every_event_shown_is_one_that_the_server_sends() -> None:
    """With the fields of its shape, and no others; every event that there is, is shown."""
    shown = set()
    for line in lines("json event"):
        event = json.loads(line)
        shape = EVENTS[event["type"]]
        fields = typing.get_type_hints(shape, include_extras=True)
        needed = {name for name, hint in fields.items() if typing.get_origin(hint) is not typing.NotRequired}
        assert needed <= event.keys() <= fields.keys(), event
        shown.add(event["type"])
    assert shown == set(EVENTS)


def test_all_other_json_parses() -> None:
    """No block of JSON escapes the tests above by its info string."""
    infos = set(re.findall(r"^```(json.*)$", TEXT, re.MULTILINE))
    assert infos == {"json", "json request", "json event"}
    for block in fenced("json"):
        json.loads(block)


def test_the_table_of_rest_calls_has_every_route_and_no_other() -> None:
    """`METHOD /path`, as the route table writes them."""
    section = TEXT.partition("\n## REST\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| `(GET|POST|PUT|PATCH|DELETE) ([^`?]+)", section, re.MULTILINE)
    assert sorted(shown) == sorted((route.method, route.path) for route in ROUTES)


def test_the_table_of_errors_has_every_code() -> None:
    """Code and REST status, as the server answers them."""
    section = TEXT.partition("\n## Errors\n")[2].partition("\n## ")[0]
    shown = dict(re.findall(r"^\| `(\w+)` \| (\d+|—) \|", section, re.MULTILINE))
    on_sockets_alone = {"not_joined", "busy", "offline"}
    assert shown == {
        code: "—" if code in on_sockets_alone else str(status) for code, status in errors.STATUS.items()
    }
