"""The pages' policy as a real Chromium keeps it: what a script that got in could not do, and what other sites cannot."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visitor
from tests.harness import Server

# Tries what injected markup or a vulnerable library would, and says what the browser made of each.
ATTEMPTS = """async (expected) => {
  const violated = [];
  document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => violated.push(effectiveDirective));
  const tried = {};
  const attempt = async (name, act) => {
    try { tried[name] = String(await act()); } catch (error) { tried[name] = error.name; }
  };
  const div = document.createElement('div');
  await new Promise((resolve) => setTimeout(resolve, 0)); // out of what asked for this, which may evaluate anything
  const added = (tag, attributes) => document.body.appendChild(Object.assign(document.createElement(tag), attributes));
  const told = (element) => new Promise((resolve) => {
    element.onload = () => resolve('loaded');
    element.onerror = () => resolve('refused');
  });
  await attempt('markup', () => { div.innerHTML = '<b>'; });
  await attempt('markup after', () => div.insertAdjacentHTML('beforeend', '<b>'));
  await attempt('document', () => document.write('<b>'));
  await attempt('parser', () => new DOMParser().parseFromString('<b>', 'text/html'));
  await attempt('frame with markup', () => { document.createElement('iframe').srcdoc = '<b>'; });
  await attempt('policy', () => trustedTypes.createPolicy('x', { createHTML: (text) => text }));
  await attempt('default policy', () => trustedTypes.createPolicy('default', { createHTML: (text) => text }));
  await attempt('eval', () => eval('1'));
  await attempt('function', () => new Function('return 1')());
  await attempt('timer', () => setTimeout('window.ran = 1', 0));
  await attempt('script of text', () => { document.createElement('script').text = 'window.ran = 1'; });
  await attempt('script of another host', () => { document.createElement('script').src = 'http://canary.invalid/x.js'; });
  await attempt('plug-in', () => { document.createElement('object').data = '/static/favicon.svg'; });
  await attempt('connection', () => fetch('http://canary.invalid/'));
  await attempt('socket', () => new Promise((resolve) => {
    const socket = new WebSocket('ws://canary.invalid/');
    socket.onerror = () => resolve('refused');
    socket.onopen = () => resolve('open');
  }));
  await attempt('beacon', () => navigator.sendBeacon('http://canary.invalid/', 'x'));
  await attempt('picture', () => told(added('img', { src: 'http://canary.invalid/x.png' })));
  await attempt('style sheet', () => told(added('link', { rel: 'stylesheet', href: 'http://canary.invalid/x.css' })));
  await attempt('own style sheet', () => told(added('link', { rel: 'stylesheet', href: '/static/css/base.css' })));
  await attempt('own picture', () => told(added('img', { src: '/static/favicon.svg' })));
  await attempt('own connection', async () => (await fetch('/healthz')).ok);
  added('style', { textContent: 'body { --styled: yes }' });
  added('iframe', { src: '/healthz' });
  added('base', { href: 'http://canary.invalid/' });
  const form = added('form', { action: '/', method: 'post', target: 'none' });
  form.submit();
  // The browser tells of violations in turns of its own.
  for (let turns = 100; turns && !expected.every((directive) => violated.includes(directive)); turns -= 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  tried.ran = String(window.ran);
  tried.styled = getComputedStyle(document.body).getPropertyValue('--styled');
  tried.base = String(document.baseURI.startsWith(location.origin));
  return [tried, [...new Set(violated)].sort()];
}"""

TYPE_ERRORS = (
    *("markup", "markup after", "document", "parser", "frame with markup", "policy", "default policy"),
    *("script of text", "script of another host", "plug-in", "connection"),
)
KEPT = {
    **dict.fromkeys(TYPE_ERRORS, "TypeError"),
    **dict.fromkeys(("eval", "function"), "EvalError"),
    "socket": "refused",
    "picture": "refused",
    "style sheet": "refused",
    "own style sheet": "loaded",
    "own picture": "loaded",
    "own connection": "true",
    "ran": "undefined",
    "styled": "",
    "base": "true",
}
VIOLATED = {
    *("base-uri", "connect-src", "form-action", "frame-src", "img-src", "style-src-elem"),
    *("require-trusted-types-for", "trusted-types"),
}

EMBEDDED = """async (origin) => {
  const told = (element) => new Promise((resolve) => {
    element.onload = () => resolve(true);
    element.onerror = () => resolve(false);
    document.body.append(element);
  });
  const picture = await told(Object.assign(new Image(), { src: `${origin}/static/favicon.svg` }));
  const script = await told(Object.assign(document.createElement('script'), { src: `${origin}/static/docs/contents.js` }));
  await told(Object.assign(document.createElement('iframe'), { src: origin }));
  return [picture, script];
}"""


async def tried(visitor: Visitor) -> tuple[dict[str, str], set[str]]:
    """What became of the attempts, and which directives they violated; the console says so too."""
    found, violated = await visitor.page.evaluate(ATTEMPTS, sorted(VIOLATED))
    await forgiven(visitor)
    return found, set(violated)


async def forgiven(visitor: Visitor) -> None:
    """Takes out what the browser complained of, with the page gone that might go on to."""
    await visitor.page.close()
    visitor.complaints.clear()


@pytest.mark.gen_test(timeout=180)
@pytest.mark.parametrize("path", ["/", "/api/docs"])
async def test_what_a_script_that_got_in_could_not_do(server: Server, browse, path: str) -> None:
    """Make markup or code of strings, load or tell anything elsewhere, frame, post, move the base; the page's own goes."""
    async with browse(server) as browser:
        visitor = await browser.visit("ann")
        await visitor.page.goto(visitor.page.url.rstrip("/") + path)
        shown = "[data-testid=register-form]" if path == "/" else ".opblock"
        await expect(visitor.page.locator(shown).first).to_be_visible()
        found, violated = await tried(visitor)
        assert {name: found[name] for name in KEPT} == KEPT
        assert violated >= VIOLATED, VIOLATED - violated


@pytest.mark.gen_test(timeout=180)
async def test_the_api_page_gets_no_microphone(server: Server, browse) -> None:
    """Where the browser would give one to anybody who asks, and gives it to the demo."""
    ask = "navigator.mediaDevices.getUserMedia({ audio: true }).then(() => 'given', ({ name }) => name)"
    async with browse(server) as browser:
        visitor = await browser.visit("ann")
        page = visitor.page
        assert await page.evaluate(ask) == "given"
        await page.goto(f"{page.url.rstrip('/')}/api/docs")
        assert await page.evaluate(ask) == "NotAllowedError"
        await forgiven(visitor)


@pytest.mark.gen_test(timeout=180)
async def test_other_sites_cannot_frame_or_load_the_pages(server: Server, browse) -> None:
    """Neither the page in a frame, nor a picture or a script of it."""
    async with browse(server) as browser:
        visitor = await browser.visit("ann")
        origin = visitor.page.url.rstrip("/")
        await visitor.page.goto("about:blank")
        assert await visitor.page.evaluate(EMBEDDED, origin) == [False, False]
        (frame,) = visitor.page.main_frame.child_frames
        assert not await frame.locator("#root").count()
        await forgiven(visitor)
