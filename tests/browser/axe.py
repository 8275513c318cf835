"""axe-core in a page: what it finds that keeps somebody out who cannot see, hear, or use a mouse."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from playwright.async_api import Page

# All of its rules, those that are "best practice" and no standard's included.
RUN = """async () => (await axe.run(document, { resultTypes: ['violations'] })).violations.flatMap(
  ({ id, impact, nodes }) => nodes.map(({ target, failureSummary, html }) =>
    `${impact} ${id}: ${target.join(' ')}\\n  ${failureSummary.replaceAll('\\n', ' ')}\\n  ${html.slice(0, 200)}`))"""


@cache
def source() -> str:
    """Of the package that carries it the file alone; its own code is not used."""
    spec = find_spec("axe_playwright_python")
    assert spec and spec.origin
    return (Path(spec.origin).parent / "axe.min.js").read_text()


async def found(page: Page) -> list[str]:
    """What axe finds in the page as it is now, a line or three each."""
    # Evaluated by the debugger, for whom the page's policy does not hold, as it does for every script of the page.
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(source())
    return list(await page.evaluate(RUN))
