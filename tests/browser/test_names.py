"""Names that others chose, as the page shows them."""

from __future__ import annotations

import pytest

from tests.harness import Server

LEGIBLE = """async (names) => {
  const { legible } = await import('/static/js/app/names.js');
  return names.map((name) => legible(name, 'instead'));
}"""

SHOWN = {
    "Ann": "Ann",
    "<b>&amp; {{7*7}}": "<b>&amp; {{7*7}}",
    "ann\u202egpj.exe": "anngpj.exe",
    "\u2066ann\u2069\u2069": "ann",
    "a\u0000b\u0007\r\n c": "a b c",
    "ad\u200bm\u2060i\ufeffn\u00ad": "admin",
    "\u200b \u2800\u3164\u00ad": "instead",
    "": "instead",
    "Z" + "\u0300" * 60 + "e": "Z" + "\u0300" * 4 + "e",
    "\u05d0\u05d1\u05d2": "\u2068\u05d0\u05d1\u05d2\u2069",
    "Ann \u202b\u0627\u0644\u0639": "\u2068Ann \u0627\u0644\u0639\u2069",
    "\u0915\u094d\u0937\u093f \u0e01\u0e4d\u0e49": "\u0915\u094d\u0937\u093f \u0e01\u0e4d\u0e49",
    # Joiners hold emoji and some scripts together.
    "\U0001f468\u200d\U0001f469\u200d\U0001f467": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
}


@pytest.mark.gen_test(timeout=180)
async def test_a_name_stays_in_its_place(server: Server, browse) -> None:
    """Nothing in it turns what stands beside it, breaks its line, or is there without being seen; scripts stay whole."""
    async with browse(server) as browser:
        page = (await browser.visit("ann")).page
        assert await page.evaluate(LEGIBLE, list(SHOWN)) == list(SHOWN.values())
