"""Tornado is pinned, since the wire reaches into it."""

from __future__ import annotations

import re
from pathlib import Path

import tornado

REQUIREMENTS = Path(__file__).parents[2] / "requirements.in"


def test_tornado_is_the_version_that_the_wire_was_written_for() -> None:
    """`handlers.wire` uses private parts: `stream._read_buffer`, `stream._closed`, `handler._detach_stream`,
    `WebSocketProtocol13._accept_connection`, `_WebSocketParams`, and the parser `tornado.util._websocket_mask`.
    Before a new version is pinned, each of them has to be looked at in it."""
    (pinned,) = re.findall(r"^tornado==(\S+)$", REQUIREMENTS.read_text(), re.MULTILINE)
    assert tornado.version == pinned
